// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import LoopbackPKI
import ObjectStorePorts
import S3Format
import S3HTTP
import ScriptedServer
import SecretMemory
import Synchronization
import Testing

/// A call, and how often it is made after failures.
struct Repeated: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// After a failure that may have had an effect.
    let isRepeatedAfterEffect: Bool
    /// After one that had none.
    let isRepeatedWithoutEffect: Bool
    let call: @Sendable (S3HTTP) async throws(ObjectStoreFailure) -> Void

    init(
        _ name: String, _ isRepeatedAfterEffect: Bool, isRepeatedWithoutEffect: Bool = true,
        _ call: @escaping @Sendable (S3HTTP) async throws(ObjectStoreFailure) -> Void
    ) {
        testDescription = name
        self.isRepeatedAfterEffect = isRepeatedAfterEffect
        self.isRepeatedWithoutEffect = isRepeatedWithoutEffect
        self.call = call
    }

    static let tag = S3Conditions(ifMatch: .some([S3EntityTag("\"a\"")]))

    static let all = objects + lists + uploads

    static let objects = [
        Repeated("put", false, isRepeatedWithoutEffect: false) {
            store throws(ObjectStoreFailure) in _ = try await store.put(body("a"))
        },
        Repeated("read", true) { store throws(ObjectStoreFailure) in
            _ = try await store.content()
        },
        Repeated("head", true) { store throws(ObjectStoreFailure) in
            _ = try await store.head(try locationOrFail().latest, .none)
        },
        Repeated("delete", true) { store throws(ObjectStoreFailure) in
            _ = try await store.delete(try locationOrFail().latest, .none)
        },
        Repeated("delete with a condition", false) { store throws(ObjectStoreFailure) in
            _ = try await store.delete(try locationOrFail().latest, tag)
        },
        Repeated("delete several", true) { store throws(ObjectStoreFailure) in
            _ = try await store.delete(
                [.init(key: try locationOrFail().key)], in: try bucketOrFail("bucket"))
        },
        Repeated("delete several with a condition", false) { store throws(ObjectStoreFailure) in
            _ = try await store.delete(
                [.init(key: try locationOrFail().key, tag: S3EntityTag("\"a\""))],
                in: try bucketOrFail("bucket"))
        },
        Repeated("copy", false) { store throws(ObjectStoreFailure) in
            _ = try await store.copy(
                try locationOrFail().latest, .none, to: try locationOrFail("b"), ObjectWrite())
        },
        Repeated("tags", true) { store throws(ObjectStoreFailure) in
            _ = try await store.tags(try locationOrFail().latest)
        },
        Repeated("setTags", true) { store throws(ObjectStoreFailure) in
            try await store.setTags(try locationOrFail().latest, S3Tagging(tags: []))
        },
        Repeated("removeTags", true) { store throws(ObjectStoreFailure) in
            try await store.removeTags(try locationOrFail().latest)
        },
    ]

    static let lists = [
        Repeated("list", true) { store throws(ObjectStoreFailure) in
            _ = try await store.list(try bucketOrFail("bucket"), ObjectQuery())
        },
        Repeated("listVersions", true) { store throws(ObjectStoreFailure) in
            _ = try await store.listVersions(try bucketOrFail("bucket"), ObjectMarkerQuery())
        },
        Repeated("listUploads", true) { store throws(ObjectStoreFailure) in
            _ = try await store.listUploads(try bucketOrFail("bucket"), ObjectMarkerQuery())
        },
        Repeated("listParts", true) { store throws(ObjectStoreFailure) in
            _ = try await store.listParts(
                ObjectUpload(try locationOrFail(), id: "u"), after: 0, entriesMax: 1)
        },
    ]

    static let uploads = [
        Repeated("createUpload", false) { store throws(ObjectStoreFailure) in
            _ = try await store.createUpload(try locationOrFail(), ObjectWrite())
        },
        Repeated("uploadPart", false, isRepeatedWithoutEffect: false) {
            store throws(ObjectStoreFailure) in
            _ = try await store.uploadPart(
                ObjectUpload(try locationOrFail(), id: "u"), 1, body("a"))
        },
        Repeated("copyPart", true) { store throws(ObjectStoreFailure) in
            _ = try await store.copyPart(
                ObjectUpload(try locationOrFail(), id: "u"), 1, from: try locationOrFail().latest,
                nil, .none)
        },
        Repeated("completeUpload", false) { store throws(ObjectStoreFailure) in
            _ = try await store.completeUpload(
                ObjectUpload(try locationOrFail(), id: "u"),
                [.init(number: 1, tag: S3EntityTag("\"a\""))], .none)
        },
        Repeated("abortUpload", true) { store throws(ObjectStoreFailure) in
            try await store.abortUpload(ObjectUpload(try locationOrFail(), id: "u"))
        },
    ]
}

