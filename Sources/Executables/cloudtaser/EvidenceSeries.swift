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
            Nothing in the folder tells that the last reports were taken away together with
            their signatures: compare the last one with the day, or with what was seen before.
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
        let strays = names.filter { name in
            guard name.hasSuffix(ReportSeries.envelopeEnding) else { return false }
            let report = String(name.dropLast(ReportSeries.envelopeEnding.count))
            return ReportSeries.isReport(report) && !names.contains(report)
        }
        let series = ReportSeries(
            reports, strays: Array(strays), OpenSSLDigests(), verifier: verifier)
        guard series.faults.isEmpty else {
            throw Findings(description: series.faults.joined(separator: "\n"))
        }
        guard series.count > 0 else {
            throw OperationalError(description: "\(folder): no report is there")
        }
        try Terminal.print("\(series.count) reports, each bound to the one before it")
        if let first = series.beginsAfter {
            try Terminal.print("what is before is not there: the first follows \(first)")
        }
        if let last = series.last {
            try Terminal.print("the last is \(last); later ones would not be missed")
        }
        try Terminal.print(
            verifier == nil ? "signatures were not checked" : "each is signed by the key")
    }
}
