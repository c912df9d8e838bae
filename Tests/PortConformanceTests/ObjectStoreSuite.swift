// SPDX-License-Identifier: Apache-2.0
import Foundation
import ObjectStorePorts
import S3Format
import Synchronization
import Testing

/// What a store may lack without being wrong.
enum ObjectStoreFeature: String, CaseIterable, Sendable {
    case versions, tags, conditionalWrites, conditionalDeletes
    /// Keys that no file can have: `a//b`, `a/`, and `a` beside `a/b`; and lists that are sorted by
    /// the bytes of keys that look alike.
    case keysThatAreNoPaths
}

/// A store that the checks run against. Checks run in parallel, each in a bucket of its own.
protocol ObjectStoreBench: Sendable {
    var store: any ObjectStore { get }
    var features: Set<ObjectStoreFeature> { get }
    /// What else a server does not do as the contract has it: names of checks, with the reasons.
    var gaps: [String: String] { get }
    /// Makes a new bucket.
    func bucket(hasVersions: Bool) async throws -> S3Bucket
}

/// What every `ObjectStore` does: one check for each line of the port's contract. Run against the
/// fake, and against real servers through the adapter.
///
/// Checks throw what they find instead of recording it, so that they can be seen to find something:
/// `ObjectStoreBrokenCopyTests` has them run against stores that break one line each.
struct ObjectStoreCheck: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let needs: Set<ObjectStoreFeature>
    let run: @Sendable (any ObjectStoreBench) async throws -> Void

    init(
        _ name: String, needs: Set<ObjectStoreFeature> = [],
        _ run: @escaping @Sendable (any ObjectStoreBench) async throws -> Void
    ) {
        testDescription = name
        self.needs = needs
        self.run = run
    }

    static let all =
        contents + reads + writes + streams + deletions + copies + lists + versions + uploads
        + uploadLists + tags + buckets

    static let names = Set(all.map(\.testDescription))
}

/// What a check found wrong.
struct ObjectStoreFinding: Error, CustomStringConvertible {
    let description: String
}

/// Throws what is wrong.
func require(_ isRight: Bool, _ what: @autoclosure () -> String) throws {
    guard isRight else { throw ObjectStoreFinding(description: what()) }
}

/// Expects a failure of the port.
func requireFailure(
    _ what: String, _ isExpected: (ObjectStoreFailure) -> Bool,
    _ call: () async throws -> some Any
) async throws {
    do {
        _ = try await call()
    } catch let failure as ObjectStoreFailure {
        return try require(isExpected(failure), "\(what): \(failure)")
    }
    throw ObjectStoreFinding(description: "\(what): it succeeded")
}

extension ObjectStoreFailure {
    /// Nothing to read there. A mark that something was deleted may be told or not.
    var isAbsent: Bool {
        switch self {
        case .noSuchKey, .deleted: true
        default: false
        }
    }
    var isConditionFailed: Bool { self == .preconditionFailed || self == .noSuchKey }
    var isUnsatisfiable: Bool { if case .rangeUnsatisfiable = self { true } else { false } }
    var isNotModified: Bool { if case .notModified = self { true } else { false } }
    var isLengthMismatch: Bool { if case .lengthMismatch = self { true } else { false } }
}

/// A body from memory that watches how it is asked.
final class ArraySource: ObjectSource {
    private struct State {
        var chunks: [[UInt8]]
        var isBusy = false
        var isOver = false
        var misuse: String?
    }

    private let state: Mutex<State>
    private let failsAtEnd: Bool

    /// - Parameter failsAtEnd: after the last chunk, instead of ending.
    init(_ bytes: [UInt8], chunkBytes: Int = 50_000, failsAtEnd: Bool = false) {
        let starts = stride(from: 0, to: bytes.count, by: chunkBytes)
        state = Mutex(
            State(chunks: starts.map { Array(bytes[$0..<min($0 + chunkBytes, bytes.count)]) }))
        self.failsAtEnd = failsAtEnd
    }

