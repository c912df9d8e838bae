// SPDX-License-Identifier: Apache-2.0
import Compliance
import Foundation
import TestKit
import Testing

/// `e2e/evidence.py` and `vm-tests/results.py`: what they write is what is read here.
@Suite("The writers of records in Python") struct EvidenceWriterTests {
    /// Runs a test method with the decorator; `body` is what it does.
    private static func record(of body: String) throws -> EvidenceRecord {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = """
            import sys, unittest
            sys.path[:0] = [\"\(Checkout.root)e2e\", \"\(Checkout.root)vm-tests\"]
            import evidence

            class Case(unittest.TestCase):
                @evidence.evidence("T-1", "a control")
                def test(self):
                    "it was seen"
                    \(body)

            unittest.TextTestRunner().run(Case("test"))
            evidence.write()
            """
        let run = try ProgramRun(
            path: "/usr/bin/env", ["python3", "-B", "-c", script],
            environment: [
                "PATH": "/usr/bin:/bin",
                "CLOUDTASER_EVIDENCE_DIR": folder.path(percentEncoded: false),
            ])
        let name = "T-1@\(Checkout.kernelRelease).json"
        let json = try #require(
            try? Data(contentsOf: folder.appending(path: name)), "\(run.errors)")
        return try EvidenceRecord(json: json, file: name)
    }

    @Test("a test that sees its control pass leaves a passing record that says when it began")
    func passes() throws {
        let before = Int64(Date.now.timeIntervalSince1970)
        let record = try Self.record(of: "self.control(); self.measured('in 3 ms')")
        #expect(record.result == .pass)
        #expect(record.positiveControl == .init(description: "a control", result: .pass))
        #expect(record.observation == "it was seen; in 3 ms")
        #expect(record.commit == Checkout.current.commit)
        let started = try #require(record.started.flatMap(EvidenceTime.init(rfc3339:)))
        #expect((before...before + 600).contains(started.seconds))
    }

    @Test(
        "a failure, and a control that was not looked at, leave a failing record",
        arguments: ["self.control(); self.fail()", "pass"])
    func fails(body: String) throws {
        #expect(try Self.record(of: body).result == .fail)
    }

    @Test("without git nothing is known of the tree, and it counts as changed")
    func noCheckout() throws {
        let script = """
            import sys
            sys.path[:0] = [\"\(Checkout.root)vm-tests\"]
            import results
            results.ROOT = "/proc"
            print(*results.checkout())
            """
        let run = try ProgramRun(
            path: "/usr/bin/env", ["python3", "-B", "-c", script],
            environment: ["PATH": "/usr/bin:/bin"])
        #expect(run.output == "unknown True\n", "\(run.errors)")
    }

    @Test("a boot's record says when the boot began; of several, the first")
    func boots() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = """
            import sys
            from types import SimpleNamespace
            sys.path[:0] = [\"\(Checkout.root)vm-tests\"]
            import results

            def run(started):
                case = {"id": "VM-MEM-01", "name": "host", "passed": True, "observation": "EFAULT",
                        "control": "a control", "controlPassed": True}
                return SimpleNamespace(
                    facts={"release": "6.1", "memfdSecret": "available"}, cases=[case],
                    boot={"parameters": []}, started=f"2026-11-27T{started}Z")

            results.write_evidence([run("12:00:00"), run("11:00:00")], sys.argv[1])
            """
        let run = try ProgramRun(
            path: "/usr/bin/env",
            ["python3", "-B", "-c", script, folder.path(percentEncoded: false)],
            environment: ["PATH": "/usr/bin:/bin"])
        let json = try #require(
            try? Data(contentsOf: folder.appending(path: "VM-MEM-01@6.1.json")), "\(run.errors)")
        let record = try EvidenceRecord(json: json, file: "VM-MEM-01@6.1.json")
        #expect(record.result == .pass && record.started == "2026-11-27T11:00:00Z")
    }
}
