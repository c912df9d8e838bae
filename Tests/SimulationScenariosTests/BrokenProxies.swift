// SPDX-License-Identifier: Apache-2.0
import ObjectKeyPorts
import ObjectServerPorts
import ObjectStorePorts
import Ports
import S3Format
import SealedObject
import SecretMemory
import ServedHTTP
import SimulatedStorage
import SimulationScenarios
import Synchronization

/// Proxies with one mistake each.
enum BrokenProxies: String, CaseIterable, Sendable {
    case salts = "uses a salt again now and then"
    case eager = "takes a store that does not answer for one that has stored"
    case short = "sends what there is of a body that breaks off as a whole"
    case footless = "forgets the footer"
    case hashing = "stores the hash of the content in its metadata"
    case keys = "takes the key that it has for every context"
    case clear = "keeps keys where they are read instead of having them wrapped"
    case listing = "takes a list for the truth"
    case forgetful = "leaves the state of uploads where it is"

    /// The oracle that notices.
    var oracle: String {
        switch self {
        case .salts: "nonce-reuse"
        case .hashing, .clear: "taint"
        case .forgetful: "upload-state"
        default: "object-integrity"
        }
    }

    /// The seed that shows it.
    var seed: UInt64 {
        switch self {
        case .eager: 25
        case .listing: 32
        default: 1
        }
    }

    var tampering: ObjectProxyScenario.Tampering {
        var tampering = ObjectProxyScenario.Tampering()
        switch self {
        case .salts: tampering.wrapSalts = { RepeatingSalts(salts: $0) }
        case .eager: tampering.wrapStore = { EagerStore(store: $0) }
        case .short: tampering.wrapHandler = { ChangedAnswers(handler: $0) }
        case .footless: tampering.wrapStore = { FootlessStore(store: $0) }
        case .hashing:
            tampering.wrapHandler = { HashNoting(handler: $0) }
            tampering.wrapStore = { HashTellingStore(store: $0) }
        case .keys: tampering.wrapCustodian = { OneKeyCustodian(custodian: $0) }
        case .clear: tampering.wrapCustodian = { ClearCustodian(custodian: $0) }
        case .listing: tampering.wrapStore = { ListBelievingStore(store: $0) }
        case .forgetful: tampering.wrapStore = { KeepingStore(store: $0) }
        }
        return tampering
    }
}

private final class RepeatingSalts: SaltSource {
    private let salts: any SaltSource
    private let last = Mutex<(salt: [UInt8], count: Int)>(([], 0))

    init(salts: any SaltSource) { self.salts = salts }

    func salt() throws(EntropyFailure) -> [UInt8] {
        let repeated: [UInt8]? = last.withLock { last in
            last.count += 1
            return last.count % 16 == 0 ? last.salt : nil
        }
        if let repeated { return repeated }
        let salt = try salts.salt()
        last.withLock { $0.salt = salt }
        return salt
    }
}

private struct EagerStore: ForwardingObjectStore {
    let store: any ObjectStore

    func put(
        _ location: ObjectLocation, _ body: ObjectBody, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        do throws(ObjectStoreFailure) {
            return try await store.put(location, body, write)
        } catch {
            switch error {
            case .connectionLost, .timedOut, .unreachable:
                return ObjectWritten(tag: S3EntityTag("\"made-up\""), versionID: nil)
            default: throw error
            }
        }
    }
}

private struct FootlessStore: ForwardingObjectStore {
    let store: any ObjectStore

    func completeUpload(
        _ upload: ObjectUpload, _ parts: [S3NamedPart], _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        let kept = parts.count > 1 ? Array(parts.dropLast()) : parts
        return try await store.completeUpload(upload, kept, conditions)
    }
}

/// The hash that the client signed, while its request is handled.
private enum Noted {
    @TaskLocal static var hash: String?
}

private struct HashNoting: RequestHandler {
    let handler: any RequestHandler

