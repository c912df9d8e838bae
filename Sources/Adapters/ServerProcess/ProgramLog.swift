// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KubernetesFormat
package import Ports
internal import Synchronization

/// Lines of JSON on standard error. Never a credential, a key, or an object of the cluster or of a
/// store.
package final class ProgramLog: Sendable {
    private let clock: any TimeSource & Sendable
    private let least: TelemetryRecord.Severity
    /// What was last said of each place that fails again and again.
    private let lastFailures = Mutex<[String: String]>([:])

    /// - Parameter least: what weighs less is not written.
    package init(
        clock: any TimeSource & Sendable, least: TelemetryRecord.Severity = .debug
    ) {
        self.clock = clock
        self.least = least
    }

    package func write(_ record: TelemetryRecord) {
        guard Self.rank(record.severity) >= Self.rank(least) else { return }
        FileHandle.standardError.write(
            Data(Self.line(record, at: clock.nanosecondsSince1970())))
    }

    package func write(
        _ severity: TelemetryRecord.Severity, _ name: String, _ message: String,
        _ fields: [(String, String)] = []
    ) {
        write(
            TelemetryRecord(
                severity, name, message,
                fields: fields.map { TelemetryRecord.Field($0.0, $0.1) }))
    }

    /// Whether it differs from what was said before of this place.
    package func isNews(_ failure: String, of place: String) -> Bool {
        lastFailures.withLock { $0.updateValue(failure, forKey: place) != failure }
    }

    /// The place is well again.
    ///
    /// - Returns: whether it was not.
    package func endsFailure(of place: String) -> Bool {
        lastFailures.withLock { $0.removeValue(forKey: place) != nil }
    }

    package static func line(_ record: TelemetryRecord, at nanoseconds: UInt64) -> [UInt8] {
        var members: [JSONTree.Member] = [
            .init("time", .string(WallClockText.microseconds(nanoseconds))),
            .init("severity", .string(record.severity.rawValue)),
            .init("event", .string(record.name)), .init("message", .string(record.message)),
        ]
        members += record.fields.map { .init($0.name, .string($0.value)) }
        return JSONTree.object(members).rendered() + [UInt8(ascii: "\n")]
    }

    private static func rank(_ severity: TelemetryRecord.Severity) -> Int {
        switch severity {
        case .debug: 0
        case .notice: 1
        case .warning: 2
        case .error: 3
        }
    }
}
