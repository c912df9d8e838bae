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

let accessKeyID = "AKIDEXAMPLE"
let secretText = "hunter2/of+the+store"
let region = "eu-test-1"

/// Where time stands still.
let instant: Int64 = 1_795_737_600

struct TestFailure: Error {}

func arena() throws -> SecretArena {
    try SecretArena(bytes: 64 << 10, minimumTier: .ordinary)
}

func block(_ text: String, in arena: SecretArena) throws -> SecretBlock {
    try #require(
        SecretBlock(text.utf8.count, in: arena) { bytes in bytes.copyBytes(from: text.utf8) })
}

/// A store at an address, with times that no busy machine exceeds unless a test wants it so.
func store(
    _ endpoint: String, authorities: LoopbackPKI? = nil, sessionToken: String? = nil,
    _ change: (inout S3HTTPSettings) -> Void = { _ in }
) throws -> S3HTTP {
    let arena = try arena()
    var settings = S3HTTPSettings(endpoint: endpoint, region: region)
    settings.allowsPlainHTTP = true
    settings.authorities = authorities.map { Array($0.authority.certificatePEM.utf8) }
    settings.connectTime = .seconds(60)
    settings.firstPause = .milliseconds(1)
    change(&settings)
    let credential = S3Credential(
        accessKeyID: accessKeyID, secret: try block(secretText, in: arena),
        sessionToken: try sessionToken.map { try block($0, in: arena) })
    return try S3HTTP(
        settings, credentials: FixedS3Credentials(credential), CryptoHasher(), keyMemory: arena,
        now: { instant })
}

/// A server with answers by a closure, and a store on it.
struct Scripted {
    let server: PlainServer
    let store: S3HTTP

    init(
        sessionToken: String? = nil, _ change: (inout S3HTTPSettings) -> Void = { _ in },
        answer: @escaping @Sendable (SeenRequest, Int) -> ScriptedAnswer
    ) async throws {
        server = try await PlainServer(answer: answer)
        store = try S3HTTPTests.store(
            "http://127.0.0.1:\(server.port)", sessionToken: sessionToken, change)
    }

    /// The same answer always.
    init(_ answer: ScriptedAnswer) async throws {
        try await self.init { _, _ in answer }
    }
}

func bucket(_ name: String = "bucket") throws -> S3Bucket { try #require(S3Bucket(name)) }

func location(_ key: String = "key") throws -> ObjectLocation {
    ObjectLocation(try bucket(), try #require(S3Key(key)))
}

/// What a call came to.
func outcome<Value: Sendable>(
    _ call: () async throws(ObjectStoreFailure) -> Value
) async -> Result<Value, ObjectStoreFailure> {
    do throws(ObjectStoreFailure) { return .success(try await call()) } catch {
        return .failure(error)
    }
}

/// Why a call failed; nil: it did not.
func reason(
    _ call: () async throws(ObjectStoreFailure) -> some Sendable
) async -> ObjectStoreFailure? {
    if case .failure(let failure) = await outcome(call) { failure } else { nil }
}

/// A body of chunks that are there already.
final class Chunks: ObjectSource {
    private let rest: Mutex<[[UInt8]]>
    let taken = Mutex(0)
    let ends = Mutex(0)

    init(_ chunks: [[UInt8]]) { rest = Mutex(chunks) }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        let next = rest.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if next != nil { taken.withLock { $0 += 1 } } else { ends.withLock { $0 += 1 } }
        return next
    }
}

/// A body from a closure.
final class Source: ObjectSource {
    private let give: @Sendable (Int) async throws(ObjectSourceFailure) -> [UInt8]?
    let asked = Mutex(0)

    init(_ give: @escaping @Sendable (Int) async throws(ObjectSourceFailure) -> [UInt8]?) {
        self.give = give
    }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        let number = asked.withLock {
            $0 += 1
            return $0 - 1
        }
        return try await give(number)
    }
}

func body(_ text: String) -> ObjectBody {
    ObjectBody(Chunks(text.isEmpty ? [] : [Array(text.utf8)]), length: Int64(text.utf8.count))
}

extension S3HTTP {
    func put(_ body: ObjectBody) async throws(ObjectStoreFailure) -> ObjectWritten {
        guard let location = try? location() else { throw .noSuchKey }
        return try await put(location, body, ObjectWrite())
    }

    /// The whole of `key`.
    func content(
        _ range: S3ByteRange? = nil
    ) async throws(ObjectStoreFailure) -> (part: Range<Int64>, bytes: [UInt8]) {
        guard let location = try? location() else { throw .noSuchKey }
        return try await read(location.latest, range, .none) {
            (answer, stream) async throws(ObjectStoreFailure) in
            var bytes: [UInt8] = []
            while let chunk = try await stream.next() { bytes += chunk }
            return (answer.part, bytes)
        }
    }
}

extension ScriptedAnswer {
    static let tag = "\"0123\""
    static let objectHeaders = [
        ("ETag", tag), ("Last-Modified", "Fri, 27 Nov 2026 00:00:00 GMT"),
    ]

    /// As a store answers to GET.
    static func object(
        _ text: String, status: Int = 200, headers: [(String, String)] = []
    ) -> ScriptedAnswer {
        ScriptedAnswer(
            status, text,
            headers: objectHeaders + [("Content-Length", String(text.utf8.count))] + headers)
    }

    /// As a store answers to PUT.
    static let stored = ScriptedAnswer(200, "", headers: [("ETag", tag)])

    static func error(
        _ status: Int, _ code: String, headers: [(String, String)] = [], details: String = ""
    ) -> ScriptedAnswer {
        ScriptedAnswer(
            status,
            "<Error><Code>\(code)</Code><Message>hunter2</Message>\(details)</Error>",
            headers: headers)
    }

    static let emptyList = ScriptedAnswer(
        200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
}
