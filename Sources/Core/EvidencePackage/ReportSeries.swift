// SPDX-License-Identifier: Apache-2.0
internal import Compliance
package import KubernetesFormat

/// A series of audit reports: each names the one before it and its digest, so that one that is
/// missing or was changed is seen.
///
/// Files of a folder: `2026-11-27T031700Z.json` (`AuditSnapshot.fileNameShape`), and beside it
/// `….json.dsse`, an envelope over its digest, where reports are signed.
package struct ReportSeries: Sendable {
    package static let envelopeEnding = ".dsse"

    /// A member of a report: what it follows.
    package struct Link: Sendable, Equatable {
        package let file: String
        package let sha256: String
    }

    package struct Report: Sendable {
        package let name: String
        package let bytes: [UInt8]
        /// Of its envelope; nil: there is none.
        package let envelope: [UInt8]?

        package init(name: String, bytes: [UInt8], envelope: [UInt8]?) {
            self.name = name
            self.bytes = bytes
            self.envelope = envelope
        }
    }

    /// `2026-11-27T03:17:00Z` as a file's name.
    package static func name(at time: String) -> String {
        time.filter { $0 != ":" } + ".json"
    }

    /// Whether a file of the folder is a report.
    package static func isReport(_ name: String) -> Bool {
        name.hasSuffix(".json") && EvidenceTime(String(name.dropLast(".json".count))) != nil
    }

    /// What a report after `last` says of it; null for the first.
    package static func member(
        after last: (name: String, bytes: [UInt8])?, _ digests: some EvidenceDigests
    ) -> JSONTree {
        guard let last else { return ["previous": .null] }
        return [
            "previous": [
                "file": .string(last.name), "sha256": .string(digests.sha256Text(last.bytes)),
            ]
        ]
    }

    /// An in-toto statement about one report: that it is what was written.
    package static func statement(
        of name: String, _ bytes: [UInt8], _ digests: some EvidenceDigests
    ) -> [UInt8] {
        let tree: JSONTree = [
            "_type": .string(TestStatement.type),
            "subject": [
                [
                    "name": .string(name),
                    "digest": ["sha256": .string(digests.sha256Text(bytes))],
                ]
            ],
            "predicateType": "https://cloudtaser.io/attestation/audit-report/v1",
            "predicate": [:],
        ]
        return tree.rendered()
    }

    // MARK: - Verification

    /// What is wrong, a line for each; empty: nothing. The first report may follow one that was
    /// removed: that is told by `beginsAfter`.
    package let faults: [String]
    package let count: Int
    /// Whether others came after it and were taken away, nothing in the folder tells.
    package let last: String?
    /// What the first one follows; nil: it is the first of all.
    package let beginsAfter: String?

    /// - Parameters:
    ///   - reports: in any order.
    ///   - strays: names of envelopes whose report is not there.
    ///   - verifier: nil: signatures are not looked at.
    package init(
        _ reports: [Report], strays: [String] = [], _ digests: some EvidenceDigests,
        verifier: (any StatementVerifier)?
    ) {
        let sorted = reports.sorted { $0.name < $1.name }
        var faults: [String] = []
        var before: Report?
        var beginning: String?
        for report in sorted {
            let link: Link?
            do throws(PackageFailure) {
                link = try Self.link(of: report)
                faults += Self.chainFaults(report, link, before, digests)
            } catch {
                link = nil
                faults.append("\(report.name): \(error)")
            }
            if before == nil { beginning = link?.file }
            if let verifier { faults += Self.signatureFaults(report, verifier, digests) }
            before = report
        }
        // Of reports that were let go, with --keep, an envelope may be left; not of a later one.
        let first = sorted.first?.name ?? ""
        for stray in strays.sorted() where stray > first {
            let name = stray.dropLast(Self.envelopeEnding.count)
            faults.append("\(name): is missing; its signature is there")
        }
        self.faults = faults
        count = sorted.count
        last = sorted.last?.name
        beginsAfter = beginning
    }

    private static func link(of report: Report) throws(PackageFailure) -> Link? {
        _ = try AuditSnapshot(name: report.name, bytes: report.bytes)
        let tree = try PackageInput.tree(report.bytes, report.name)
        guard let previous = tree.value(at: "series", "previous") else {
            throw .inputMalformed(file: report.name, detail: "is no report of a series")
        }
        guard previous.members != nil else { return nil }
        guard let file = previous["file"]?.text, let digest = previous["sha256"]?.text else {
            throw .inputMalformed(file: report.name, detail: "'series.previous' is incomplete")
        }
        return Link(file: file, sha256: digest)
    }

    private static func chainFaults(
        _ report: Report, _ link: Link?, _ before: Report?, _ digests: some EvidenceDigests
    ) -> [String] {
        guard let before else { return [] }
        guard let link else { return ["\(report.name): says that it is the first of its series"] }
        guard link.file == before.name else {
            return ["\(report.name): follows \(link.file), which is missing"]
        }
        return link.sha256 == digests.sha256Text(before.bytes)
            ? [] : ["\(before.name): was changed after \(report.name) was written"]
    }

    private static func signatureFaults(
        _ report: Report, _ verifier: any StatementVerifier, _ digests: some EvidenceDigests
    ) -> [String] {
        guard let bytes = report.envelope else { return ["\(report.name): is not signed"] }
        guard let envelope = try? Envelope(json: bytes),
            envelope.payload == statement(of: report.name, report.bytes, digests)
        else { return ["\(report.name): its signature is about something else"] }
        let message = Envelope.encoded(envelope.payload)
        let isSigned = envelope.signatures.contains { verifier.isValid($0.bytes, of: message) }
        return isSigned ? [] : ["\(report.name): no signature of this key"]
    }
}
