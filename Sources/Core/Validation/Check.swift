// SPDX-License-Identifier: Apache-2.0
internal import Inventory
package import KubernetesFormat

/// One thing that was looked at, and what came of it.
package struct Check: Sendable, Equatable {
    package enum State: String, Sendable, CaseIterable {
        case ok, warning, fails
        case notChecked = "not checked"
    }

    package let name: String
    package let state: State
    package let detail: String
    /// What to do; empty where nothing is to be done.
    package let fix: String

    package init(_ name: String, _ state: State, _ detail: String, fix: String = "") {
        self.name = name
        self.state = state
        self.detail = detail
        self.fix = fix
    }

    var row: [String] { [state.rawValue, name, detail] }

    var json: JSONTree {
        var tree: JSONTree = [
            "name": .string(name), "state": .string(state.rawValue), "detail": .string(detail),
        ]
        if !fix.isEmpty { tree["fix"] = .string(fix) }
        return tree
    }
}

/// Checks in their order, as `cloudtaser doctor` tells them.
package struct CheckList: Sendable {
    package let checks: [Check]

    package init(_ checks: [Check]) { self.checks = checks }

    package func has(_ state: Check.State) -> Bool { checks.contains { $0.state == state } }

    /// A line for each, with the fix below where there is one.
    package var text: String {
        let width = Check.State.allCases.map(\.rawValue.count).max() ?? 0
        let lines = checks.flatMap { check in
            let pad = String(repeating: " ", count: width - check.state.rawValue.count + 2)
            let line = "\(check.state.rawValue)\(pad)\(check.name): \(check.detail)"
            guard !check.fix.isEmpty else { return [line] }
            return [line, String(repeating: " ", count: width + 2) + "fix: \(check.fix)"]
        }
        return TextTable.text(lines + [summary])
    }

    private var summary: String {
        Check.State.allCases.map { state in
            "\(checks.count { $0.state == state }) \(state.rawValue)"
        }.joined(separator: ", ")
    }

    package var json: JSONTree {
        [
            "schemaVersion": "1", "checks": .array(checks.map(\.json)),
            "summary": .object(
                Check.State.allCases.map { state in
                    JSONTree.Member(
                        state == .notChecked ? "notChecked" : state.rawValue,
                        .number(String(checks.count { $0.state == state })))
                }),
        ]
    }
}
