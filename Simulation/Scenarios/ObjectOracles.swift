// SPDX-License-Identifier: Apache-2.0
internal import SealedObject
package import SimulationEngine

/// What was acknowledged is read, whole and as it was; what was not is not there, unless its
/// outcome was told to be unknown.
///
/// A content may be read when its write had begun, was not refused, and was not over before an
/// acknowledged write began that was over before the read began.
package final class ObjectIntegrityOracle: Oracle {
    private struct Write {
        let id: Int
        let value: ObjectValue
        let began: Int
        /// nil: under way.
        var ended: Int?
        var outcome = ObjectWriteEnded.Outcome.unknown
        /// Of a copy that is over.
        var copied: Set<ObjectValue> = []
    }

    package let name = "object-integrity"
    private var writes: [String: [Write]] = [:]
    private var keys: [Int: String] = [:]
    private var reads: [Int: Int] = [:]
    /// Counts facts: several happen at one moment.
    private var now = 0

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(ObjectWriteBegan.self) { [self] in begin($0) }
        registry.on(ObjectWriteEnded.self) { [self] in end($0) }
        registry.on(ObjectReadBegan.self) { [self] in
            now += 1
            reads[$0.id] = now
        }
        registry.on(ObjectReadEnded.self) { [self, unowned registry] in judge($0, registry) }
        registry.on(ObjectsListed.self) { [self, unowned registry] in judge($0, registry) }
    }

    package func finish() {}

    private func begin(_ write: ObjectWriteBegan) {
        now += 1
        keys[write.id] = write.key
        writes[write.key, default: []].append(
            Write(id: write.id, value: write.value, began: now))
    }

    private func end(_ end: ObjectWriteEnded) {
        now += 1
        guard let key = keys[end.id],
            let index = writes[key]?.firstIndex(where: { $0.id == end.id }),
            var write = writes[key]?[index]
        else { return }
        if case .copy(let source) = write.value {
            write.copied = possible(source, since: write.began, [key]).subtracting([.absent])
        }
        write.ended = now
        write.outcome = end.outcome
        writes[key]?[index] = write
    }

    /// What may stand there at some time from `start` until now.
    ///
    /// - Parameter seen: keys that are being asked about already.
    private func possible(
        _ key: String, since start: Int, _ seen: Set<String> = []
    ) -> Set<ObjectValue> {
        let all = writes[key] ?? []
        // What was over before this one began has been overwritten for certain.
        let last = all.reduce(0) { last, write in
            guard write.outcome == .acknowledged, let ended = write.ended, ended <= start else {
                return last
            }
            return max(last, write.began)
        }
        var values: Set<ObjectValue> = last == 0 ? [.absent] : []
        for write in all where write.outcome != .none {
            if let ended = write.ended, ended < last { continue }
            guard case .copy(let source) = write.value else {
                values.insert(write.value)
                continue
            }
            if write.ended != nil {
                values.formUnion(write.copied)
            } else if !seen.contains(source) {
                let copied = possible(source, since: write.began, seen.union([key]))
                values.formUnion(copied.subtracting([.absent]))
            }
        }
        return values
    }

    private func judge(_ read: ObjectReadEnded, _ registry: OracleRegistry) {
        now += 1
        guard let start = reads[read.id] else { return }
        let possible = possible(read.key, since: start)
        let wrong: String? =
            switch read.seen {
            case .absent: possible.contains(.absent) ? nil : "is not there"
            case .content(let number), .beginning(of: let number):
                possible.contains { Self.number($0) == number } ? nil : "reads content \(number)"
            case .size(let size):
                possible.contains { Self.size($0) == size } ? nil : "has size \(size)"
            case .shorter(than: let first):
                possible.contains { Self.size($0).map { $0 <= first } ?? false }
                    ? nil : "is said to be shorter than \(first)"
            case .wrong(let what): what
            case .failed: read.hadTrouble ? nil : "cannot be read though nothing is wrong"
            case .refused(let code): "is refused with \(code)"
            }
        guard let wrong else { return }
        registry.report(name, "\(read.key) \(wrong); possible: \(Self.text(possible))")
    }

    private func judge(_ list: ObjectsListed, _ registry: OracleRegistry) {
        now += 1
        guard let start = reads[list.id] else { return }
        for key in Set(writes.keys).union(list.sizes.keys).sorted() {
            let all = writes[key] ?? []
            let possible = possible(key, since: list.isStale ? 0 : start)
            guard let size = list.sizes[key] else {
                guard !list.isStale, !possible.contains(.absent) else { continue }
                registry.report(name, "\(key) is not listed")
                continue
            }
            guard possible.contains(where: { Self.number($0) != nil }) else {
                registry.report(name, "\(key) is listed and cannot be there")
                continue
            }
            // The size of what is overwritten meanwhile cannot be looked up.
            let isStill = all.allSatisfy { ($0.ended ?? .max) < start }
            guard isStill, !list.hadTrouble, !list.isStale,
                !possible.contains(where: { Self.size($0) == size })
            else { continue }
            registry.report(
                name, "\(key) is listed with size \(size); possible: \(Self.text(possible))")
        }
    }

    private static func number(_ value: ObjectValue) -> Int? {
        if case .content(let number, _) = value { number } else { nil }
    }

    private static func size(_ value: ObjectValue) -> Int64? {
        if case .content(_, let size) = value { size } else { nil }
    }

    private static func text(_ values: Set<ObjectValue>) -> String {
        values.map { "\($0)" }.sorted().joined(separator: ", ")
    }
}

