// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import Foundation
import KubernetesFormat
import RequestSignature
import SecretMemory
import TestKit
import Testing

/// What the tests sign and verify with: the credentials of AWS's examples, and others.
enum TestWorld {
    static let digests = CryptoHasher()
    static let accessKeyID = "AKIAIOSFODNN7EXAMPLE"
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static let region = "us-east-1"

    /// 2013-05-24T00:00:00Z, the time of AWS's examples.
    static let exampleTime: Int64 = 1_369_353_600

    /// Small, of whatever memory there is: what it holds here is no secret.
    static func arena(bytes: Int = 64 << 10) throws -> SecretArena {
        try SecretArena(bytes: bytes, minimumTier: .ordinary)
    }

    /// One for all tests: making one costs system calls.
    private static let shared = Result { try arena() }

    static func verifier(region: String = region) throws -> RequestVerifier {
        RequestVerifier(region: region, digests, keyMemory: try shared.get())
    }

    static func signer(
        accessKeyID: String = accessKeyID, region: String = region
    ) throws -> RequestSigner {
        RequestSigner(
            accessKeyID: accessKeyID, region: region, digests, keyMemory: try shared.get())
    }

    /// Lends the secrets of a table.
    static func keys(
        _ secrets: [String: String] = [accessKeyID: secret], token: String? = nil
    ) -> AccessKeyLookup {
        { accessKeyID, lend in
            guard let secret = secrets[accessKeyID] else { return }
            let bytes = Array(secret.utf8)
            guard let token else { return lend(bytes.span.bytes, nil) }
            let tokenBytes = Array(token.utf8)
            lend(bytes.span.bytes, tokenBytes.span.bytes)
        }
    }

    static func verify(
        _ head: RequestHead, now: Int64 = exampleTime,
        keys: AccessKeyLookup = TestWorld.keys()
    ) throws(SignatureRefusal) -> VerifiedRequest {
        guard let verifier = try? verifier() else { throw .keyUnavailable(.memoryExhausted) }
        return try verifier.verify(head, now: now, keys: keys)
    }

    /// Why a request is refused; nil: it is not.
    static func refusal(
        _ head: RequestHead, now: Int64 = exampleTime,
        keys: AccessKeyLookup = TestWorld.keys()
    ) -> SignatureRefusal? {
        do throws(SignatureRefusal) {
            _ = try verify(head, now: now, keys: keys)
            return nil
        } catch {
            return error
        }
    }

    /// Reads a file of Fixtures/sigv4.
    static func fixture(_ name: String) throws -> Data {
        try Data(contentsOf: URL(filePath: Checkout.root).appending(path: "Fixtures/sigv4/\(name)"))
    }
}

extension Data {
    /// As JSON.
    func decoded<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: self)
    }
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
