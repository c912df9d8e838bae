// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compliance
import EvidencePackage
import EvidenceSigning
import Foundation

struct EvidencePackaging: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "package",
        abstract:
            "Put evidence for one use into a folder that an auditor can check and make again.",
        discussion: """
            Examples:
              cloudtaser evidence package --for dora --from 2026-10-01 --to 2026-12-31 \\
                --records build/evidence --out handover --key evidence-key.pem --sign
              cloudtaser evidence package --for soc2 --from 2026-01-01 --to 2026-12-31 \\
                --records records --audits audits --manual manual.json --out handover \\
                --scenario SC-3 --declared-by 'Data protection office'

            --for ropa (records of processing), nis2, dora, soa (Statement of Applicability)
            or soc2. Audits are what `cloudtaser audit -o json` prints, in files named
            \(AuditSnapshot.fileNameShape). See docs/reference/evidence-package.md.

            Ends with 3 when a test failed, with 4 when something is open, stale or not
            counted; the package is written then too. \(Exit.help)
            """)

    @OptionGroup var source: CatalogueOption
    @OptionGroup var period: EvidencePeriod
    @OptionGroup var key: EvidenceKeyOptions
    @Option(help: "Folder of records (*.json), also in folders below it.")
    var records: String
    @Option(help: "Folder of audits.")
    var audits: String?
    @Option(help: "What the organisation adds: see docs/reference/evidence-package.md.")
    var manual: String?
    @Option(help: "Folder to write; it must be empty or not there.")
    var out: String
    @Flag(help: "Replace a package that lies in the folder; other files there are never removed.")
    var force = false

    func run() throws {
        let signer = try key.signer()
        let catalogue = try source.checked()
        var sources = EvidenceSources()
        try sources.readRecords(in: records)
        if let audits { try sources.readAudits(in: audits) }
        if let manual { try sources.readManual(at: manual) }
        let sheet: EvidenceSheet
        var files: [PackageFile]
        do {
            sheet = try EvidenceSheet(
                request: try period.request(), publication: try source.publication(),
                catalogue: catalogue, records: sources.records, audits: sources.audits,
                auditsUnread: sources.auditsUnread, manual: sources.manual)
            let folder = try PackageFolder(
                sheet: sheet,
                sources: .init(
                    catalogue: try source.files(), manual: sources.manualFile,
                    attachments: sources.attachments),
                tool: "cloudtaser \(Version.version)", digests: OpenSSLDigests())
            files = folder.files
            if let signer {
                let envelope = try signer.envelope(folder.statement)
                files.append(
                    PackageFile(
                        path: PackageManifest.envelopeName, bytes: Array(envelope.text.utf8)))
            }
        } catch let error as PackageFailure {
            if case .scenarioUnknown = error { throw ValidationError("--scenario: \(error)") }
            throw OperationalError(description: error.description)
        }
        if let note = period.note(at: Int64(Date().timeIntervalSince1970)) { Terminal.error(note) }
        try PackageTarget(folder: out).write(files, replacing: force)
        try Terminal.print("wrote \(files.count) files to \(out)")
        try Terminal.print(signer.map { "signed with the key \($0.keyID)" } ?? "not signed")
        try Self.conclude(sheet)
    }

    private static func conclude(_ sheet: EvidenceSheet) throws {
        let result = TestStatement.result(of: sheet)
        try Terminal.print("result \(result.rawValue)")
        guard result != .failed else {
            throw Findings(
                description: sheet.tests.compactMap { test in
                    if case .failed = test.state {
                        "\(test.test.id): \(test.state.text)"
                    } else {
                        nil
                    }
                }.joined(separator: "\n"))
        }
        guard sheet.openPoints.isEmpty else {
            throw Incomplete(
                description: sheet.openPoints.map { "open: \($0)" }.joined(separator: "\n"))
        }
    }
}
