// SPDX-License-Identifier: Apache-2.0

/// Who says so.
package enum FactSource: String, Sendable, CaseIterable {
    /// The node's agent, which looks at the process from outside.
    case agent
    /// An object as the API server or a manifest has it, and what it makes a program of ours do.
    case storedObject
    /// Somebody's word. It may say that something is missing, never that it is there.
    case declared
    case nobody
}

/// What is known of one thing that protects.
package struct Fact: Sendable, Hashable {
    package enum State: String, Sendable, CaseIterable {
        case holds, fails, unknown
        /// This platform cannot have it.
        case unreachable
    }

    package let state: State
    package let source: FactSource

    /// What nobody says is unknown, and so is what is good by somebody's word alone.
    package init(_ state: State, by source: FactSource) {
        let isBelieved =
            switch source {
            case .agent, .storedObject: true
            case .declared: state == .fails
            case .nobody: false
            }
        self.state = isBelieved ? state : .unknown
        self.source = source
    }

    package static let unknown = Fact(.unknown, by: .nobody)
    package static func holds(_ source: FactSource) -> Fact { Fact(.holds, by: source) }
    package static func fails(_ source: FactSource) -> Fact { Fact(.fails, by: source) }
    package static func unreachable(_ source: FactSource) -> Fact {
        Fact(.unreachable, by: source)
    }

    package var holds: Bool { state == .holds }
    package var mayHold: Bool { state == .holds || state == .unknown }
}

/// How values get to the program (docs/reference/delivery.md); none is worse than the one
/// before.
package enum ValueDelivery: String, Sendable, CaseIterable {
    case notByWrapper = "none"
    case environ, file, splice
}
