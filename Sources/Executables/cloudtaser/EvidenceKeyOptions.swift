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
    @Flag(help: "Sign the package; needs --key, or --sign-with and --public-key.")
    var sign = false
    @Option(help: "PEM file of an Ed25519 or P-256 private key, readable by its owner alone.")
    var key: String?
    @Option(
        help: """
            Command for /bin/sh that reads the message from standard input and writes the raw \
            signature: for keys in a vault or an HSM.
            """)
    var signWith: String?
    @Option(help: "PEM file of the public key that --sign-with signs for.")
    var publicKey: String?

    func validate() throws {
        guard key == nil || signWith == nil else {
            throw ValidationError("--key and --sign-with exclude each other")
        }
        guard (signWith == nil) == (publicKey == nil) else {
            throw ValidationError("--sign-with and --public-key go together")
        }
        guard sign == (key != nil || signWith != nil) else {
            throw ValidationError(
                sign
                    ? "--sign needs --key FILE, or --sign-with COMMAND and --public-key FILE"
                    : "a key is given and not used; add --sign")
        }
    }

    func signer() throws -> EvidenceSigner? {
        do {
            if let key { return EvidenceSigner(try FileSigner(path: key)) }
            guard let signWith, let publicKey else { return nil }
            return EvidenceSigner(
                CommandSigner(command: signWith, verifier: try PublicKeyVerifier(path: publicKey)))
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
        do {
            let keyID = try EvidenceKeyPair.make(kind, in: out)
            print("wrote \(out)/\(EvidenceKeyPair.privateName)")
            print("wrote \(out)/\(EvidenceKeyPair.publicName)")
            print("key \(keyID)")
        } catch {
            throw OperationalError(description: error.description)
        }
    }
}

extension EvidenceKeyKind: ExpressibleByArgument {}
