// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import EventPorts
import Glibc

/// Lines in a file that is rotated: `PATH`, then `PATH.1` (the newest) to `PATH.N`.
///
/// A line that finds no room is taken back whole, so that the file always ends with a whole line;
/// the line comes again until there is room, and what the queue cannot hold meanwhile is counted.
package struct FileEventSink: EventSink, ~Copyable {
    package enum Synchronization: Sendable, Equatable {
        /// The kernel writes when it likes: a crash of the machine may lose the last seconds.
        case never
        /// fdatasync(2) after each batch.
        case eachBatch
    }

    package struct Settings: Sendable, Equatable {
        package var path: String
        /// A file that would grow beyond this is rotated first (bytes).
        package var bytesMax: Int
        /// Rotated files that are kept; 0: the file is emptied by starting anew.
        package var filesKept: Int
        package var synchronization: Synchronization
        package var encoding: EventEncoding

        package init(
            path: String, bytesMax: Int = 64 << 20, filesKept: Int = 8,
            synchronization: Synchronization = .eachBatch, encoding: EventEncoding = .native
        ) {
            self.path = path
            self.bytesMax = bytesMax
            self.filesKept = filesKept
            self.synchronization = synchronization
            self.encoding = encoding
        }
    }

    package let name: String
    package let batchLinesMax = 512
    package let batchBytesMax = 512 << 10
    private let settings: Settings
    private var file: OpenLogFile?

    package init(name: String = "file", settings: Settings) {
        self.name = name
        self.settings = settings
    }

    package mutating func deliver(_ lines: [EventLine]) -> EventDelivery {
        for (index, line) in lines.enumerated() {
            if let failure = append(line.bytes(as: settings.encoding) + [UInt8(ascii: "\n")]) {
                return EventDelivery(taken: index, failure: synchronize() ?? failure)
            }
        }
        // The lines are in the file; that they may not be on the disk is worth saying, not a
        // reason to write them twice.
        return EventDelivery(taken: lines.count, failure: synchronize())
    }

    private mutating func append(_ bytes: [UInt8]) -> EventSinkFailure? {
        do throws(EventSinkFailure) {
            // Somebody else may have moved the file away (logrotate) or removed it.
            if file?.isStill(at: settings.path) == false { file = nil }
            if file == nil { file = try OpenLogFile(path: settings.path) }
            if let size = file?.size, size > 0, size + bytes.count > settings.bytesMax {
                try rotate()
            }
            return file?.append(bytes)
        } catch {
            return error
        }
    }

    private mutating func rotate() throws(EventSinkFailure) {
        _ = synchronize()
        file = nil
        var number = settings.filesKept
        while number > 1 {
            try Self.move("\(settings.path).\(number - 1)", to: "\(settings.path).\(number)")
            number -= 1
        }
        if settings.filesKept > 0 {
            try Self.move(settings.path, to: settings.path + ".1")
        } else if unlink(settings.path) != 0, errno != ENOENT {
            throw .broken(errorNumber: errno)
        }
        file = try OpenLogFile(path: settings.path)
    }

    private static func move(_ path: String, to target: String) throws(EventSinkFailure) {
        guard rename(path, target) == 0 || errno == ENOENT else {
            throw .broken(errorNumber: errno)
        }
    }

    private func synchronize() -> EventSinkFailure? {
        guard settings.synchronization == .eachBatch else { return nil }
        return file?.synchronize()
    }

    /// How the file ends or, when it has no whole line, the one rotated last: where a chain goes on
    /// after a restart.
    package static func end(path: String) -> EventLogEnd {
        var end = OpenLogFile.end(path: path)
        guard end.link == nil else { return end }
        let rotated = OpenLogFile.end(path: path + ".1")
        end.link = rotated.link
        if end.torn.isEmpty { end.torn = rotated.torn }
        return end
    }
}
