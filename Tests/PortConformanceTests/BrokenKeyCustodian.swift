// SPDX-License-Identifier: Apache-2.0
import ObjectKeyPorts
import SecretMemory
import Simulation
import Synchronization

/// A custodian that breaks one line of the contract.
final class BrokenKeyCustodian: KeyCustodian {
    enum Fault: String, CaseIterable, Sendable {
        case ignoresContext, ignoresContextAfterRewrap, returnsAnotherKey, showsTheKey
        case repeatsKeys, takesAnyLength, mixesCallsUp, ignoresChanges, hidesMissingKeys
        case keepsKeys, ignoresCancellation

        /// Names of the checks that find it.
        var foundBy: [String] {
            switch self {
            case .ignoresContext: ["another context is not authentic"]
            case .ignoresContextAfterRewrap:
                ["a rewrap inside the vault keeps the key and the context"]
            case .returnsAnotherKey: ["what was wrapped is unwrapped, as often as asked"]
            case .showsTheKey: ["a ciphertext does not show the key"]
            case .repeatsKeys: ["new keys are 32 bytes that nobody has seen"]
            case .takesAnyLength: ["only keys of 32 bytes are wrapped and unwrapped"]
            case .mixesCallsUp: ["calls at the same time get their own keys"]
            case .ignoresChanges: ["a changed ciphertext is not authentic"]
            case .hidesMissingKeys:
                ["another transit key is not authentic, and one that is not is told"]
            case .keepsKeys: ["keys are in the arena, and go back to it"]
            case .ignoresCancellation: ["a task that was cancelled does not ask"]
            }
        }
    }

    private let good: any KeyCustodian
    private let fault: Fault
    private let kept = Mutex<[SecretBlock]>([])

    init(_ good: any KeyCustodian, fault: Fault) {
        self.good = good
        self.fault = fault
    }

    func newKey() throws(KeyCustodyFailure) -> SecretBlock {
        if fault == .repeatsKeys, let key = kept.withLock({ $0.first }) { return key }
        let key = try good.newKey()
        if fault == .repeatsKeys || fault == .keepsKeys { kept.withLock { $0.append(key) } }
        return key
    }

    func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        switch fault {
        case .showsTheKey:
            return "vault:v1:" + SimulatedBase64.encoded(key.bytes)
        case .takesAnyLength where key.count != 32:
            return try await good.wrap(try good.newKey(), name: name, context: context)
        case .ignoresCancellation:
            let good = good
            return try await detached { () async throws(KeyCustodyFailure) in
                try await good.wrap(key, name: name, context: context)
            }
        default:
            return try await good.wrap(key, name: name, context: bound(context, "vault:v1:"))
        }
    }

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        let good = good
        let bound = bound(context, ciphertext)
        do throws(KeyCustodyFailure) {
            let key = try await good.unwrap(ciphertext, name: name, context: bound)
            switch fault {
            case .returnsAnotherKey: return try good.newKey()
            case .mixesCallsUp:
                // The key of whoever asked before.
                return kept.withLock { kept in
                    kept.append(key)
                    return kept.count > 1 ? kept.removeFirst() : key
                }
            default: return key
            }
        } catch {
            switch (fault, error) {
            case (.ignoresChanges, .notAuthentic), (.hidesMissingKeys, .vault):
                if fault == .ignoresChanges { return try good.newKey() }
                throw .notAuthentic
            case (.ignoresCancellation, .cancelled): return try good.newKey()
            case (.ignoresContextAfterRewrap, .notAuthentic)
            where ciphertext.hasPrefix("vault:v2:"):
                return try good.newKey()
            default: throw error
            }
        }
    }

    private func bound(_ context: [UInt8], _ ciphertext: String) -> [UInt8] {
        fault == .ignoresContext ? [UInt8](repeating: 0, count: 32) : context
    }

    private func detached(
        _ body: @escaping @Sendable () async throws(KeyCustodyFailure) -> String
    ) async throws(KeyCustodyFailure) -> String {
        try await Task.detached { () async -> Result<String, KeyCustodyFailure> in
            do throws(KeyCustodyFailure) { return .success(try await body()) } catch {
                return .failure(error)
            }
        }.value.get()
    }
}