@Suite struct `Calls to S3 after failures` {
    @Test(arguments: Repeated.all)
    func `are repeated where that does no harm`(_ repeated: Repeated) async throws {
        for (answer, failure, isRepeated) in [
            (
                ScriptedAnswer.error(503, "SlowDown"),
                ObjectStoreFailure.slowDown(retryAfterSeconds: nil),
                repeated.isRepeatedWithoutEffect
            ),
            (
                .error(500, "InternalError"), .serverError(status: 500),
                repeated.isRepeatedAfterEffect
            ),
            // The same again is of no use.
            (.error(403, "AccessDenied"), .accessDenied, false),
        ] {
            let scripted = try await Scripted({ $0.attemptsMax = 4 }) { _, _ in answer }
            let found = await reason { () async throws(ObjectStoreFailure) in
                try await repeated.call(scripted.store)
            }
            // HEAD has no document to say more than its status does.
            let isHead = repeated.testDescription == "head" && failure.effect == .none
            let meaning = isHead && isRepeated ? .serverError(status: 503) : failure
            #expect(found == meaning)
            #expect(scripted.server.requests.count == (isRepeated ? 4 : 1), "\(failure)")
        }
    }

    @Test func `succeed when the failure has passed`() async throws {
        let scripted = try await Scripted { _, number in
            number < 2 ? .error(503, "SlowDown") : .emptyList
        }
        _ = try await scripted.store.list(bucket(), ObjectQuery())
        #expect(scripted.server.requests.count == 3)
    }

    @Test func `do not wait longer than a call may last`() async throws {
        let scripted = try await Scripted(
            .error(503, "SlowDown", headers: [("Retry-After", "3600")]))
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await scripted.store.list(try bucketOrFail("bucket"), ObjectQuery())
            } == .slowDown(retryAfterSeconds: 3600))
        #expect(scripted.server.requests.count == 1)
    }

    /// The attempt whose answer was lost may have been the one that made it go.
    @Test func `an upload that is gone after a lost answer was aborted`() async throws {
        let lost = try await Scripted { _, number in
            number == 0 ? .error(500, "InternalError") : .error(404, "NoSuchUpload")
        }
        try await lost.store.abortUpload(ObjectUpload(location(), id: "u"))
        #expect(lost.server.requests.count == 2)
        let busy = try await Scripted { _, number in
            number == 0 ? .error(503, "SlowDown") : .error(404, "NoSuchUpload")
        }
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await busy.store.abortUpload(ObjectUpload(try locationOrFail(), id: "u"))
            } == .noSuchUpload)
    }

    /// Each attempt asks for the credential anew.
    @Test func `use the credential of the moment`() async throws {
        let server = try await PlainServer { _, number in
            number == 0 ? .error(503, "SlowDown") : .emptyList
        }
        let arena = try arena()
        let credentials = Rotating(try block(secretText, in: arena))
        var settings = S3HTTPSettings(
            endpoint: "http://127.0.0.1:\(server.port)", region: region)
        settings.allowsPlainHTTP = true
        settings.firstPause = .milliseconds(1)
        let store = try S3HTTP(
            settings, credentials: credentials, CryptoHasher(), keyMemory: arena)
        _ = try await store.list(bucket(), ObjectQuery())
        let ids = server.requests.compactMap { request in
            request.header("authorization")?.split(separator: "=").dropFirst().first?
                .split(separator: "/").first
        }
        #expect(ids == ["id0", "id1"])
        credentials.end()
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.list(try bucketOrFail("bucket"), ObjectQuery())
            } == .credentialUnavailable(detail: "none left"))
        #expect(server.requests.count == 2)
    }

    @Test func `are no calls without memory for a key`() async throws {
        let server = try await PlainServer { _, _ in .emptyList }
        let arena = try arena()
        let full = try SecretArena(bytes: 4096, minimumTier: .ordinary)
        while full.allocate(16) != nil {}
        var settings = S3HTTPSettings(
            endpoint: "http://127.0.0.1:\(server.port)", region: region)
        settings.allowsPlainHTTP = true
        let credential = S3Credential(
            accessKeyID: accessKeyID, secret: try block(secretText, in: arena))
        let store = try S3HTTP(
            settings, credentials: FixedS3Credentials(credential), CryptoHasher(), keyMemory: full)
        #expect(
            await reason { () async throws(ObjectStoreFailure) in
                try await store.list(try bucketOrFail("bucket"), ObjectQuery())
            } == .credentialUnavailable(detail: "no secret memory is left for a signing key"))
        #expect(server.requests.isEmpty)
    }
}

private final class Rotating: S3Credentials {
    private let secret: SecretBlock
    private let state = Mutex((count: 0, isOver: false))

    init(_ secret: SecretBlock) { self.secret = secret }

    func end() { state.withLock { $0.isOver = true } }

    func current() async throws(S3CredentialUnavailable) -> S3Credential {
        let number = state.withLock { state -> Int? in
            guard !state.isOver else { return nil }
            state.count += 1
            return state.count - 1
        }
        guard let number else { throw S3CredentialUnavailable(detail: "none left") }
        return S3Credential(accessKeyID: "id\(number)", secret: secret)
    }
}
