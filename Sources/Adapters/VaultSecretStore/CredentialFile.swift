// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import Ports
internal import SecretMemory

/// Reads a small secret file straight into secret memory.
enum CredentialFile {
    /// Largest file (bytes).
    static let bytesMax = 64 << 10

    /// The whole file, without line ends and spaces after the last byte.
    static func read(
        _ path: String, memory: ExchangeMemory
    ) throws(SecretStoreFailure) -> SecretBuffer {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .credentialUnreadable(path: path, errorNumber: errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .credentialUnreadable(path: path, errorNumber: errno)
        }
        // Pipes and files in /proc say 0; they get one page and must fit.
        let announced = Int(status.st_size)
        guard announced <= bytesMax else {
            throw .credentialUnreadable(path: path, errorNumber: EFBIG)
        }
        var buffer = try memory.buffer(capacity: max(announced + 1, 4000))
        try fill(&buffer, from: descriptor, path: path)
        trim(&buffer)
        return buffer
    }

    private static func fill(
        _ buffer: inout SecretBuffer, from descriptor: Int32, path: String
    ) throws(SecretStoreFailure) {
        var isAtEnd = false
        while !isAtEnd {
            guard buffer.count < buffer.capacity else {
                throw .credentialUnreadable(path: path, errorNumber: EFBIG)
            }
            try buffer.fill { rest throws(SecretStoreFailure) in
                while true {
                    let count = Glibc.read(descriptor, rest.baseAddress, rest.count)
                    if count >= 0 {
                        isAtEnd = count == 0
                        return count
                    }
                    guard errno == EINTR else {
                        throw .credentialUnreadable(path: path, errorNumber: errno)
                    }
                }
            }
        }
    }

    private static func trim(_ buffer: inout SecretBuffer) {
        let kept = buffer.withBytes { bytes in
            var end = bytes.byteCount
            while end > 0 {
                let last = bytes.unsafeLoad(fromByteOffset: end - 1, as: UInt8.self)
                guard last == 10 || last == 13 || last == 32 || last == 9 else { break }
                end -= 1
            }
            return end
        }
        buffer.truncate(to: kept)
    }
}
