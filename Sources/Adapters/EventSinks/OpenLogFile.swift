// SPDX-License-Identifier: Apache-2.0
internal import EnforcementEvents
internal import EventPorts
import Glibc

/// A log file that is open for appending, closed with its owner.
struct OpenLogFile: ~Copyable {
    private let descriptor: Int32
    private let device: dev_t
    private let inode: ino_t
    /// Bytes that are in whole lines.
    private(set) var size: Int

    /// Opens the file, or makes it with mode 0600. A part of a line at its end, left by a crash, is
    /// closed with a line feed, so that the next line stands alone.
    init(path: String) throws(EventSinkFailure) {
        let (made, status) = try Self.opened(path)
        descriptor = made
        device = status.st_dev
        inode = status.st_ino
        size = Int(status.st_size)
    }

    private static func opened(_ path: String) throws(EventSinkFailure) -> (Int32, stat) {
        let flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK
        let made = open(path, flags, 0o600)
        guard made >= 0 else { throw failure(errno, opening: true) }
        var status = stat()
        guard fstat(made, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(made)
            throw .unreachable(errorNumber: EINVAL)
        }
        var last: UInt8 = 0
        let isTorn =
            status.st_size > 0 && pread(made, &last, 1, status.st_size - 1) == 1
            && last != UInt8(ascii: "\n")
        if isTorn {
            var feed = UInt8(ascii: "\n")
            guard withBlockedSignal(SIGXFSZ, { write(made, &feed, 1) }) == 1 else {
                let failure = failure(errno, opening: true)
                close(made)
                throw failure
            }
            status.st_size += 1
        }
        return (made, status)
    }

    deinit { close(descriptor) }

    /// Appends all of `bytes` or nothing.
    mutating func append(_ bytes: [UInt8]) -> EventSinkFailure? {
        var offset = 0
        while offset < bytes.count {
            let written = withBlockedSignal(SIGXFSZ) {
                bytes[offset...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                let failure = Self.failure(written < 0 ? errno : EIO, opening: false)
                if offset > 0 { ftruncate(descriptor, off_t(size)) }
                return failure
            }
            offset += written
        }
        size += bytes.count
        return nil
    }

    func synchronize() -> EventSinkFailure? {
        fdatasync(descriptor) == 0 ? nil : Self.failure(errno, opening: false)
    }

    /// Whether `path` still names this file.
    func isStill(at path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_dev == device && status.st_ino == inode
    }

    private static func failure(_ errorNumber: Int32, opening: Bool) -> EventSinkFailure {
        switch errorNumber {
        case ENOSPC, EDQUOT, EFBIG: .full(errorNumber: errorNumber)
        default:
            opening ? .unreachable(errorNumber: errorNumber) : .broken(errorNumber: errorNumber)
        }
    }

    // MARK: - The last line

    static func end(path: String) -> EventLogEnd {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else {
            return EventLogEnd(errorNumber: errno == ENOENT ? nil : errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return EventLogEnd(errorNumber: EINVAL)
        }
        // A whole line, and a torn one behind it.
        let count = min(Int(status.st_size), 2 * (EventLimits.encodedLineBytesMax + 1) + 1)
        var tail = [UInt8](repeating: 0, count: count)
        guard pread(descriptor, &tail, count, status.st_size - off_t(count)) == count else {
            return EventLogEnd(errorNumber: errno)
        }
        let lines = tail.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
            .map { Array($0) }
        var end = EventLogEnd()
        var torn: [[UInt8]] = []
        for line in lines.reversed() {
            end.link = EventLink(ofLine: EventEncoding.chainLine(in: line))
            guard end.link == nil else { break }
            torn.append(line)
        }
        // The first of them may have begun before what was read.
        if end.link == nil, count < Int(status.st_size) { _ = torn.popLast() }
        end.torn = Array(torn.prefix(EventLogEnd.tornMax).reversed())
        return end
    }
}
