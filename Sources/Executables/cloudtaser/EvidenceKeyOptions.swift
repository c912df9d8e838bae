// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import EvidencePackage
import EvidenceSigning

/// A signer, and its envelope.
struct EvidenceSigner {
    let keyID: String
    let envelope: ([UInt8]) throws -> Envelope

    init(_ signer: some StatementSigner) {
        keyID = signer.keyID
        envelope = { try Envelope.signed($0, by: signer) }
    }
}

/// Which key signs a package.
struct EvidenceKeyOptions: ParsableArguments {
    @Flag(help: "Sign the package; needs --key, --sign-with or --vault-transit-key.")
    var sign = false
    @Option(help: "PEM file of an Ed25519 or P-256 private key, readable by its owner alone.")
    var key: String?
    @Option(
        help: """
            Command for /bin/sh that reads the message from standard input and writes the raw \
            signature: for keys in a vault or an HSM.
            """)
    var signWith: String?
    @Option(
        help: """
            Key (ed25519 or ecdsa-p256) of a vault's transit engine, NAME or MOUNT/NAME; the vault \
            by VAULT_ADDR, VAULT_TOKEN_FILE and the other variables of docs/reference/vault.md.
            """)
    var vaultTransitKey: String?
    @Option(help: "PEM file of the public key that a command or a vault signs for.")
    var publicKey: String?

    func validate() throws {
        let ways = [key, signWith, vaultTransitKey].compactMap(\.self).count
        guard ways <= 1 else {
            throw ValidationError("--key, --sign-with and --vault-transit-key exclude each other")
        }
        guard (signWith ?? vaultTransitKey == nil) == (publicKey == nil) else {
            throw ValidationError(
                "--public-key goes together with --sign-with or --vault-transit-key")
        }
        guard sign == (ways == 1) else {
            throw ValidationError(
                sign
                    ? "--sign needs --key FILE, or --public-key FILE and --sign-with COMMAND or "
                        + "--vault-transit-key NAME"
                    : "a key is given and not used; add --sign")
        }
    }

    func signer() throws -> EvidenceSigner? {
        do {
            if let key { return EvidenceSigner(try FileSigner(path: key)) }
            guard let publicKey else { return nil }
            let verifier = try PublicKeyVerifier(path: publicKey)
            if let signWith {
                return EvidenceSigner(CommandSigner(command: signWith, verifier: verifier))
            }
            return try vaultTransitKey.map {
                EvidenceSigner(try EvidenceVaultSigner(key: $0, verifier: verifier))
            }
        } catch let error as OperationalError {
            throw error
        } catch {
            throw OperationalError(description: "\(error)")
        }
    }
}

struct EvidenceKeygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen", abstract: "Make a key pair that signs evidence packages.",
        discussion: """
            Examples:
              cloudtaser evidence keygen --out keys
              cloudtaser evidence keygen --kind p256 --out keys

            Writes \(EvidenceKeyPair.privateName) (mode 0600) and \(EvidenceKeyPair.publicName).
            Files that are there stay. Publish the public key where the package does not come
            from: docs/how-to/hand-evidence-to-an-auditor.md. \(Exit.help)
            """)

    @Option(help: "ed25519 or p256.")
    var kind = EvidenceKeyKind.ed25519
    @Option(help: "Folder to write.")
    var out: String

    func run() throws {
        try Folder.make(out)
        let keyID: String
        do { keyID = try EvidenceKeyPair.make(kind, in: out) } catch {
            throw OperationalError(description: error.description)
        }
        try Terminal.print("wrote \(out)/\(EvidenceKeyPair.privateName)")
        try Terminal.print("wrote \(out)/\(EvidenceKeyPair.publicName)")
        try Terminal.print("key \(keyID)")
    }
}

extension EvidenceKeyKind: ExpressibleByArgument {}
