// SPDX-License-Identifier: Apache-2.0

/// What an operator says about the agent's policy.
package struct PolicySettings: Sendable, Equatable {
    package enum Mode: String, Sendable, CaseIterable { case detect, deny, kill = "deny+kill" }

    package var mode = Mode.deny
    package var lockModules = false
    /// `AV-026=detect`, in the order given.
    package var exceptions: [(vector: VectorNumber, action: EnforcementAction)] = []

    package init() {}

    package static func == (a: PolicySettings, b: PolicySettings) -> Bool {
        a.mode == b.mode && a.lockModules == b.lockModules
            && a.exceptions.elementsEqual(b.exceptions, by: ==)
    }

    /// Reads `AV-026=detect`.
    package static func exception(
        _ text: String
    ) throws(PolicyTextFailure) -> (vector: VectorNumber, action: EnforcementAction) {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let vector = VectorNumber(parts[0]) else {
            throw .malformed(text)
        }
        guard let action = EnforcementAction(word: String(parts[1])) else {
            throw .unknownAction(String(parts[1]))
        }
        return (vector, action)
    }

    package func policy() throws(EnforcementPolicyFailure) -> EnforcementPolicy {
        var policy: EnforcementPolicy =
            switch mode {
            case .detect: .detecting
            case .deny: .enforcing
            case .kill: .killing
            }
        if lockModules { policy = policy.lockingModules() }
        for exception in exceptions {
            policy = try policy.setting(exception.vector, to: exception.action)
        }
        return policy
    }
}

package enum PolicyTextFailure: Error, Equatable, CustomStringConvertible {
    case malformed(String)
    case unknownAction(String)

    package var description: String {
        switch self {
        case .malformed(let text): "'\(text)' is no policy; write it as AV-026=detect"
        case .unknownAction(let word):
            "'\(word)' is no action; there are "
                + EnforcementAction.allCases.map(\.word).joined(separator: ", ")
        }
    }
}