    /// What the store did that a source need not bear.
    var misuse: String? { state.withLock { $0.misuse } }
    var isOver: Bool { state.withLock { $0.isOver } }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        state.withLock {
            if $0.isBusy { $0.misuse = "asked before the last call returned" }
            if $0.isOver { $0.misuse = "asked after the end" }
            $0.isBusy = true
        }
        await Task.yield()
        let chunk: [UInt8]? = state.withLock {
            $0.isBusy = false
            guard !$0.chunks.isEmpty else {
                $0.isOver = true
                return nil
            }
            return $0.chunks.removeFirst()
        }
        if chunk == nil, failsAtEnd { throw ObjectSourceFailure() }
        return chunk
    }
}

extension ObjectStoreBench {
    var gaps: [String: String] { [:] }

    /// Runs a check. What is said to be missing has to be missing: one that succeeds all the same
    /// fails.
    func prove(_ check: ObjectStoreCheck) async throws {
        let lacking = check.needs.subtracting(features).map(\.rawValue).sorted()
        let lack = lacking.isEmpty ? nil : "it has no " + lacking.joined(separator: ", ")
        guard let reason = gaps[check.testDescription] ?? lack else {
            return try await check.run(self)
        }
        do { try await check.run(self) } catch { return }
        throw ObjectStoreFinding(
            description: "\(check.testDescription): said to be missing (\(reason)), and is there")
    }

    func location(_ bucket: S3Bucket, _ key: String) throws -> ObjectLocation {
        guard let key = S3Key(key) else { throw ObjectStoreFinding(description: "no key: \(key)") }
        return ObjectLocation(bucket, key)
    }

    /// A location in a new bucket.
    func location(_ key: String = "key", hasVersions: Bool = false) async throws -> ObjectLocation {
        try location(try await bucket(hasVersions: hasVersions), key)
    }

    @discardableResult
    func put(
        _ location: ObjectLocation, _ bytes: [UInt8], _ write: ObjectWrite = ObjectWrite(),
        hasLength: Bool = true
    ) async throws -> ObjectWritten {
        try await store.put(
            location,
            ObjectBody(ArraySource(bytes), length: hasLength ? Int64(bytes.count) : nil), write)
    }

    @discardableResult
    func putAll(_ bucket: S3Bucket, _ keys: [String]) async throws -> [S3Key] {
        for key in keys { try await put(try location(bucket, key), Array(key.utf8)) }
        return keys.compactMap { S3Key($0) }.sorted()
    }

    func read(
        _ version: ObjectVersion, _ range: S3ByteRange? = nil, _ conditions: S3Conditions = .none
    ) async throws -> (answer: ObjectAnswer, bytes: [UInt8]) {
        try await store.read(version, range, conditions) {
            (answer, stream) async throws(ObjectStoreFailure) in
            var bytes: [UInt8] = []
            while let chunk = try await stream.next() { bytes += chunk }
            return (answer, bytes)
        }
    }

    func head(
        _ version: ObjectVersion, _ conditions: S3Conditions = .none
    ) async throws -> ObjectHead {
        try await store.head(version, conditions)
    }

    func requireContent(_ version: ObjectVersion, _ wanted: [UInt8], _ what: String) async throws {
        let found = try await read(version)
        try require(found.bytes == wanted, "\(what): other content")
        try require(found.answer.head.size == wanted.count, "\(what): another size")
    }

    func requireAbsent(_ location: ObjectLocation, _ what: String) async throws {
        try await requireFailure(what, { $0.isAbsent }) { try await head(location.latest) }
    }
}

/// Bytes that differ by their seed and by their place. Large ones are made once.
func content(_ count: Int, _ seed: Int = 0) -> [UInt8] {
    guard count >= 1 << 20 else { return madeContent(count, seed) }
    let name = [count, seed]
    if let made = largeContents.withLock({ $0[name] }) { return made }
    let made = madeContent(count, seed)
    largeContents.withLock { $0[name] = made }
    return made
}

private let largeContents = Mutex<[[Int]: [UInt8]]>([:])

private func madeContent(_ count: Int, _ seed: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31) ^ ($0 >> 8) ^ (seed &* 89)) }
}
