// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import EventPorts
import Foundation
import Testing

@Suite struct `SHA-256` {
    /// FIPS 180-4's examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `gives the standard's hashes`(text: String, wanted: String) {
        #expect(OpenSSLEventHasher().sha256(Array(text.utf8)).text == wanted)
    }
}

@Suite struct `A signing key from a file` {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func openssl(_ arguments: String...) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = folder
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func path(_ name: String, mode: Int = 0o600) throws -> String {
        let path = folder.appending(path: name).path()
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    private func failure(_ path: String) -> CheckpointFailure? {
        do throws(CheckpointFailure) {
            _ = try FileCheckpointSigner(path: path)
            return nil
        } catch {
            return error
        }
    }

    @Test func `signs so that openssl agrees`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(try openssl("genpkey", "-algorithm", "ed25519", "-out", "key") == 0)
        #expect(try openssl("pkey", "-in", "key", "-pubout", "-out", "public") == 0)
        var signer = try FileCheckpointSigner(path: path("key"))
        let message = Array("message".utf8)
        let signature = try signer.sign(message)
        #expect(signer.take(within: .zero) == nil)
        signer.request(message)
        #expect(signer.take(within: .zero) == .signed(signer.key, signature: signature))
        #expect(signer.take(within: .zero) == nil, "an answer is given once")
        try Data(message).write(to: folder.appending(path: "message"))
        func agrees(_ signature: [UInt8]) throws -> Bool {
            try Data(signature).write(to: folder.appending(path: "signature"))
            return try openssl(
                "pkeyutl", "-verify", "-pubin", "-inkey", "public", "-rawin", "-in", "message",
                "-sigfile", "signature") == 0
        }
        #expect(try agrees(signature))
        var other = signature
        other[0] ^= 1
        #expect(try !agrees(other))

        let keys = TrustedCheckpointKeys(publicKeys: [signer.publicKey, [1, 2, 3]])
        #expect(keys.isValid(signature, of: message, key: signer.key))
        #expect(!keys.isValid(other, of: message, key: signer.key))
        #expect(!keys.isValid(signature, of: message + [0], key: signer.key))
        #expect(!keys.isValid([], of: message, key: signer.key))
        #expect(!keys.isValid(signature, of: message, key: CheckpointKey("sha256:0")!))
        let none = TrustedCheckpointKeys(publicKeys: [])
        #expect(!none.isValid(signature, of: message, key: signer.key))
    }

    @Test func `is refused where others may read it, or where it is no such key`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(try openssl("genpkey", "-algorithm", "ed25519", "-out", "key") == 0)
        #expect(failure(try path("key", mode: 0o400)) == nil, "positive control")
        for mode in [0o640, 0o604, 0o610] {
            let path = try path("key", mode: mode)
            #expect(failure(path) == .keyExposed(path: path))
        }
        #expect(try openssl("genpkey", "-algorithm", "x25519", "-out", "other") == 0)
        #expect(
            try openssl(
                "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:a", "-out", "locked")
                == 0)
        try Data("no key".utf8).write(to: folder.appending(path: "text"))
        try Data().write(to: folder.appending(path: "empty"))
        for name in ["other", "locked", "text", "empty"] {
            let path = try path(name)
            #expect(failure(path) == .keyUnsuitable(path: path), "\(name)")
        }
        #expect(failure(folder.path()) == .keyUnsuitable(path: folder.path()))
        let missing = folder.appending(path: "missing").path()
        #expect(failure(missing) == .keyUnreadable(path: missing, errorNumber: ENOENT))
    }

    @Test func `may be read up to its limit`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(try openssl("genpkey", "-algorithm", "ed25519", "-out", "key") == 0)
        let pem = try Data(contentsOf: folder.appending(path: "key"))
        for (extra, isTaken) in [(0, true), (1, false)] {
            let count = FileCheckpointSigner.fileBytesMax - pem.count - 1 + extra
            let comment = Data(repeating: UInt8(ascii: "#"), count: count) + Data("\n".utf8)
            try (comment + pem).write(to: folder.appending(path: "long"))
            #expect((failure(try path("long")) == nil) == isTaken)
        }
    }

    @Test func `has a name of plain characters`() {
        #expect(CheckpointKey("vault:transit/events:v3") != nil)
        #expect(CheckpointKey(String(repeating: "a", count: CheckpointKey.charactersMax)) != nil)
        #expect(
            CheckpointKey(String(repeating: "a", count: CheckpointKey.charactersMax + 1)) == nil)
        for name in ["", "a b", "a\"", "é", "a\n"] { #expect(CheckpointKey(name) == nil) }
    }
}
