// SPDX-License-Identifier: Apache-2.0
import AgentPrivileges
import Glibc
import TestKit
import Testing

@Suite struct `The agent's privileges` {
    @Test func `are, once reduced, what the kernel shows for the listed ones and no others`()
        throws
    {
        #expect(geteuid() == 0, "only root has something to give up")
        let run = try ProgramRun("agent-probe", ["privileges"], environment: [:])
        #expect(run.status == 0, "\(run)")
        let lines = run.output.split(separator: "\n").map(String.init)
        let mask = AgentPrivileges.kept.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        let digits = String(mask, radix: 16)
        let kept = String(repeating: "0", count: 16 - digits.count) + digits
        let none = String(repeating: "0", count: 16)
        #expect(kept == "000000c000000000")
        // Control: there was more before, and no lock on it.
        let before = lines.first { $0.hasPrefix("before CapEff") }
        #expect(before != nil && before?.hasSuffix(kept) == false)
        #expect(lines.contains("before NoNewPrivs:\t0"))
        for (name, value) in [
            ("CapEff", kept), ("CapPrm", kept), ("CapInh", none), ("CapAmb", none),
            ("NoNewPrivs", "1"),
        ] {
            #expect(lines.contains("after \(name):\t\(value)"), "\(lines)")
        }
        #expect(lines.contains("setuid refused"))
        #expect(lines.last == "CapEff:\t\(kept)", "after an exec")
    }
}
