// SPDX-License-Identifier: Apache-2.0
import Delivery
import EvidencePackage
import EvidenceSigning
import Glibc
import Ports
import VaultSecretStore
import WrapperConfiguration

/// Signs with an Ed25519 or P-256 key of a vault's transit engine, which the key never leaves.
struct EvidenceVaultSigner: StatementSigner {
    /// What a name without a mount belongs to.
    private static let usualMount = "transit"

    private let name: String
    private let settings: VaultSettings
    private let verifier: PublicKeyVerifier

    /// - Parameter key: `NAME` or `MOUNT/NAME`.
    init(key: String, verifier: PublicKeyVerifier) throws {
        let parts = key.split(separator: "/").map(String.init)
        guard PackagePath.isPath(key), let name = parts.last else {
            throw OperationalError(
                description: "--vault-transit-key: '\(Plain.line(key))' is no NAME or MOUNT/NAME")
        }
        do throws(ConfigurationFailure) {
            // The wrapper's variables. Credentials come from files: an environment shows them.
            var settings = try SettingsParser(
                defaultFollow: FollowStrategy.standard, hasCredential: { _ in false },
                lookUp: { variable in getenv(variable.rawValue).map { String(cString: $0) } }
            ).parseVault()
            settings.transitMount =
                parts.count > 1 ? parts.dropLast().joined(separator: "/") : Self.usualMount
            self.settings = settings
        } catch { throw OperationalError(description: "--vault-transit-key: \(error.message)") }
        self.name = name
        self.verifier = verifier
    }

    var keyID: String { verifier.keyID }

    func sign(_ message: [UInt8]) throws -> [UInt8] {
        let made: TransitSignature
        do throws(SecretStoreFailure) {
            made = try TransitSigning.sign(message, key: name, settings: settings)
        } catch {
            throw OperationalError(
                description: "\(settings.transitMount)/\(name): \(Plain.line("\(error)"))")
        }
        guard verifier.isValid(made.signature, of: message) else {
            throw OperationalError(
                description: "\(settings.transitMount)/\(name): version \(made.version) is not "
                    + "the key of --public-key; take the public key of this version")
        }
        return made.signature
    }
}
