// SPDX-License-Identifier: Apache-2.0
import COpenSSL
internal import EvidencePackage
internal import Foundation

/// Signs with a private key from a PEM file without a passphrase.
package struct FileSigner: StatementSigner {
    private let key: EvidenceKey

    package init(path: String) throws(SigningFailure) {
        var pem = try KeyFile.read(path, isPrivate: true)
        defer { pem.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        guard let reader = BIO_new_mem_buf(pem, Int32(pem.count)) else {
            throw .keyUnsuitable(path: path)
        }
        defer { BIO_free(reader) }
        // No passphrase is ever asked for: the answer is always of length 0.
        let found = PEM_read_bio_PrivateKey(reader, nil, { _, _, _, _ in 0 }, nil)
        ERR_clear_error()
        guard let key = EvidenceKey(owning: found) else { throw .keyUnsuitable(path: path) }
        self.key = key
    }

    package var keyID: String { key.keyID }

    package func sign(_ message: [UInt8]) throws -> [UInt8] {
        guard let signature = key.signature(of: message) else { throw SigningFailure.refused }
        return signature
    }
}

/// Verifies with a public key from a PEM file.
package struct PublicKeyVerifier: StatementVerifier {
    private let key: EvidenceKey

    package init(path: String) throws(SigningFailure) {
        let pem = try KeyFile.read(path, isPrivate: false)
        guard let reader = BIO_new_mem_buf(pem, Int32(pem.count)) else {
            throw .keyUnsuitable(path: path)
        }
        defer { BIO_free(reader) }
        let found = PEM_read_bio_PUBKEY(reader, nil, { _, _, _, _ in 0 }, nil)
        ERR_clear_error()
        guard let key = EvidenceKey(owning: found) else { throw .keyUnsuitable(path: path) }
        self.key = key
    }

    package var keyID: String { key.keyID }

    package func isValid(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        key.isValid(signature, of: message)
    }
}

/// Lets a command sign that gets the message on standard input and writes the raw signature to
/// standard output: a vault, a smart card, an HSM. What it wrote is verified before it is used.
package struct CommandSigner: StatementSigner {
    /// An ECDSA signature of P-256 in DER has at most 72 bytes.
    package static let answerBytesMax = 1024

    private let command: String
    private let verifier: PublicKeyVerifier

    /// - Parameter command: for `/bin/sh -c`.
    package init(command: String, verifier: PublicKeyVerifier) {
        self.command = command
        self.verifier = verifier
    }

    package var keyID: String { verifier.keyID }

    package func sign(_ message: [UInt8]) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        let input = try Self.file(message)
        defer { try? input.close() }
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        do { try process.run() } catch {
            throw SigningFailure.commandNotStarted(
                detail: (error as NSError).localizedDescription)
        }
        let answer = Self.read(output.fileHandleForReading)
        // What still writes ends with nobody to read it; children of the shell hold it otherwise.
        try? output.fileHandleForReading.close()
        if answer == nil { process.terminate() }
        process.waitUntilExit()
        guard let answer else {
            throw SigningFailure.answerTooLong(bytesMax: Self.answerBytesMax)
        }
        guard process.terminationStatus == 0 else {
            throw SigningFailure.commandFailed(status: process.terminationStatus)
        }
        guard verifier.isValid(answer, of: message) else { throw SigningFailure.answerInvalid }
        return answer
    }

    /// nil: longer than a signature.
    private static func read(_ handle: FileHandle) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count <= answerBytesMax {
            let part = handle.availableData
            guard !part.isEmpty else { return bytes }
            bytes += part
        }
        return nil
    }

    /// A file without a name: a command that never reads blocks nobody.
    private static func file(_ bytes: [UInt8]) throws -> FileHandle {
        let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data(bytes).write(to: url, options: .withoutOverwriting)
        defer { try? FileManager.default.removeItem(at: url) }
        return try FileHandle(forReadingFrom: url)
    }
}

/// A new key pair.
package enum EvidenceKeyPair {
    package static let privateName = "evidence-key.pem"
    package static let publicName = "evidence-key.pub.pem"

    /// Writes both files into `folder`, the private one for its owner alone.
    /// - Returns: the key's id.
    package static func make(
        _ kind: EvidenceKeyKind, in folder: String
    ) throws(SigningFailure) -> String {
        guard let key = EvidenceKey.made(kind), var secret = key.pem(isPrivate: true),
            let known = key.pem(isPrivate: false)
        else { throw .keyNotMade }
        defer { secret.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        try KeyFile.write(secret, to: "\(folder)/\(privateName)", mode: 0o600)
        try KeyFile.write(known, to: "\(folder)/\(publicName)", mode: 0o644)
        return key.keyID
    }
}
