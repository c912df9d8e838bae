// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Keeps what a component tells, and shows it to the taint oracle as the sinks `log` and
/// `termination-message`.
///
/// Fault classes: `telemetry.unavailable`, `telemetry.unwritable`.
package final class SimulatedTelemetry: Telemetry, @unchecked Sendable {
    /// Later records are judged and counted, and not kept.
    package static let recordsMax = 1000

    package private(set) var records: [TelemetryRecord] = []
    /// Records so far, kept or not.
    package private(set) var recordCount = 0
    package private(set) var terminationMessage: String?
    private unowned let run: SimulationRun
    private let component: String

    init(run: SimulationRun, component: String) {
        self.run = run
        self.component = component
    }

    package func record(_ record: TelemetryRecord) throws(TelemetryFailure) {
        recordCount += 1
        let fields = record.fields.map { " \($0.name)=\($0.value)" }.joined()
        let line = "\(record.severity.rawValue) \(record.name) \(record.message)\(fields)\n"
        run.report(SinkWritten(.log, principal: component, text: line))
        if run.faults.fires("telemetry.unavailable") { throw .unavailable }
        if records.count < Self.recordsMax { records.append(record) }
    }

    package func terminate(_ message: String) throws(TelemetryFailure) {
        run.report(SinkWritten(.terminationMessage, principal: component, text: message))
        if run.faults.fires("telemetry.unwritable") {
            // EROFS
            throw .unwritable(path: "/dev/termination-log", errorNumber: 30)
        }
        let bytes = message.utf8.prefix(terminationMessageBytesMax)
        terminationMessage = String(decoding: bytes, as: UTF8.self)
    }
}
