// SPDX-License-Identifier: Apache-2.0
import Ports
import Testing

/// A store, whatever stands behind it, with values as text so that checks can compare them.
final class StoreUnderTest {
    private var store: any (SecretStore & SecretFieldNames & TransitEngine & ~Copyable)

    init(_ store: consuming any (SecretStore & SecretFieldNames & TransitEngine & ~Copyable)) {
        self.store = store
    }

    deinit { store.forget() }

    /// What a read brought.
    struct Reading {
        var values: [String]
        var facts: SecretFacts
    }

    @discardableResult
    func logIn() throws -> Grant { try store.logIn() }

    /// - Parameter onLease: as the port has it.
    func read(
        _ path: String, _ fields: [String], parameters: [String: String] = [:],
        onLease: (Lease) -> Void = { _ in }
    ) throws -> Reading {
        let query = SecretQuery(
            path: path,
            parameters: parameters.sorted { $0.key < $1.key }.map {
                .init(name: $0.key, value: $0.value)
            })
        var values: [String] = []
        do {
            let facts = try store.read(query, fields: fields, onLease: onLease) { index, value in
                precondition(index == values.count, "fields come once each, in order")
                values.append(value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
            }
            return Reading(values: values, facts: facts)
        } catch {
            precondition(values.isEmpty, "a failed read hands nothing over")
            throw error
        }
    }

    /// Reads something that comes with a lease.
    func lease(
        _ path: String, _ field: String, parameters: [String: String] = [:]
    ) throws -> (lease: Lease, value: String) {
        var leases: [Lease] = []
        let reading = try read(path, [field], parameters: parameters) { leases.append($0) }
        #expect(leases.count == 1 && reading.facts.lease == leases.first)
        return (try #require(leases.first), try #require(reading.values.first))
    }

    func currentVersion(_ path: String) throws -> Int? {
        try store.currentVersion(of: SecretQuery(path: path))
    }

    func fieldNames(_ path: String) throws -> [String] { try store.fieldNames(of: path) }

    func renewToken() throws -> Grant { try store.renewToken() }
    func renew(_ lease: LeaseID) throws -> Grant { try store.renew(lease) }
    func revoke(_ lease: LeaseID) throws { try store.revoke(lease) }
    func revokeToken() throws { try store.revokeToken() }
    func forget() { store.forget() }

    func encrypt(
        _ plaintext: [UInt8], key: String, binding: TransitBinding = .none
    ) throws -> String {
        try store.encrypt(plaintext.span.bytes, key: key, binding: binding)
    }

    func decrypt(
        _ ciphertext: String, key: String, binding: TransitBinding = .none
    ) throws -> [UInt8] {
        var plaintext: [UInt8]?
        try store.decrypt(ciphertext, key: key, binding: binding) { bytes in
            plaintext = bytes.withUnsafeBytes { Array($0) }
        }
        return try #require(plaintext)
    }
}