/// No key seals two chunks with one nonce, and no salt gives two keys.
package final class NonceOracle: Oracle {
    private struct Pair: Hashable {
        let key: SimulatedCipher.Words
        let nonce: ChunkNonce
    }

    package let name = "nonce-reuse"
    private var sealed: Set<Pair> = []
    private var salts: [Octets32: SimulatedCipher.Words] = [:]

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(ChunkSealed.self) { [self, unowned registry] chunk in
            // Even for the same bytes: whoever seals twice does not know that they are the same.
            if !sealed.insert(Pair(key: chunk.key, nonce: chunk.nonce)).inserted {
                registry.report(name, "a key seals twice with nonce \(chunk.nonce)")
            }
            guard let salt = chunk.salt else { return }
            if let key = salts.updateValue(chunk.key, forKey: salt), key != chunk.key {
                registry.report(name, "a salt gives two keys")
            }
        }
    }

    package func finish() { (sealed, salts) = ([], [:]) }
}

/// Uploads leave nothing behind and lose no part.
package final class UploadOracle: Oracle {
    package let name = "upload-state"

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(UploadJudged.self) { [name, unowned registry] judged in
            switch judged {
            case .closed(let upload, let left):
                guard left > 0 else { return }
                registry.report(name, "upload \(upload) is over and \(left) objects of it are left")
            case .partMissing(let upload, let number):
                registry.report(name, "part \(number) of upload \(upload) is not listed as it is")
            }
        }
    }

    package func finish() {}
}

/// Whoever cannot sign, or signed for another time, gets nothing; others are not taken for them.
package final class ObjectRequestOracle: Oracle {
    package let name = "request-time"
    /// How far clocks may be apart (seconds).
    package static let skewMax: Int64 = 15 * 60

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(ObjectRequestJudged.self) { [name, unowned registry] judged in
            let isGood = judged.hasRightKey && abs(judged.secondsApart) <= Self.skewMax
            guard isGood == judged.wasRefused else { return }
            registry.report(
                name,
                "a request that was signed \(judged.secondsApart) s away"
                    + (judged.hasRightKey ? "" : " with a wrong key")
                    + (judged.wasRefused ? " was refused" : " was served"))
        }
    }

    package func finish() {}
}
