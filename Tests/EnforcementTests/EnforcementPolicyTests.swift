// SPDX-License-Identifier: Apache-2.0
import Enforcement
import Testing

@Suite struct `A policy` {
    private static func vector(_ number: UInt16) throws -> VectorNumber {
        try #require(VectorNumber(number))
    }

    @Test func `in each mode acts as the mode says on every vector`() {
        for vector in EnforcedVector.all {
            let number = vector.number
            #expect(EnforcementPolicy.enforcing[number] == vector.usual)
            let watched: EnforcementAction = vector.usual == .allow ? .allow : .detect
            #expect(EnforcementPolicy.detecting[number] == watched)
            #expect(EnforcementPolicy.denyingAll[number] == .deny)
            #expect(EnforcementPolicy.silent[number] == .allow)
            #expect(
                EnforcementPolicy.killing[number]
                    == (vector.usual == .deny ? .denyAndKill : vector.usual))
        }
        #expect(EnforcementPolicy.silent.actions.isEmpty)
        #expect(EnforcementPolicy.enforcing.actions.count == EnforcedVector.all.count)
    }

    @Test func `lets a vector through that no hook knows`() throws {
        #expect(EnforcementPolicy.denyingAll[try Self.vector(2)] == .allow)
    }

    @Test func `changes one vector and leaves the others`() throws {
        let changed = try EnforcementPolicy.enforcing.setting(Self.vector(8), to: .detect)
        #expect(changed[try Self.vector(8)] == .detect)
        var expected = EnforcementPolicy.enforcing.actions
        expected[try Self.vector(8)] = .detect
        #expect(changed.actions == expected)
    }

    @Test func `refuses an action where no hook is, and names the vector and the list`() throws {
        let vector = try Self.vector(2)
        #expect(throws: EnforcementPolicyFailure.noHook(vector)) {
            try EnforcementPolicy.enforcing.setting(vector, to: .deny)
        }
        let text = EnforcementPolicyFailure.noHook(vector).description
        #expect(text.contains("AV-002") && text.contains("docs/reference/"))
    }

    @Test func `denies modules when they are locked, and only then`() {
        #expect(EnforcementPolicy.enforcing[.moduleLoad] == .detect)
        var expected = EnforcementPolicy.enforcing.actions
        expected[.moduleLoad] = .deny
        #expect(EnforcementPolicy.enforcing.lockingModules().actions == expected)
    }

    @Test func `has the numbers of actions that the programs read`() {
        #expect(EnforcementAction.allCases.map(\.rawValue) == [0, 1, 2, 3])
        #expect(EnforcementAction.allCases.map(\.word) == ["allow", "detect", "deny", "deny+kill"])
        for action in EnforcementAction.allCases {
            #expect(EnforcementAction(word: action.word) == action)
        }
    }
}

@Suite struct `Words of a policy` {
    @Test func `name a vector and an action`() throws {
        for action in EnforcementAction.allCases {
            let read = try PolicySettings.exception("AV-026=\(action.word)")
            #expect(read.vector.description == "AV-026" && read.action == action)
        }
    }

    @Test(arguments: [
        "", "=", "AV-026", "AV-026=", "=deny", "026=deny", "AV-26=deny", "AV-000=deny",
    ])
    func `are refused without both, with an example`(_ text: String) {
        #expect(throws: PolicyTextFailure.malformed(text)) { try PolicySettings.exception(text) }
        #expect(PolicyTextFailure.malformed(text).description.contains("AV-026=detect"))
    }

    @Test(arguments: ["block", "Deny", "deny ", "deny=kill", "kill", "0"])
    func `are refused with another action, and the actions are listed`(_ word: String) {
        #expect(throws: PolicyTextFailure.unknownAction(word)) {
            try PolicySettings.exception("AV-026=\(word)")
        }
        let text = PolicyTextFailure.unknownAction(word).description
        for action in EnforcementAction.allCases { #expect(text.contains(action.word)) }
    }

    @Test func `become a policy: mode, then modules, then exceptions in their order`() throws {
        var settings = PolicySettings()
        #expect(try settings.policy() == .enforcing)
        settings.mode = .detect
        #expect(try settings.policy() == .detecting)
        settings.lockModules = true
        #expect(try settings.policy() == .detecting.lockingModules())
        settings.exceptions = [
            try PolicySettings.exception("AV-064=allow"),
            try PolicySettings.exception("AV-008=deny"),
            try PolicySettings.exception("AV-008=deny+kill"),
        ]
        let policy = try settings.policy()
        #expect(policy[.moduleLoad] == .allow)
        #expect(policy[try #require(VectorNumber("AV-008"))] == .denyAndKill)
        settings.mode = .kill
        settings.exceptions = []
        #expect(try settings.policy() == .killing.lockingModules())
        settings.exceptions = [try PolicySettings.exception("AV-002=deny")]
        #expect(throws: EnforcementPolicyFailure.self) { try settings.policy() }
    }

    @Test func `are equal when mode, modules and exceptions are`() throws {
        let base = PolicySettings()
        #expect(base == PolicySettings())
        var other = base
        other.mode = .detect
        #expect(other != base)
        other = base
        other.lockModules = true
        #expect(other != base)
        other = base
        other.exceptions = [try PolicySettings.exception("AV-008=deny")]
        #expect(other != base)
        var third = base
        third.exceptions = [try PolicySettings.exception("AV-008=detect")]
        #expect(other != third)
    }
}
