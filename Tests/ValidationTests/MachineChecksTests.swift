// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import Testing
import Validation

@Suite("Checks of a machine") struct MachineChecksTests {
    private let good = MachineFacts(
        release: "6.8.0", secretMemory: .available, securityModules: "lockdown,capability,bpf",
        hasTypeFormat: true, lockedBytesMax: nil)

    private func states(
        isNode: Bool = true, _ change: (inout MachineFacts) -> Void
    ) -> [String: Check.State] {
        var facts = good
        change(&facts)
        let checks = MachineChecks(facts, isNode: isNode).checks
        return Dictionary(uniqueKeysWithValues: checks.map { ($0.name, $0.state) })
    }

    @Test func `a good machine has nothing to mend`() {
        let checks = MachineChecks(good, isNode: true).checks
        #expect(checks.count == 5 && checks.allSatisfy { $0.state == .ok && $0.fix.isEmpty })
    }

    @Test func `what lacks fails on a node and is a warning elsewhere`() {
        let changes: [(String, (inout MachineFacts) -> Void)] = [
            ("kernel", { $0.release = "5.10.0" }),
            ("memfd_secret", { $0.secretMemory = .refused("memfd_secret: not implemented") }),
            ("BPF LSM", { $0.securityModules = "lockdown,bpfilter" }),
            ("BTF", { $0.hasTypeFormat = false }),
            ("RLIMIT_MEMLOCK", { $0.lockedBytesMax = MachineChecks.lockedBytesMin - 1 }),
        ]
        for (name, change) in changes {
            let strict = states(change)
            #expect(strict[name] == .fails && strict.values.count { $0 != .ok } == 1, "\(name)")
            let lenient = states(isNode: false, change)
            #expect(lenient[name] == .warning && !lenient.values.contains(.fails), "\(name)")
        }
        #expect(
            states { $0.lockedBytesMax = MachineChecks.lockedBytesMin }.values
                .allSatisfy { $0 == .ok })
    }

    @Test func `what cannot be read is not checked`() {
        #expect(states { $0.securityModules = nil }["BPF LSM"] == .notChecked)
        #expect(states { $0.release = "" }["kernel"] == .notChecked)
    }

    @Test func `the list counts, and neutralises what others wrote`() {
        let list = CheckList([
            Check("a", .ok, "\u{1B}[2J"), Check("b", .fails, "broken", fix: "mend it"),
        ])
        #expect(!list.text.contains("\u{1B}"))
        #expect(list.text.contains("fix: mend it"))
        #expect(list.text.hasSuffix("1 ok, 0 warning, 1 fails, 0 not checked"))
        #expect(list.json["summary"]?["fails"]?.wholeNumber == 1)
        #expect(list.has(.fails) && !list.has(.warning))
    }
}
