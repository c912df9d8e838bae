// SPDX-License-Identifier: Apache-2.0
import Ports
import S3Format
import S3Proxy
import S3ProxyConfiguration
import ServerProcess

extension S3ProxySettings.LogLevel {
    var severity: TelemetryRecord.Severity {
        switch self {
        case .debug: .debug
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}

extension ProgramLog {
    /// What became of a request: what went well is said at the lowest level only.
    func request(_ report: S3ProxyReport) {
        var fields = [
            ("requestId", report.requestID), ("from", report.remoteAddress),
            ("operation", report.operation?.rawValue ?? "unknown"),
            ("code", report.code ?? "ok"),
            ("milliseconds", String(report.took / .milliseconds(1))),
        ]
        if let cause = report.cause { fields.append(("cause", cause)) }
        let severity: TelemetryRecord.Severity =
            report.code == nil ? .debug : report.isOurs ? .warning : .notice
        write(severity, "request", report.code == nil ? "done" : "not done", fields)
    }

    /// Only when it differs from what was said before of this place.
    func failure(_ place: String, _ text: String) {
        if isNews(text, of: place) { write(.warning, "\(place)_failed", text) }
    }

    /// The place is well again; said only after a failure.
    func recovery(_ place: String, _ text: String) {
        if endsFailure(of: place) { write(.notice, "\(place)_recovered", text) }
    }
}
