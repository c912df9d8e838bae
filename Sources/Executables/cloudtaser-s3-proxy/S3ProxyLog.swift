// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import Ports
import S3Format
import S3Proxy
import S3ProxyConfiguration
import Synchronization

/// Lines of JSON on standard error. Never a credential, a key or an object's bytes.
final class S3ProxyLog: Sendable {
    private let clock: any TimeSource & Sendable
    private let level: S3ProxySettings.LogLevel
    /// What was last said of each place that fails again and again.
    private let lastFailures = Mutex<[String: String]>([:])

    init(clock: any TimeSource & Sendable, level: S3ProxySettings.LogLevel) {
        self.clock = clock
        self.level = level
    }

    func write(
        _ severity: TelemetryRecord.Severity, _ name: String, _ message: String,
        _ fields: [(String, String)] = []
    ) {
        guard rank(severity) >= leastRank else { return }
        var members: [JSONTree.Member] = [
            .init("time", .string(WallClockText.microseconds(clock.nanosecondsSince1970()))),
            .init("severity", .string(severity.rawValue)), .init("event", .string(name)),
            .init("message", .string(message)),
        ]
        members += fields.map { .init($0.0, .string($0.1)) }
        let line = JSONTree.object(members).rendered() + [UInt8(ascii: "\n")]
        FileHandle.standardError.write(Data(line))
    }

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
        let isNew = lastFailures.withLock { $0.updateValue(text, forKey: place) != text }
        if isNew { write(.warning, "\(place)_failed", text) }
    }

    /// The place is well again; said only after a failure.
    func recovery(_ place: String, _ text: String) {
        let wasFailing = lastFailures.withLock { $0.removeValue(forKey: place) != nil }
        if wasFailing { write(.notice, "\(place)_recovered", text) }
    }

    private func rank(_ severity: TelemetryRecord.Severity) -> Int {
        switch severity {
        case .debug: 0
        case .notice: 1
        case .warning: 2
        case .error: 3
        }
    }

    private var leastRank: Int {
        switch level {
        case .debug: 0
        case .notice: 1
        case .warning: 2
        case .error: 3
        }
    }
}
