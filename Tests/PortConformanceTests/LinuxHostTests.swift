// SPDX-License-Identifier: Apache-2.0
import Delivery
import HostConformance
import TestKit
import Testing

@Suite("ProcessHost: the Linux kernel")
struct LinuxHostTests {
    @Test(
        "tells what the suite expects", arguments: HostCase.all.indices, DeliveryMode.allCases)
    func conforms(_ number: Int, _ delivery: DeliveryMode) throws {
        let run = try ProgramRun(
            "host-conformance", [delivery.rawValue, String(number)],
            environment: ["PATH": "/usr/bin:/bin"])
        let lines = run.output.split(separator: "\n").map(String.init)
        if delivery != .environ, lines.contains(where: { $0.hasPrefix("refused ") }) {
            // A host that grants no ptrace or memfd_secret runs no program at all.
            #expect(!lines.contains { $0.hasPrefix("programEnded") })
            return
        }
        let one = HostCase.all[number]
        #expect(lines == one.expected, "\(one.description): \(run.errors)")
    }
}
