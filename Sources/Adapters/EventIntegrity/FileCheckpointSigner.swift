// SPDX-License-Identifier: Apache-2.0
import COpenSSL
package import EnforcementEvents
package import EventPorts
import Glibc

/// Signs with an Ed25519 key from a PEM file (PKCS #8, without a passphrase).
///
/// Whoever is root on the node can read the file: such a key dates the log against changes by
/// others and against changes made after the key was replaced, not against the node's root.
package struct FileCheckpointSigner: CheckpointSigner, ~Copyable {
    /// A PEM file of an Ed25519 key has 119 bytes; comments may stand before it.
    package static let fileBytesMax = 16 << 10

    package let key: CheckpointKey
    private let pair: Ed25519Key
    private var answer: CheckpointAnswer?

    package init(path: String) throws(CheckpointFailure) {
        let pem = try Self.read(path)
        guard let pair = Ed25519Key(owning: Self.privateKey(pem)),
            let name = pair.publicKey.flatMap({ Ed25519Key.name(ofPublicKey: $0) })
        else { throw .keyUnsuitable(path: path) }
        self.pair = pair
        key = name
    }

    /// The 32 bytes that a verifier needs.
    package var publicKey: [UInt8] { pair.publicKey ?? [] }

    package mutating func request(_ message: [UInt8]) {
        do throws(CheckpointFailure) {
            answer = .signed(key, signature: try sign(message))
        } catch { answer = .failed(error) }
    }

    package mutating func take(within duration: Duration) -> CheckpointAnswer? { answer.take() }

    package func sign(_ message: [UInt8]) throws(CheckpointFailure) -> [UInt8] {
        guard let signature = pair.signature(of: message) else { throw .refused }
        return signature
    }

    private static func privateKey(_ pem: [UInt8]) -> OpaquePointer? {
        guard let reader = BIO_new_mem_buf(pem, Int32(pem.count)) else { return nil }
        defer { BIO_free(reader) }
        // No passphrase is ever asked for: the answer is always of length 0.
        let key = PEM_read_bio_PrivateKey(reader, nil, { _, _, _, _ in 0 }, nil)
        // A failed try leaves its reasons in the thread's queue.
        ERR_clear_error()
        return key
    }

    private static func read(_ path: String) throws(CheckpointFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .keyUnreadable(path: path, errorNumber: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .keyUnreadable(path: path, errorNumber: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= fileBytesMax else {
            throw .keyUnsuitable(path: path)
        }
        guard status.st_uid == geteuid() || status.st_uid == 0, status.st_mode & 0o077 == 0 else {
            throw .keyExposed(path: path)
        }
        var bytes = [UInt8](repeating: 0, count: fileBytesMax)
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
}