    func handle(
        _ request: ServedRequest, body: any RequestBody, response: any ResponseWriter
    ) async {
        let hash = request.head.fields.values(of: "x-amz-content-sha256").first
        await Noted.$hash.withValue(hash) {
            await handler.handle(request, body: body, response: response)
        }
    }
}

private struct HashTellingStore: ForwardingObjectStore {
    let store: any ObjectStore

    func put(
        _ location: ObjectLocation, _ body: ObjectBody, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        var write = write
        if let hash = Noted.hash {
            write.attributes.metadata = S3Metadata(
                entries: write.attributes.metadata.entries + [.init("hash", hash)])
        }
        return try await store.put(location, body, write)
    }
}

private final class OneKeyCustodian: KeyCustodian {
    private let custodian: any KeyCustodian
    private let known = Mutex<SecretBlock?>(nil)

    init(custodian: any KeyCustodian) { self.custodian = custodian }

    func newKey() throws(KeyCustodyFailure) -> SecretBlock { try custodian.newKey() }

    func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        try await custodian.wrap(key, name: name, context: context)
    }

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        if let known = known.withLock({ $0 }) { return known }
        let key = try await custodian.unwrap(ciphertext, name: name, context: context)
        known.withLock { $0 = key }
        return key
    }
}

private struct ClearCustodian: KeyCustodian {
    let custodian: any KeyCustodian

    func newKey() throws(KeyCustodyFailure) -> SecretBlock { try custodian.newKey() }

    func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        let bytes = key.withBytes { $0.withUnsafeBytes { [UInt8]($0) } }
        return "vault:v1:" + Base64URL.text(bytes)
    }

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        try await custodian.unwrap(ciphertext, name: name, context: context)
    }
}

private struct ListBelievingStore: ForwardingObjectStore {
    let store: any ObjectStore

    func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        try await believe(version)
        return try await store.read(version, range, conditions, receive)
    }

    func head(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectHead {
        try await believe(version)
        return try await store.head(version, conditions)
    }

    private func believe(_ version: ObjectVersion) async throws(ObjectStoreFailure) {
        let page = try await store.list(
            version.location.bucket, ObjectQuery(prefix: version.location.key))
        guard page.objects.contains(where: { $0.key == version.location.key }) else {
            throw .noSuchKey
        }
    }
}

private struct KeepingStore: ForwardingObjectStore {
    let store: any ObjectStore

    func delete(
        _ entries: [S3DeleteRequest.Entry], in bucket: S3Bucket
    ) async throws(ObjectStoreFailure) -> [ObjectDeletionOutcome] {
        entries.map {
            ObjectDeletionOutcome(
                entry: $0, result: .success(ObjectDeletion(versionID: nil, isMarker: false)))
        }
    }
}

private struct ChangedAnswers: RequestHandler {
    let handler: any RequestHandler

    func handle(
        _ request: ServedRequest, body: any RequestBody, response: any ResponseWriter
    ) async {
        await handler.handle(
            request, body: body, response: EndingWriter(writer: response))
    }
}

private struct EndingWriter: ResponseWriter {
    let writer: any ResponseWriter

    func head(_ head: ResponseHead) async throws(StreamFailure) -> HeadOutcome {
        var head = head
        if head.status == 200 || head.status == 206 {
            head.fields.removeAll { $0.name == "Content-Length" }
        }
        return try await writer.head(head)
    }

    func write(_ bytes: [UInt8]) async throws(StreamFailure) { try await writer.write(bytes) }

    func end(trailers: [HeaderField]) async throws(StreamFailure) {
        try await writer.end(trailers: trailers)
    }

    func abort() async { try? await writer.end(trailers: []) }

    func keepAlive(
        every interval: Duration, _ head: ResponseHead, opening: [UInt8]
    ) async throws(StreamFailure) {
        try await writer.keepAlive(every: interval, head, opening: opening)
    }
}
