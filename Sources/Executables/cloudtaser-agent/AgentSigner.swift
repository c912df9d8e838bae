// SPDX-License-Identifier: Apache-2.0
import Agent
import Delivery
import EnforcementEvents
import EventIntegrity
import EventPorts
import EventSinks
import Glibc
import Ports
import VaultSecretStore
import WrapperConfiguration

/// Whatever the options say that signs checkpoints.
struct AgentSigner: CheckpointSigner, ~Copyable {
    private var file: FileCheckpointSigner?
    private var transit: BackgroundSigner?

    /// nil: the options name no key.
    init?(_ options: AgentOptions) throws(StartFailure) {
        file = nil
        transit = nil
        if let path = options.checkpointKey {
            file = try Self.file(path)
        } else if let key = options.checkpointTransit {
            transit = try Self.transit(key)
        } else {
            return nil
        }
    }

    mutating func request(_ message: [UInt8]) {
        file?.request(message)
        transit?.request(message)
    }

    mutating func take(within duration: Duration) -> CheckpointAnswer? {
        file?.take(within: duration) ?? transit?.take(within: duration)
    }

    private static func file(_ path: String) throws(StartFailure) -> FileCheckpointSigner {
        do throws(CheckpointFailure) { return try FileCheckpointSigner(path: path) } catch {
            throw StartFailure(text: "cloudtaser-agent: --checkpoint-key: \(error.text)\n")
        }
    }

    private static func transit(_ key: TransitKey) throws(StartFailure) -> BackgroundSigner {
        var settings: VaultSettings
        do throws(ConfigurationFailure) { settings = try vaultSettings() } catch {
            throw StartFailure(
                text: "cloudtaser-agent: --checkpoint-transit: \(error.message)\n")
        }
        settings.transitMount = key.mount
        let vault = settings
        do throws(WorkerFailure) {
            return try BackgroundSigner { sign($0, with: key, vault) }
        } catch { throw StartFailure(text: "cloudtaser-agent: the signer's thread: \(error)\n") }
    }

    /// The wrapper's variables. Credentials come from files: an environment shows them.
    private static func vaultSettings() throws(ConfigurationFailure) -> VaultSettings {
        try SettingsParser(
            defaultFollow: FollowStrategy.standard, hasCredential: { _ in false },
            lookUp: { variable in getenv(variable.rawValue).map { String(cString: $0) } }
        ).parseVault()
    }

    private static func sign(
        _ message: [UInt8], with key: TransitKey, _ settings: VaultSettings
    ) -> CheckpointAnswer {
        do throws(SecretStoreFailure) {
            let made = try TransitSigning.sign(message, key: key.name, settings: settings)
            let keys = TrustedCheckpointKeys(publicKeys: [made.publicKey])
            // Another kind of key signs too, and no verifier would take it.
            guard let name = keys.names.first,
                keys.isValid(made.signature, of: message, key: name)
            else { return .failed(.keyUnsuitable(path: key.description)) }
            return .signed(name, signature: made.signature)
        } catch { return .failed(.unavailable(reason: "\(key): \(error)")) }
    }
}
