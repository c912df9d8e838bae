// SPDX-License-Identifier: Apache-2.0

/// Number of a vector in the catalogue (Fixtures/attack-vectors.json), 1 to 143; 150 is no vector
/// of the catalogue but a BPF load that reads no other program's memory.
package struct VectorNumber: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Three digits name it.
    package static let max: UInt16 = 999

    /// 1…`max`.
    package let rawValue: UInt16

    /// nil outside 1…`max`.
    package init?(_ number: UInt16) {
        guard (1...Self.max).contains(number) else { return nil }
        rawValue = number
    }

    fileprivate init(known number: UInt16) { rawValue = number }

    package static func < (a: VectorNumber, b: VectorNumber) -> Bool { a.rawValue < b.rawValue }

    /// `AV-008`.
    package var description: String {
        let digits = String(rawValue)
        return "AV-" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
    }

    /// Reads `AV-008`; nil for anything else.
    package init?(_ id: some StringProtocol) {
        guard id.hasPrefix("AV-"), let number = UInt16(id.dropFirst(3)),
            let vector = VectorNumber(number), vector.description == id
        else { return nil }
        self = vector
    }

    package static let readingLoad = VectorNumber(known: 31)
    package static let moduleLoad = VectorNumber(known: 64)
    package static let harmlessLoad = VectorNumber(known: 150)
    /// What the self-test's victim does itself: it writes (AV-086) and sends (AV-088) a value.
    package static let victimsLeaks = [VectorNumber(known: 86), VectorNumber(known: 88)]
}

/// A vector that a hook of the agent's programs knows.
package struct EnforcedVector: Sendable, Equatable {
    package let number: VectorNumber
    /// The event's type: one of the names that the catalogue gives.
    package let event: String
    /// What an enforcing policy does about it.
    package let usual: EnforcementAction
    /// Whether it is aimed at the machine and no single workload.
    package let isOnMachine: Bool

    private init(_ number: UInt16, _ event: String, _ usual: EnforcementAction, _ machine: Bool) {
        self.number = VectorNumber(known: number)
        self.event = event
        self.usual = usual
        isOnMachine = machine
    }

    private static func workload(
        _ event: String, _ usual: EnforcementAction, _ numbers: [UInt16]
    ) -> [EnforcedVector] {
        numbers.map { EnforcedVector($0, event, usual, false) }
    }

    private static func machine(
        _ event: String, _ usual: EnforcementAction, _ numbers: [UInt16]
    ) -> [EnforcedVector] {
        numbers.map { EnforcedVector($0, event, usual, true) }
    }

    /// In ascending order of number.
    package static let all: [EnforcedVector] =
        (workload("PTRACE_ATTACH", .deny, [1, 3])
        // crun executes in a container by a pidfd (docs/adr/0010); memory stays guarded.
        + workload("PTRACE_ATTACH", .detect, [16])
        + workload(
            "PROCMEM_READ", .deny,
            [4, 5, 6, 8, 9, 10, 11, 13, 14, 17, 18, 20, 46, 47, 49, 56])
        // The namespaces' tools and monitors look at these; no secret is in them.
        + workload("PROCMEM_READ", .detect, [15, 21])
        + workload("ENVIRON_READ", .deny, [44])
        + workload("PROCMEM_READ", .deny, [35, 43, 104])
        + workload("BPF_LOAD", .deny, [25, 27, 28])
        // What the workload itself lets out.
        + workload("SECRET_LEAK", .deny, [86, 87, 88, 89, 90, 91, 92, 101, 102, 106, 107])
        // Ways past every hook, closed where the kernel lets a system call be answered.
        + workload("SECRET_LEAK", .deny, [93, 94, 95])
        + machine("PROCMEM_READ", .deny, [12, 54, 58, 59, 71])
        + machine("PROCMEM_READ", .detect, [61, 62, 63, 70, 73, 74, 75, 79])
        + machine("BPF_LOAD", .deny, [26, 29, 30, 31, 33])
        // Asked for each program that reads kernel memory, harmless ones too.
        + machine("BPF_LOAD", .detect, [76, VectorNumber.harmlessLoad.rawValue])
        + machine("MODULE_LOAD", .detect, [64, 65])
        + machine("MODULE_LOAD", .deny, [68, 69])
        // On the agent itself.
        + machine(
            "GUARD_DENIED", .deny, [121, 122, 123, 124, 125, 126, 127, 129, 130, 131, 134]))
        .sorted { $0.number < $1.number }

    private static let byNumber = Dictionary(
        uniqueKeysWithValues: all.map { ($0.number, $0) })

    package static func of(_ number: VectorNumber) -> EnforcedVector? { byNumber[number] }
}
