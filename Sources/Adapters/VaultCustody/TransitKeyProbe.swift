// SPDX-License-Identifier: Apache-2.0
package import ObjectKeyPorts

/// Why a transit key is of no use for objects.
package enum TransitKeyFault: Error, Sendable, Equatable {
    case custody(KeyCustodyFailure)
    /// The vault unwraps for another context than it wrapped for: the key has no `derived=true`,
    /// and the context is ignored.
    case notDerived
    /// What came back is not what was wrapped.
    case otherKey
}

extension KeyCustodian {
    /// Wraps a key that nothing is encrypted with and unwraps it for its own and for another
    /// context. Needs no further rights than the work itself.
    package func check(name: String) async throws(TransitKeyFault) {
        let context = [UInt8](repeating: 0, count: 32)
        let other = [UInt8](repeating: 1, count: 32)
        let isSame: Bool
        let ciphertext: String
        do throws(KeyCustodyFailure) {
            let key = try newKey()
            ciphertext = try await wrap(key, name: name, context: context)
            let back = try await unwrap(ciphertext, name: name, context: context)
            isSame = key.hasSameBytes(as: back)
        } catch { throw .custody(error) }
        guard isSame else { throw .otherKey }
        do throws(KeyCustodyFailure) {
            _ = try await unwrap(ciphertext, name: name, context: other)
        } catch {
            guard error == .notAuthentic else { throw .custody(error) }
            return
        }
        throw .notDerived
    }
}
