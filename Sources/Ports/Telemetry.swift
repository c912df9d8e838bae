// SPDX-License-Identifier: Apache-2.0

/// One thing worth telling an operator.
package struct TelemetryRecord: Sendable, Equatable {
    package enum Severity: String, Sendable, CaseIterable { case debug, notice, warning, error }

    package var severity: Severity
    /// Stable, machine-readable: `lease_renewed`.
    package var name: String
    /// One sentence for people. Never holds a value, a token or a header.
    package var message: String
    /// Further facts, in order; names are stable.
    package var fields: [Field]

    package struct Field: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        _ severity: Severity, _ name: String, _ message: String, fields: [Field] = []
    ) {
        self.severity = severity
        self.name = name
        self.message = message
        self.fields = fields
    }
}

/// Why something could not be told.
package enum TelemetryFailure: Error, Sendable, Equatable {
    /// Nobody takes records at the moment; the record is lost and counted by the caller.
    case unavailable
    /// The termination message's file cannot be written.
    case unwritable(path: String, errorNumber: Int32)
}

/// Where records go: standard error, a log, a collector.
///
/// Contract:
/// - Recording never blocks for longer than a write to a pipe does.
/// - A failure changes nothing about what the caller does next: telemetry never decides.
/// - `terminate` replaces the message that the container's runtime reports (Kubernetes:
///   terminationMessagePath), at most `terminationMessageBytesMax` bytes.
package protocol Telemetry: ~Copyable {
    mutating func record(_ record: TelemetryRecord) throws(TelemetryFailure)
    mutating func terminate(_ message: String) throws(TelemetryFailure)
}

/// Kubernetes keeps so much of a container's termination message (bytes).
package let terminationMessageBytesMax = 4096
