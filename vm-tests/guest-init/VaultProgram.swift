// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc
import LoopbackPKI
import Simulation
import VaultListener

/// `/init vault SEED NEEDLE`: the simulated vault behind a real TLS listener on loopback. Prints
/// its address, its authority's file, the file of the AppRole's secret id and the file of the
/// public key that it signs with; then takes the words `seal` and `unseal`. It lives until it is
/// killed, so that its own copies of the secret can be gone before memory is searched.
enum VaultProgram {
    static let role = "guest"
    static let path = "secret/demo"
    static let field = "password"
    static let transitMount = "transit"
    static let transitKey = "events"

    static func run(_ arguments: [String]) -> Never {
        guard arguments.count == 2, let seed = UInt64(arguments[0], radix: 16),
            let index = UInt64(arguments[1])
        else { exit(64) }
        do {
            let secretID = plain(Needle(seed: seed, index: index &+ 1000))
            var vault = SimulatedVault()
            vault.put(
                mount: "secret", name: "demo",
                fields: [(field, .string(plain(Needle(seed: seed, index: index))))])
            vault.namespaces[""]?.authBackends["approle"] = .appRole([
                role: SimulatedVault.Role(credentials: [secretID])
            ])
            let signer = try Ed25519Signer()
            vault.addSigningKey(
                .init(publicKey: signer.publicKey) { signer.signature(of: $0) },
                mount: transitMount, name: transitKey)
            let pki = try LoopbackPKI()
            let listener = try VaultListener(
                vault: vault, options: VaultListener.Options(identity: try pki.server()))
            print(listener.address)
            print(file("authority.pem", pki.authority.certificatePEM))
            print(file("secret-id", secretID))
            print(file("events.pub", SimulatedBase64.encoded(signer.publicKey)))
            fflush(stdout)
            obey(listener)
        } catch {
            fputs("vault: \(error)\n", stderr)
            exit(70)
        }
    }

    private static func obey(_ listener: VaultListener) -> Never {
        while let word = readLine() {
            listener.withVault { $0.condition = word == "seal" ? .sealed : .active }
            print(word)
            fflush(stdout)
        }
        while true { pause() }
    }

    /// Writes a file for the wrapper; its path, or `none`.
    private static func file(_ name: String, _ text: String) -> String {
        let path = "/tmp/vault-\(getpid())-\(name)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return "none" }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return write(descriptor, bytes, bytes.count) == bytes.count ? path : "none"
    }

    private static func plain(_ needle: Needle) -> String {
        var bytes = [UInt8](repeating: 0, count: needle.count)
        bytes.withUnsafeMutableBytes { buffer in
            if let base = buffer.baseAddress { needle.unmask(into: base) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A running vault of the guest.
struct GuestVault {
    let process: ChildProcess
    let address: String
    let authorityFile: String
    let secretIDFile: String
    /// As `bao read` gives it, for `cloudtaser events verify --public-key`.
    let publicKeyFile: String

    init?(seed: UInt64, needle: UInt64) {
        let words = ["vault", String(seed, radix: 16), String(needle)]
        guard let child = ChildProcess(words), let address = child.readLine(),
            let authorityFile = child.readLine(), let secretIDFile = child.readLine(),
            let publicKeyFile = child.readLine()
        else { return nil }
        process = child
        self.address = address
        self.authorityFile = authorityFile
        self.secretIDFile = secretIDFile
        self.publicKeyFile = publicKeyFile
    }

    /// Names the vault, and how to log in.
    var loginVariables: [String] {
        [
            "VAULT_ADDR=\(address)", "VAULT_CACERT=\(authorityFile)",
            "VAULT_AUTH_METHOD=approle", "VAULT_AUTH_ROLE=\(VaultProgram.role)",
            "VAULT_SECRET_ID_FILE=\(secretIDFile)",
        ]
    }

    /// From the next request on every answer is that it is sealed, or no more.
    func setSealed(_ isSealed: Bool) {
        process.send(isSealed ? "seal" : "unseal")
        _ = process.readLine()
    }

    /// The wrapper's control variables for this vault's secret, delivered as `name`.
    func controlVariables(delivering name: String, delivery: String) -> [String] {
        loginVariables + [
            "CLOUDTASER_SECRET_PATHS=\(VaultProgram.path)",
            "CLOUDTASER_ENV_MAP=\(VaultProgram.field)=\(name)", "CLOUDTASER_DELIVERY=\(delivery)",
        ]
    }

    func kill() {
        Glibc.kill(process.pid, SIGKILL)
        process.reap()
    }
}
