// SPDX-License-Identifier: Apache-2.0
package import ObjectKeyPorts
package import Ports
package import SecretMemory

/// `KeyCustodian` by a key of a vault's transit engine.
///
/// Keys are in blocks of the arena. On their way to and from the vault they are also in what the
/// store works with: its requests and answers, and OpenSSL's arena. Contexts, ciphertexts and names
/// are no secrets and are ordinary text.
package struct TransitKeyCustodian<
    Store: SecretStore & TransitEngine & SendableMetatype & ~Copyable
>: KeyCustodian {
    /// Of a key (bytes).
    package static var keyBytes: Int { 32 }
    /// Longest ciphertext (characters).
    package static var ciphertextMax: Int { 160 }

    private let workers: VaultWorkers<Store>
    private let arena: SecretArena

    /// - Parameter arena: of every key that is made or unwrapped here.
    package init(workers: VaultWorkers<Store>, arena: SecretArena) {
        self.workers = workers
        self.arena = arena
    }

    package func newKey() throws(KeyCustodyFailure) -> SecretBlock {
        let block: SecretBlock?
        do throws(EntropyFailure) {
            block = try SecretBlock(Self.keyBytes, in: arena) { bytes throws(EntropyFailure) in
                try KernelRandom.fill(bytes)
            }
        } catch { throw .entropy(error) }
        guard let block else { throw .memoryExhausted }
        return block
    }

    package func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        guard key.count == Self.keyBytes else { throw .keyLengthWrong(bytes: key.count) }
        guard Self.isName(name) else { throw .vault(.mountUnknown(path: name)) }
        return try await workers.call { store throws(SecretStoreFailure) in
            let ciphertext = try key.withBytes { bytes throws(SecretStoreFailure) in
                try store.encrypt(bytes, key: name, binding: .derivation(context))
            }
            guard Self.isCiphertext(ciphertext) else {
                throw .responseMalformed(
                    path: "encrypt/\(name)",
                    detail: "no vault:vN: text of at most \(Self.ciphertextMax) characters")
            }
            return .success(ciphertext)
        }
    }

    package func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        // Both may come with an object that somebody changed: the vault is not asked.
        guard Self.isName(name), Self.isCiphertext(ciphertext) else { throw .notAuthentic }
        let arena = arena
        return try await workers.call { store throws(SecretStoreFailure) in
            var outcome = Result<SecretBlock, KeyCustodyFailure>.failure(.notAuthentic)
            do throws(SecretStoreFailure) {
                try store.decrypt(ciphertext, key: name, binding: .derivation(context)) {
                    outcome = Self.block($0, in: arena)
                }
            } catch {
                // The engine's contract: nothing else has this status.
                guard case .unexpectedStatus(_, 400) = error else { throw error }
                return .failure(.notAuthentic)
            }
            return outcome
        }
    }

    private static func block(
        _ bytes: RawSpan, in arena: SecretArena
    ) -> Result<SecretBlock, KeyCustodyFailure> {
        guard bytes.byteCount == keyBytes else {
            return .failure(.keyLengthWrong(bytes: bytes.byteCount))
        }
        let block = SecretBlock(copying: bytes, in: arena)
        return block.map { .success($0) } ?? .failure(.memoryExhausted)
    }

    /// One segment of a path without what a URL gives a meaning to.
    static func isName(_ name: String) -> Bool {
        guard (1...128).contains(name.utf8.count), name != ".", name != ".." else { return false }
        return name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte) || "-_.".utf8.contains(byte)
        }
    }

    /// `vault:vN:BASE64`
    static func isCiphertext(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard text.utf8.count <= ciphertextMax, parts.count == 3, parts[0] == "vault",
            parts[1].hasPrefix("v"), !parts[2].isEmpty
        else { return false }
        let number = parts[1].dropFirst()
        return Int32(number).map { $0 > 0 && String($0) == number } ?? false
            && parts[2].utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}

extension SecretBlock {
    /// nil when the arena has no block left, or there is nothing to copy.
    convenience init?(copying bytes: RawSpan, in arena: SecretArena) {
        guard bytes.byteCount > 0 else { return nil }
        self.init(bytes.byteCount, in: arena) { room throws(Never) in
            bytes.withUnsafeBytes { room.copyMemory(from: $0) }
        }
    }
}
