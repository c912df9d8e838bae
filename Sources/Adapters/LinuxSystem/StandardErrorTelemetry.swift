// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Ports

/// Records as lines on standard error, and the termination message in a file that the
/// container's runtime made.
package struct StandardErrorTelemetry: Telemetry {
    private let program: String
    private let least: TelemetryRecord.Severity
    private let messageFile: String?

    /// - Parameters:
    ///   - program: stands before each line.
    ///   - least: less severe records are not written.
    ///   - messageFile: written to only where it exists; nil: no termination message.
    package init(
        program: String, least: TelemetryRecord.Severity = .notice, messageFile: String?
    ) {
        self.program = program
        self.least = least
        self.messageFile = messageFile
    }

    /// `program: message (name=value, …)`
    package mutating func record(_ record: TelemetryRecord) throws(TelemetryFailure) {
        guard Self.rank(record.severity) >= Self.rank(least) else { return }
        let fields = record.fields.map { "\($0.name)=\($0.value)" }.joined(separator: ", ")
        let tail = fields.isEmpty ? "" : " (\(fields))"
        let line = "\(program): \(record.message)\(tail)\n"
        guard WholeWrite.write(line, to: STDERR_FILENO) == 0 else { throw .unavailable }
    }

    package mutating func terminate(_ message: String) throws(TelemetryFailure) {
        guard let file = messageFile else { return }
        // Neither made, nor followed elsewhere, nor waited for: a message is no reason to do harm.
        let flags = O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        let descriptor = open(file, flags)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw .unwritable(path: file, errorNumber: errno)
        }
        defer { close(descriptor) }
        let refusal = WholeWrite.write(Self.shortened(message), to: descriptor)
        guard refusal == 0 else { throw .unwritable(path: file, errorNumber: refusal) }
    }

    /// Whole characters, at most as many bytes as Kubernetes keeps.
    private static func shortened(_ message: String) -> String {
        guard message.utf8.count > terminationMessageBytesMax else { return message }
        var short = ""
        var bytes = 0
        for character in message {
            bytes += character.utf8.count
            guard bytes <= terminationMessageBytesMax else { break }
            short.append(character)
        }
        return short
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
