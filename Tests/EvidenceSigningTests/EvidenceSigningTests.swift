// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import EvidenceSigning
import Foundation
import Testing

/// A folder of its own, removed at the end.
private func inFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path(percentEncoded: false))
}

private func mode(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int)
}

@Suite("Keys that sign evidence")
struct EvidenceSigningTests {
    private static let message = Array("DSSEv1 a message".utf8)

    private static func keys(
        _ kind: EvidenceKeyKind, in folder: String
    ) throws -> (secret: String, known: String) {
        _ = try EvidenceKeyPair.make(kind, in: folder)
        return (
            "\(folder)/\(EvidenceKeyPair.privateName)", "\(folder)/\(EvidenceKeyPair.publicName)"
        )
    }

    @Test("digests are those of known texts")
    func digests() {
        let digests = OpenSSLDigests()
        #expect(
            digests.sha256Text(Array("abc".utf8))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(digests.sha1([]).first == 0xda && digests.sha1([]).count == 20)
        #expect(digests.sha256Text([]).hasPrefix("e3b0c442"))
    }

    @Test(
        "a signature is valid for its message and key, and for no other",
        arguments: EvidenceKeyKind.allCases)
    func signs(kind: EvidenceKeyKind) throws {
        try inFolder { folder in
            let keys = try Self.keys(kind, in: folder)
            let signer = try FileSigner(path: keys.secret)
            let verifier = try PublicKeyVerifier(path: keys.known)
            #expect(signer.keyID == verifier.keyID && signer.keyID.count == 64)
            let signature = try signer.sign(Self.message)
            #expect(verifier.isValid(signature, of: Self.message))
            if kind == .ed25519 { #expect(signature.count == 64) }
            for index in signature.indices {
                var flipped = signature
                flipped[index] ^= 1
                #expect(!verifier.isValid(flipped, of: Self.message), "byte \(index)")
            }
            var other = Self.message
            other[3] ^= 1
            #expect(!verifier.isValid(signature, of: other))
            #expect(!verifier.isValid([], of: Self.message))
            try inFolder { folder in
                let stranger = try PublicKeyVerifier(path: Self.keys(kind, in: folder).known)
                #expect(!stranger.isValid(signature, of: Self.message))
                #expect(stranger.keyID != verifier.keyID)
            }
        }
    }

    @Test("a new private key is its owner's alone, and nothing is overwritten")
    func keygen() throws {
        try inFolder { folder in
            let keys = try Self.keys(.ed25519, in: folder)
            #expect(try mode(keys.secret) == 0o600)
            #expect(try mode(keys.known) == 0o644)
            let before = try Data(contentsOf: URL(filePath: keys.secret))
            let failure = #expect(throws: SigningFailure.self) {
                try EvidenceKeyPair.make(.p256, in: folder)
            }
            #expect(failure?.description.contains("is not overwritten") == true)
            #expect(try Data(contentsOf: URL(filePath: keys.secret)) == before)
        }
    }

    @Test("a private key that others may read is refused", arguments: [0o640, 0o604, 0o620])
    func exposed(permissions: Int) throws {
        try inFolder { folder in
            let keys = try Self.keys(.p256, in: folder)
            #expect(throws: Never.self) { try FileSigner(path: keys.secret) }
            try FileManager.default.setAttributes(
                [.posixPermissions: permissions], ofItemAtPath: keys.secret)
            #expect(throws: SigningFailure.keyExposed(path: keys.secret)) {
                try FileSigner(path: keys.secret)
            }
        }
    }

    @Test("what is no such key is refused: text, the other half, another curve, too large")
    func unsuitable() throws {
        try inFolder { folder in
            let keys = try Self.keys(.ed25519, in: folder)
            #expect(throws: SigningFailure.keyUnsuitable(path: keys.secret)) {
                try PublicKeyVerifier(path: keys.secret)
            }
            let copy = "\(folder)/copy.pem"
            for bytes in [
                Data("no key".utf8), try Data(contentsOf: URL(filePath: keys.known)),
                Data(Self.p384.utf8),
                Data(repeating: 0x20, count: 16 << 10)
                    + (try Data(contentsOf: URL(filePath: keys.secret))),
            ] {
                try bytes.write(to: URL(filePath: copy))
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o600], ofItemAtPath: copy)
                #expect(throws: SigningFailure.keyUnsuitable(path: copy)) {
                    try FileSigner(path: copy)
                }
            }
            #expect(throws: SigningFailure.keyUnreadable(path: "\(folder)/none", errorNumber: 2)) {
                try FileSigner(path: "\(folder)/none")
            }
        }
    }

    /// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384`, used for nothing.
    private static let p384 = """
        -----BEGIN PRIVATE KEY-----
        MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBIqx1lykY8KjQ4A4UF
        /lc+5eLkwKTyLNKzZ0jdxdm2DUlmot2L6XYoriop40NTu5mhZANiAAS6pwNlEqJD
        Z8H/QLfEUyoHShTl0USkgNE0XJ9xKNjAPxij0NxEe61CHSbi4rLOzsrG96o0j1zw
        qreakCAlrhhrSL1QWcmgYeFQr8jZmXSJ2mWu5nafxM69Xwt1MAEmpkE=
        -----END PRIVATE KEY-----
        """

    @Test(
        "a command signs; what is no signature of the key is refused",
        arguments: EvidenceKeyKind.allCases)
    func command(kind: EvidenceKeyKind) throws {
        try inFolder { folder in
            let keys = try Self.keys(kind, in: folder)
            let verifier = try PublicKeyVerifier(path: keys.known)
            let signature = "\(folder)/signature"
            try Data(try FileSigner(path: keys.secret).sign(Self.message))
                .write(to: URL(filePath: signature))
            let good = CommandSigner(
                command: "cat > '\(folder)/got'; cat '\(signature)'", verifier: verifier)
            let answer = try good.sign(Self.message)
            #expect(verifier.isValid(answer, of: Self.message) && good.keyID == verifier.keyID)
            let got = try Data(contentsOf: URL(filePath: "\(folder)/got"))
            #expect(Array(got) == Self.message)
            for (command, failure) in [
                ("cat '\(signature)'; exit 7", SigningFailure.commandFailed(status: 7)),
                ("echo no", .answerInvalid), ("true", .answerInvalid),
                ("yes", .answerTooLong(bytesMax: CommandSigner.answerBytesMax)),
            ] {
                #expect(throws: failure) {
                    try CommandSigner(command: command, verifier: verifier).sign(Self.message)
                }
            }
        }
    }

    @Test("every failure says what to do about it")
    func descriptions() {
        let failures: [SigningFailure] = [
            .keyUnreadable(path: "k", errorNumber: 2), .keyExposed(path: "k"),
            .keyUnsuitable(path: "k"), .keyNotWritten(path: "k", errorNumber: 13), .keyNotMade,
            .refused, .commandFailed(status: 1), .commandNotStarted(detail: "d"),
            .answerTooLong(bytesMax: 9), .answerInvalid,
        ]
        #expect(Set(failures.map(\.description)).count == failures.count)
    }
}
