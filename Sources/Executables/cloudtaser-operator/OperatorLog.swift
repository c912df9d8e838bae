// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import Synchronization

/// Lines of JSON on standard error. Never an object of the cluster, a token or a key.
final class OperatorLog: Sendable {
    private let clock: any TimeSource & Sendable
    /// What was last said of each place that fails again and again.
    private let lastFailures = Mutex<[String: String]>([:])

    init(clock: any TimeSource & Sendable) { self.clock = clock }

    func write(_ record: TelemetryRecord) {
        var members: [JSONTree.Member] = [
            .init("time", .string(WallClockText.microseconds(clock.nanosecondsSince1970()))),
            .init("severity", .string(record.severity.rawValue)),
            .init("event", .string(record.name)), .init("message", .string(record.message)),
        ]
        members += record.fields.map { .init($0.name, .string($0.value)) }
        let line = JSONTree.object(members).rendered() + [UInt8(ascii: "\n")]
        FileHandle.standardError.write(Data(line))
    }

    func write(
        _ severity: TelemetryRecord.Severity, _ name: String, _ message: String,
        _ fields: [(String, String)] = []
    ) {
        write(
            TelemetryRecord(
                severity, name, message,
                fields: fields.map { TelemetryRecord.Field($0.0, $0.1) }))
    }

    /// Only when it differs from what was said before of this place.
    func failure(_ place: String, _ failure: KubernetesFailure) {
        let text = "\(failure)"
        let isNew = lastFailures.withLock { $0.updateValue(text, forKey: place) != text }
        guard isNew else { return }
        write(.warning, "cluster_unreadable", "\(place): \(text)")
    }

    func refused(_ report: AdmissionReport) {
        write(
            .notice, "pod_refused", report.reason,
            [
                ("uid", report.uid), ("namespace", report.namespace),
                ("webhook", report.purpose.rawValue), ("dryRun", String(report.isDryRun)),
            ])
    }
}
