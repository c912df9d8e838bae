// SPDX-License-Identifier: Apache-2.0
import Glibc
import Ports
import Synchronization

/// A vault that does what a test says, and counts. Its "encryption" turns bytes around.
final class Script: Sendable {
    struct State {
        var logins = 0
        var loginsUnderWay = 0
        var loginsAtOnceMax = 0
        var renewals = 0
        var made = 0
        var makesUnderWay = 0
        var makesAtOnceMax = 0
        var forgotten = 0
        var encryptions = 0
        var decryptions = 0
        /// Taken from the front, one a call; then all succeed.
        var loginFailures: [SecretStoreFailure] = []
        /// After those.
        var loginAlwaysFails: SecretStoreFailure?
        var callFailures: [SecretStoreFailure] = []
        var makeFailure: SecretStoreFailure?
        var grant = Grant(lifetime: nil, isRenewable: false)
        var isHeld = false
        var secrets: [String: [(name: String, value: String)]] = [:]
    }

    private let state = Mutex(State())

    func with<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        state.withLock { body(&$0) }
    }

    /// Calls wait until the test lets go.
    func waitWhileHeld() {
        while with({ $0.isHeld }) { usleep(1000) }
    }

    func store() throws(SecretStoreFailure) -> ScriptedStore {
        let failure = with { state in
            state.made += 1
            state.makesUnderWay += 1
            state.makesAtOnceMax = max(state.makesAtOnceMax, state.makesUnderWay)
            return state.makeFailure
        }
        usleep(5000)
        with { $0.makesUnderWay -= 1 }
        if let failure { throw failure }
        return ScriptedStore(script: self)
    }
}

struct ScriptedStore: SecretStore, TransitEngine, SecretFieldNames, ~Copyable {
    let script: Script

    mutating func logIn() throws(SecretStoreFailure) -> Grant {
        script.with { state in
            state.logins += 1
            state.loginsUnderWay += 1
            state.loginsAtOnceMax = max(state.loginsAtOnceMax, state.loginsUnderWay)
        }
        // Long enough for others to come in, if they may.
        usleep(5000)
        script.waitWhileHeld()
        let outcome: Result<Grant, SecretStoreFailure> = script.with { state in
            state.loginsUnderWay -= 1
            if !state.loginFailures.isEmpty { return .failure(state.loginFailures.removeFirst()) }
            if let failure = state.loginAlwaysFails { return .failure(failure) }
            return .success(state.grant)
        }
        return try outcome.get()
    }

    mutating func encrypt(
        _ plaintext: RawSpan, key: String, binding: TransitBinding
    ) throws(SecretStoreFailure) -> String {
        script.with { $0.encryptions += 1 }
        try fail()
        let bytes = plaintext.withUnsafeBytes { Array($0) }
        return "vault:v1:" + bytes.reversed().map { String(UInt16($0) + 256, radix: 16) }.joined()
    }

    mutating func decrypt(
        _ ciphertext: String, key: String, binding: TransitBinding,
        receive: (RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        script.with { $0.decryptions += 1 }
        try fail()
        let digits = Array(ciphertext.utf8.dropFirst("vault:v1:".utf8.count))
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 3) {
            let text = String(decoding: digits[start..<start + 3], as: UTF8.self)
            bytes.append(UInt8(truncatingIfNeeded: UInt16(text, radix: 16) ?? 0))
        }
        bytes.reverse()
        try receive(bytes.span.bytes)
    }

    mutating func fieldNames(of path: String) throws(SecretStoreFailure) -> [String] {
        try fail()
        let fields = script.with { $0.secrets[path] }
        guard let fields else { throw .notFound(path: path) }
        return fields.map(\.name)
    }

    mutating func read(
        _ query: SecretQuery, fields: [String], onLease: (Lease) -> Void,
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) -> SecretFacts {
        try fail()
        let known = script.with { $0.secrets[query.path] }
        guard let known else { throw .notFound(path: query.path) }
        for (index, field) in fields.enumerated() {
            guard let value = known.first(where: { $0.name == field })?.value else {
                throw .fieldMissing(path: query.path, field: field)
            }
            let bytes = Array(value.utf8)
            try receive(index, bytes.span.bytes)
        }
        return SecretFacts()
    }

    mutating func renewToken() throws(SecretStoreFailure) -> Grant {
        script.with { state in
            state.renewals += 1
            return state.grant
        }
    }

    mutating func currentVersion(of query: SecretQuery) -> Int? { nil }
    mutating func renew(_ lease: LeaseID) throws(SecretStoreFailure) -> Grant {
        throw .leaseUnknown
    }
    mutating func revoke(_ lease: LeaseID) {}
    mutating func revokeToken() {}
    mutating func forget() { script.with { $0.forgotten += 1 } }

    private func fail() throws(SecretStoreFailure) {
        script.waitWhileHeld()
        let failure: SecretStoreFailure? = script.with { state in
            state.callFailures.isEmpty ? nil : state.callFailures.removeFirst()
        }
        if let failure { throw failure }
    }
}
