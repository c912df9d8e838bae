// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import EvidenceSigning
import Foundation
import KubernetesFormat
import Testing

@Suite("A series of reports")
struct ReportSeriesTests {
    private let digests = OpenSSLDigests()
    private let keys = FileManager.default.temporaryDirectory
        .appending(path: "series-\(UUID().uuidString)").path(percentEncoded: false)

    private func signer() throws -> (FileSigner, PublicKeyVerifier) {
        try FileManager.default.createDirectory(
            atPath: keys, withIntermediateDirectories: true)
        _ = try EvidenceKeyPair.make(.ed25519, in: keys)
        return (
            try FileSigner(path: "\(keys)/\(EvidenceKeyPair.privateName)"),
            try PublicKeyVerifier(path: "\(keys)/\(EvidenceKeyPair.publicName)")
        )
    }

    private func reports(_ count: Int, by signer: FileSigner? = nil) throws
        -> [ReportSeries.Report]
    {
        var made: [ReportSeries.Report] = []
        for day in 1...count {
            let name = ReportSeries.name(at: "2026-11-0\(day)T03:17:00Z")
            let report: JSONTree = [
                "apiVersion": "cloudtaser.io/v1alpha1", "kind": "Audit",
                "containers": [
                    "protected": 1, "unprotected": 0, "excluded": 0, "unreadable": 0, "total": 1,
                ], "findings": [],
                "series": ReportSeries.member(
                    after: made.last.map { ($0.name, $0.bytes) }, digests),
            ]
            let bytes = report.rendered()
            let envelope = try signer.map {
                try Envelope.signed(ReportSeries.statement(of: name, bytes, digests), by: $0)
            }
            made.append(
                ReportSeries.Report(
                    name: name, bytes: bytes, envelope: envelope.map { Array($0.text.utf8) }))
        }
        return made
    }

    private func faults(
        _ reports: [ReportSeries.Report], _ verifier: PublicKeyVerifier? = nil
    ) -> [String] { ReportSeries(reports, digests, verifier: verifier).faults }

    @Test("one after the other, in any order, is in order")
    func whole() throws {
        let all = try reports(3)
        #expect(faults(all.reversed()).isEmpty)
        #expect(all[0].name == "2026-11-01T031700Z.json")
        // Old ones may be removed: that shows as the beginning.
        let rest = ReportSeries(Array(all.dropFirst()), digests, verifier: nil)
        #expect(rest.faults.isEmpty && rest.beginsAfter == all[0].name && rest.count == 2)
    }

    @Test("one that is missing, changed or begins anew is named")
    func broken() throws {
        let all = try reports(4)
        #expect(
            faults([all[0], all[2], all[3]]) == [
                "\(all[2].name): follows \(all[1].name), which is missing"
            ])
        let text = String(decoding: all[1].bytes, as: UTF8.self)
        let changed = ReportSeries.Report(
            name: all[1].name,
            bytes: Array(text.replacing("[]", with: "[ ]").utf8), envelope: nil)
        #expect(
            faults([all[0], changed, all[2], all[3]])
                == ["\(all[1].name): was changed after \(all[2].name) was written"])
        let other = try reports(1)
        let anew = ReportSeries.Report(
            name: "2026-11-09T031700Z.json", bytes: other[0].bytes, envelope: nil)
        #expect(faults(all + [anew]) == ["\(anew.name): says that it is the first of its series"])
        let none = ReportSeries.Report(
            name: all[0].name, bytes: Array("{}".utf8), envelope: nil)
        #expect(faults([none]).count == 1)
    }

    @Test("a report that was taken away is missed by its signature, at the end too")
    func strays() throws {
        let all = try reports(3)
        func series(_ reports: [ReportSeries.Report], _ strays: [String]) -> ReportSeries {
            ReportSeries(reports, strays: strays, digests, verifier: nil)
        }
        let cut = series(Array(all.dropLast()), ["\(all[2].name).dsse"])
        #expect(cut.faults == ["\(all[2].name): is missing; its signature is there"])
        // Controls: one that was let go before the first; and with its signature it is not missed.
        let kept = series(Array(all.dropFirst()), ["\(all[0].name).dsse"])
        #expect(kept.faults.isEmpty && kept.last == all[2].name)
        let silent = series(Array(all.dropLast()), [])
        #expect(silent.faults.isEmpty && silent.last == all[1].name)
    }

    @Test("two series put together are not one")
    func joined() throws {
        let one = try reports(2)
        let link = ReportSeries.member(
            after: (name: "2026-11-02T031700Z.json", bytes: [0x7b, 0x7d]), digests)
        var tree = try JSONTree(one[1].bytes)
        tree["series"] = link
        let other = ReportSeries.Report(
            name: "2026-11-03T031700Z.json", bytes: tree.rendered(), envelope: nil)
        #expect(
            faults(one + [other]) == ["\(one[1].name): was changed after \(other.name) was written"]
        )
    }

    @Test("each is signed by the key, about this very report")
    func signed() throws {
        let (signer, verifier) = try signer()
        defer { try? FileManager.default.removeItem(atPath: keys) }
        let all = try reports(2, by: signer)
        #expect(faults(all, verifier).isEmpty)
        let bare = ReportSeries.Report(name: all[1].name, bytes: all[1].bytes, envelope: nil)
        #expect(faults([all[0], bare], verifier) == ["\(bare.name): is not signed"])
        let swapped = ReportSeries.Report(
            name: all[1].name, bytes: all[1].bytes, envelope: all[0].envelope)
        #expect(
            faults([all[0], swapped], verifier)
                == ["\(swapped.name): its signature is about something else"])
        let folder = keys + "-other"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        _ = try EvidenceKeyPair.make(.ed25519, in: folder)
        let stranger = try PublicKeyVerifier(path: "\(folder)/\(EvidenceKeyPair.publicName)")
        #expect(faults(all, stranger).count == 2)
    }
}
