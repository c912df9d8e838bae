// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Reads and writes key files.
enum KeyFile {
    /// A PEM file of a key has a few hundred bytes; comments may stand before it.
    static let bytesMax = 16 << 10

    /// - Parameter isPrivate: nobody but its owner may read it then.
    static func read(_ path: String, isPrivate: Bool) throws(SigningFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .keyUnreadable(path: path, errorNumber: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .keyUnreadable(path: path, errorNumber: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= bytesMax else {
            throw .keyUnsuitable(path: path)
        }
        let isOwn = status.st_uid == geteuid() || status.st_uid == 0
        guard !isPrivate || (isOwn && status.st_mode & 0o077 == 0) else {
            throw .keyExposed(path: path)
        }
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(
                    descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .keyUnreadable(path: path, errorNumber: errno) }
            guard got > 0 else { break }
            count += got
        }
        return Array(bytes[..<count])
    }

    /// Makes a new file; one that is there stays.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(SigningFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw .keyNotWritten(path: path, errorNumber: errno) }
        defer { close(descriptor) }
        // Whatever the umask took away or left.
        guard fchmod(descriptor, mode) == 0 else {
            throw .keyNotWritten(path: path, errorNumber: errno)
        }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(
                    descriptor, buffer.baseAddress?.advanced(by: sent), buffer.count - sent)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .keyNotWritten(path: path, errorNumber: errno) }
            sent += count
        }
        guard fsync(descriptor) == 0 else {
            throw .keyNotWritten(path: path, errorNumber: errno)
        }
    }
}
