// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import LoopbackPKI
import Simulation
import Testing
import VaultListener

/// One way to log in.
enum LoginMethod: String, CaseIterable, Sendable {
    case token, approle, kubernetes, jwt
    /// AppRole with a wrapped secret id: the credential is the wrapping token.
    case wrapped
}

/// A vault on loopback with random secrets, and the files that heap-scan-harness reads. The
/// harness runs as another user when this process is root, so others may read the files, which
/// hold credentials of this one vault only.
final class HarnessRun {
    private static let role = "heap-scan"

    private let vault: LoopbackVault
    private let folder: URL
    private let hasClientCertificate: Bool

    /// - Parameters:
    ///   - valueBytes: size of the secret, 40 at least: 40 random characters, then filler.
    ///   - hasClientCertificate: the vault asks for one, and the harness shows one.
    init(valueBytes: Int, hasClientCertificate: Bool = false) throws {
        self.hasClientCertificate = hasClientCertificate
        folder = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-heap-scan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        chmod(folder.path(percentEncoded: false), 0o755)
        let secret = Self.randomText(40, from: Self.awkward)
        let prefix = Self.randomText(40, from: Self.letters)
        let token = Self.randomText(40, from: Self.letters)
        let secretID = Self.randomText(36, from: Self.letters)
        let assertion =
            ["eyJ" + Self.randomText(60, from: Self.letters)]
            + [Self.randomText(600, from: Self.letters), Self.randomText(340, from: Self.letters)]
        let jwt = assertion.joined(separator: ".")
        let wrapping = Self.randomText(40, from: Self.letters)
        let unwrapped = Self.randomText(40, from: Self.letters)
        var simulated = SimulatedVault(makeSecret: { kind, number in
            switch kind {
            case .wrappingToken: "\(wrapping)\(number)"
            case .secretID: "\(unwrapped)\(number)"
            case .token, .password, .privateKey: "\(prefix)\(number)"
            }
        })
        simulated.addToken(token)
        let filler = Self.randomText(valueBytes - 40, from: Self.letters)
        simulated.put(
            mount: "secret", name: "app", fields: [("password", .string(secret + filler))])
        simulated.namespaces[""]?.authBackends = [
            "approle": .appRole([Self.role: SimulatedVault.Role(credentials: [secretID])]),
            "kubernetes": .kubernetes([Self.role: SimulatedVault.Role(credentials: [jwt])]),
            "jwt": .jwt([Self.role: SimulatedVault.Role(credentials: [jwt])]),
        ]
        vault = try LoopbackVault(
            vault: simulated, requireClientCertificate: hasClientCertificate)
        try write(
            try String(contentsOfFile: vault.authorityFile, encoding: .utf8), to: "authority.pem")
        for (name, text) in [
            ("token", token), ("approle", secretID), ("kubernetes", jwt), ("jwt", jwt),
        ] {
            try write(text, to: "credential.\(name)")
            try mask(text, to: "needle.\(name)")
        }
        try mask(wrapping, to: "needle.wrapped")
        try mask(unwrapped, to: "needle.unwrapped")
        try mask(secret, to: "needle.secret")
        try mask(prefix, to: "needle.issued")
        if hasClientCertificate { try writeClientCertificate() }
    }

    /// Its private key is looked for as a line of the PEM file, as the number's bytes, and as the
    /// bytes in the order in which OpenSSL calculates with them.
    private func writeClientCertificate() throws {
        let client = try vault.pki.client()
        try write(client.certificatePEM, to: "client.pem")
        try write(client.keyPEM, to: "client-key.pem")
        let lines = client.keyPEM.split(separator: "\n").filter { !$0.hasPrefix("-") }
        let key = [UInt8](Data(base64Encoded: lines.joined()) ?? Data())
        // PKCS #8 (RFC 5958): the number is an octet string of 32 bytes.
        guard let header = key.indices.first(where: { key[$0...].starts(with: [4, 32]) }) else {
            throw HarnessRunFailure(status: -1)
        }
        let number = Array(key[(header + 2)...].prefix(32))
        try mask(String(lines[0]), to: "needle.key-pem")
        try mask(number, to: "needle.key-number")
        try mask(number.reversed(), to: "needle.key-reversed")
    }

    private var clientArguments: [String] {
        guard hasClientCertificate else { return [] }
        return [
            "client-certificate=\(path("client.pem"))", "client-key=\(path("client-key.pem"))",
            "needle=key-pem:\(path("needle.key-pem"))",
            "needle=key-number:\(path("needle.key-number"))",
            "needle=key-reversed:\(path("needle.key-reversed"))",
        ]
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Runs the harness once.
    func report(
        _ method: LoginMethod, lockBytes: Int, minimumTier: String, isCareless: Bool = false
    ) throws -> HarnessReport {
        if method == .wrapped {
            // Good for one run only.
            let made = vault.listener.withVault { $0.wrapSecretID(roleID: Self.role) }
            try write(try #require(made), to: "credential.wrapped")
        }
        let process = Process()
        process.executableURL = Self.harness
        process.arguments = [
            "port=\(vault.listener.port)", "authority=\(path("authority.pem"))",
            "method=\(method.rawValue)", "role=\(Self.role)",
            "credential=\(path("credential.\(method.rawValue)"))", "path=secret/app",
            "field=password", "lock=\(lockBytes)", "tier=\(minimumTier)",
            "needle=secret:\(path("needle.secret"))", "needle=issued:\(path("needle.issued"))",
            "needle=credential:\(path("needle.\(method.rawValue)"))",
            "needle=unwrapped:\(path("needle.unwrapped"))",
            "careless=\(isCareless ? "yes" : "no")",
        ]
        process.arguments? += clientArguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw HarnessRunFailure(status: process.terminationStatus)
        }
        return try JSONDecoder().decode(HarnessReport.self, from: data)
    }

    private func path(_ name: String) -> String {
        folder.appending(path: name).path(percentEncoded: false)
    }

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: folder.appending(path: name))
        chmod(path(name), 0o644)
    }

    /// Random bytes, then the text XORed with them.
    private func mask(_ text: String, to name: String) throws {
        try mask(Array(text.utf8), to: name)
    }

    private func mask(_ bytes: [UInt8], to name: String) throws {
        let pad = bytes.map { _ in UInt8.random(in: .min ... .max) }
        let masked = zip(bytes, pad).map { $0 ^ $1 }
        try Data(pad + masked).write(to: folder.appending(path: name))
        chmod(path(name), 0o644)
    }

    /// Beside the test program.
    private static let harness = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "heap-scan-harness")

    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    /// What base64, URLs and JSON escape in ways of their own comes up often.
    private static let awkward = letters + Array("\"\\/+ %&<>=?~\"\\/+ %&<>=?~\"\\/+ %&<>=?~")

    private static func randomText(_ count: Int, from alphabet: [Character]) -> String {
        String((0..<max(count, 0)).map { _ in alphabet.randomElement() ?? "x" })
    }
}

struct HarnessRunFailure: Error {
    let status: Int32
}
