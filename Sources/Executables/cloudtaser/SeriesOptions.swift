// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CurlHTTP
import EvidencePackage
import EvidenceSigning
import Foundation
import InspectionPorts
import KubernetesFormat
import Reporting

/// Where an audit's report goes beside its output: a series, and metrics.
struct SeriesOptions: ParsableArguments {
    @Option(help: "Folder of dated reports, each bound to the one before; one more is written.")
    var series: String?
    @Option(help: "Reports of the series that are kept; default: all.")
    var keep: Int?
    @Option(help: "PEM file of an Ed25519 or P-256 private key that signs the report.")
    var signingKey: String?
    @Option(help: "Write the counts for Prometheus to this file, too.")
    var metricsFile: String?
    @Option(help: "Push them to this Pushgateway, http://host:9091 or https.")
    var pushURL: String?

    func validate() throws {
        guard series != nil || keep == nil && signingKey == nil else {
            throw ValidationError("--keep and --signing-key are for --series DIR: add it")
        }
        guard keep.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--keep is a number from 1")
        }
    }

    /// Adds a report to the series.
    ///
    /// - Parameter time: RFC 3339 in UTC.
    func write(_ report: @autoclosure () -> JSONTree, at time: String) throws {
        guard let series else { return }
        try Folder.make(series)
        try FolderLock.holding(series) { try write(report(), at: time, in: series) }
    }

    private func write(_ report: JSONTree, at time: String, in series: String) throws {
        let digests = OpenSSLDigests()
        let names = try Folder.names(in: series).filter(ReportSeries.isReport).sorted()
        let name = ReportSeries.name(at: time)
        guard names.last.map({ $0 < name }) ?? true else {
            throw OperationalError(
                description: "\(series): has a report of \(names.last ?? "") already; "
                    + "the clock went back, or two audits write to one series")
        }
        let last = try names.last.map {
            (name: $0, bytes: [UInt8](try Folder.data(at: "\(series)/\($0)")))
        }
        var report = report
        report["series"] = ReportSeries.member(after: last, digests)
        let bytes = report.rendered()
        let envelope = try signingKey.map { path in
            try Self.envelope(of: name, bytes, key: path, digests)
        }
        // The signature first: a report without one would be a fault.
        if let envelope {
            try Folder.write(envelope, to: "\(series)/\(name)\(ReportSeries.envelopeEnding)")
        }
        try Folder.write(String(decoding: bytes, as: UTF8.self), to: "\(series)/\(name)")
        if let keep { try remove(names.dropLast(keep - 1), in: series) }
    }

    private func remove(_ names: ArraySlice<String>, in series: String) throws {
        for name in names {
            for file in [name, name + ReportSeries.envelopeEnding] {
                let path = "\(series)/\(file)"
                guard FileManager.default.fileExists(atPath: path) else { continue }
                do { try FileManager.default.removeItem(atPath: path) } catch {
                    throw OperationalError(description: "\(path): cannot be removed")
                }
            }
        }
    }

    private static func envelope(
        of name: String, _ bytes: [UInt8], key: String, _ digests: OpenSSLDigests
    ) throws -> String {
        do {
            let payload = ReportSeries.statement(of: name, bytes, digests)
            return try Envelope.signed(payload, by: try FileSigner(path: key)).text
        } catch { throw OperationalError(description: "\(error)") }
    }

    func publish(_ metrics: String) throws {
        if let metricsFile { try Folder.write(metrics, to: metricsFile) }
        guard let pushURL else { return }
        do {
            try Blocking.run {
                try await CurlMetricsPush().push(metrics, to: pushURL, job: "cloudtaser_audit")
            }
        } catch let failure as MetricsPushFailure {
            throw OperationalError(
                description: "\(AuditRun.withoutUser(pushURL)): \(failure.reason)")
        }
    }
}
