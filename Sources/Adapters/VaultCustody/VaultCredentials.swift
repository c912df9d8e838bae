// SPDX-License-Identifier: Apache-2.0
package import ObjectKeyPorts
package import Ports
package import SecretMemory
internal import Synchronization

/// A key pair for an object store.
package struct StoredCredentials: Sendable {
    /// No secret.
    package let accessKeyID: String
    package let secret: SecretBlock
    package let sessionCredential: SecretBlock?
}

/// Where credentials stand in the vault.
package struct VaultCredentialsSettings: Sendable, Equatable {
    /// Each field is a client: its name is the access key id, its value the secret access key.
    package var clientsPath: String
    /// Fields `access_key_id`, `secret_access_key`, and perhaps `session_token`.
    package var upstreamPath: String

    package init(clientsPath: String, upstreamPath: String) {
        self.clientsPath = clientsPath
        self.upstreamPath = upstreamPath
    }
}

/// The credentials of clients and those for the upstream store, as they were read last.
///
/// Values go from the vault's answer straight into blocks of the arena. What cannot be read leaves
/// what was read before, with one exception: a clients' secret that the vault says is not there or
/// was deleted leaves no client.
package final class VaultCredentials: ClientCredentials {
    package static let secretBytesMax = 1024

    /// What a reading found.
    package struct Report: Sendable, Equatable {
        package var clientCount: Int
        /// Names of fields that are no client: not an access key id, or a value of a length that
        /// no secret has.
        package var unusable: [String]
        /// Whether anything differs from what was there before.
        package var isChanged: Bool

        package init(clientCount: Int, unusable: [String], isChanged: Bool) {
            self.clientCount = clientCount
            self.unusable = unusable
            self.isChanged = isChanged
        }
    }

    private struct Held {
        var clients: [String: SecretBlock] = [:]
        var upstream: StoredCredentials?
    }

    private let settings: VaultCredentialsSettings
    private let arena: SecretArena
    private let held = Mutex(Held())

    package init(settings: VaultCredentialsSettings, arena: SecretArena) {
        self.settings = settings
        self.arena = arena
    }

    package func lend(
        _ accessKeyID: String, _ lend: (_ secret: RawSpan, _ sessionToken: RawSpan?) -> Void
    ) {
        let block = held.withLock { $0.clients[accessKeyID] }
        block?.withBytes { lend($0, nil) }
    }

    /// For the upstream store; nil: not read yet.
    package var upstream: StoredCredentials? { held.withLock { $0.upstream } }

    package var clientCount: Int { held.withLock { $0.clients.count } }

    // MARK: - Reading

    package func readClients<Store: SecretStore & SecretFieldNames & SendableMetatype & ~Copyable>(
        by workers: VaultWorkers<Store>
    ) async throws(KeyCustodyFailure) -> Report {
        let path = settings.clientsPath
        let found: Fields
        do throws(KeyCustodyFailure) {
            found = try await workers.call { [arena] store throws(SecretStoreFailure) in
                try Fields.read(
                    path, names: try store.fieldNames(of: path), from: &store, into: arena)
            }
        } catch {
            if case .vault(let failure) = error, failure.saysThereIsNothing {
                held.withLock { $0.clients = [:] }
            }
            throw error
        }
        var report = Report(clientCount: 0, unusable: found.unusable, isChanged: false)
        var clients: [String: SecretBlock] = [:]
        for (name, value) in found.values {
            if Self.isAccessKeyID(name) {
                clients[name] = value
            } else {
                report.unusable.append(name)
            }
        }
        report.clientCount = clients.count
        report.unusable.sort()
        report.isChanged = held.withLock { held in
            let isSame =
                held.clients.count == clients.count
                && clients.allSatisfy { held.clients[$0.key]?.hasSameBytes(as: $0.value) ?? false }
            held.clients = clients
            return !isSame
        }
        return report
    }

    /// - Returns: whether they differ from what was there before.
    package func readUpstream<Store: SecretStore & SecretFieldNames & SendableMetatype & ~Copyable>(
        by workers: VaultWorkers<Store>
    ) async throws(KeyCustodyFailure) -> Bool {
        let path = settings.upstreamPath
        let names = ["access_key_id", "secret_access_key", "session_token"]
        let found = try await workers.call { [arena] store throws(SecretStoreFailure) in
            let present = try store.fieldNames(of: path)
            for name in names.dropLast() where !present.contains(name) {
                throw .fieldMissing(path: path, field: name)
            }
            return try Fields.read(
                path, names: names.filter { present.contains($0) }, from: &store, into: arena)
        }
        if let name = found.unusable.first {
            throw .vault(.valueTooLarge(path: path, field: name, limitBytes: Self.secretBytesMax))
        }
        guard let id = found.values[names[0]].map(Self.text), Self.isAccessKeyID(id),
            let secret = found.values[names[1]]
        else { throw .vault(.fieldNotText(path: path, field: names[0])) }
        let new = StoredCredentials(
            accessKeyID: id, secret: secret, sessionCredential: found.values[names[2]])
        return held.withLock { held in
            defer { held.upstream = new }
            guard let old = held.upstream else { return true }
            return !old.isSame(as: new)
        }
    }

    /// An access key id is no secret.
    private static func text(_ block: SecretBlock) -> String {
        block.withBytes { $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    }

    /// Letters, digits and what else services use; a `/` would end it in a request's scope.
    private static func isAccessKeyID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte) || "-_.@+".utf8.contains(byte)
            }
    }
}

/// Fields of a secret, each in a block.
private struct Fields: Sendable {
    var values: [String: SecretBlock] = [:]
    /// Empty or too long.
    var unusable: [String] = []

    static func read<Store: SecretStore & SendableMetatype & ~Copyable>(
        _ path: String, names: [String], from store: inout Store, into arena: SecretArena
    ) throws(SecretStoreFailure) -> Result<Fields, KeyCustodyFailure> {
        var fields = Fields()
        var isExhausted = false
        _ = try store.read(SecretQuery(path: path), fields: names, onLease: { _ in }) {
            index, value throws(SecretStoreFailure) in
            guard (1...VaultCredentials.secretBytesMax).contains(value.byteCount) else {
                return fields.unusable.append(names[index])
            }
            let block = SecretBlock(copying: value, in: arena)
            fields.values[names[index]] = block
            if block == nil { isExhausted = true }
        }
        return isExhausted ? .failure(.memoryExhausted) : .success(fields)
    }
}

extension StoredCredentials {
    fileprivate func isSame(as other: StoredCredentials) -> Bool {
        let isSameSession =
            switch (sessionCredential, other.sessionCredential) {
            case (nil, nil): true
            case (let left?, let right?): left.hasSameBytes(as: right)
            default: false
            }
        return accessKeyID == other.accessKeyID && secret.hasSameBytes(as: other.secret)
            && isSameSession
    }
}

extension SecretBlock {
    /// Compares what the vault gave with what it gave before: the time it takes is nobody's gain.
    func hasSameBytes(as other: SecretBlock) -> Bool {
        withBytes { left in
            other.withBytes { right in
                left.withUnsafeBytes { left in
                    right.withUnsafeBytes { left.elementsEqual($0) }
                }
            }
        }
    }
}

extension SecretStoreFailure {
    fileprivate var saysThereIsNothing: Bool {
        switch self {
        case .notFound, .versionDeleted, .versionDestroyed: true
        default: false
        }
    }
}
