// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import EvidencePackage
import EvidenceSigning
import Foundation

struct EvidenceSeries: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "series", abstract: "Check that no report of a series is missing or changed.",
        discussion: """
            Examples:
              cloudtaser evidence series /series
              cloudtaser evidence series /series --public-key auditor.pub

            The folder is what `cloudtaser audit --series` has written. Without a public key
            only the chain is checked: whoever may write the folder can make all of it anew.
            \(Exit.help)
            """)

    @Argument(help: "Folder of the series.")
    var folder: String
    @Option(help: "PEM file of the public key; every report has to be signed by it.")
    var publicKey: String?

    func run() throws {
        let verifier = try publicKey.map { path throws -> PublicKeyVerifier in
            do { return try PublicKeyVerifier(path: path) } catch {
                throw OperationalError(description: "\(error)")
            }
        }
        let names = Set(try Folder.names(in: folder))
        let reports = try names.filter(ReportSeries.isReport).map { name in
            let envelope = name + ReportSeries.envelopeEnding
            return ReportSeries.Report(
                name: name, bytes: [UInt8](try Folder.data(at: "\(folder)/\(name)")),
                envelope: names.contains(envelope)
                    ? [UInt8](try Folder.data(at: "\(folder)/\(envelope)")) : nil)
        }
        let series = ReportSeries(reports, OpenSSLDigests(), verifier: verifier)
        guard series.faults.isEmpty else {
            throw Findings(description: series.faults.joined(separator: "\n"))
        }
        guard series.count > 0 else {
            throw OperationalError(description: "\(folder): no report is there")
        }
        print("\(series.count) reports, each bound to the one before it")
        if let first = series.beginsAfter {
            print("what is before is not there: the first follows \(first)")
        }
        print(verifier == nil ? "signatures were not checked" : "each is signed by the key")
    }
}
