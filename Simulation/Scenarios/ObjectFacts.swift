// SPDX-License-Identifier: Apache-2.0
internal import SimulationEngine

/// What may stand at a key.
package enum ObjectValue: Sendable, Hashable {
    case absent
    /// Number and size of a content. No two have one number.
    case content(Int, size: Int64)
    /// What stands at another key.
    case copy(of: String)
}

/// A client's request that changes an object is on its way.
package struct ObjectWriteBegan: SimulationFact {
    package let id: Int
    package let key: String
    package let value: ObjectValue

    package init(_ id: Int, key: String, _ value: ObjectValue) {
        self.id = id
        self.key = key
        self.value = value
    }

    package var summary: String? { "\(id) \(key) \(value)" }
}

/// Nothing works on that request any more.
package struct ObjectWriteEnded: SimulationFact {
    package enum Outcome: Sendable { case acknowledged, unknown, none }

    package let id: Int
    package let outcome: Outcome

    package init(_ id: Int, _ outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }

    package var summary: String? { "\(id) \(outcome)" }
}

/// A client asks for an object or a list.
package struct ObjectReadBegan: SimulationFact {
    package let id: Int

    package init(_ id: Int) { self.id = id }

    package var summary: String? { nil }
}

/// What the client was told about one object.
package struct ObjectReadEnded: SimulationFact {
    package enum Seen: Sendable, Hashable {
        case absent
        /// All that was asked for, byte by byte, of the content of that number.
        case content(Int)
        /// A beginning of it, and the client knows that more is missing.
        case beginning(of: Int)
        /// Its size alone.
        case size(Int64)
        /// It has no byte of that number.
        case shorter(than: Int64)
        /// Something that is no content, or the whole of none.
        case wrong(String)
        /// The client was told to try again, or the connection broke.
        case failed
        /// The client was told something that trouble does not excuse.
        case refused(String)
    }

    package let id: Int
    package let key: String
    package let seen: Seen
    /// Something was wrong meanwhile that excuses a failure.
    package let hadTrouble: Bool

    package init(_ id: Int, key: String, _ seen: Seen, hadTrouble: Bool) {
        self.id = id
        self.key = key
        self.seen = seen
        self.hadTrouble = hadTrouble
    }

    package var summary: String? { "\(id) \(key) \(seen)\(hadTrouble ? ", in trouble" : "")" }
}

/// A list of all objects, and their sizes.
package struct ObjectsListed: SimulationFact {
    package let id: Int
    package let sizes: [String: Int64]
    /// It may show the bucket as it was.
    package let isStale: Bool
    /// Sizes that have to be looked up may be missing.
    package let hadTrouble: Bool

    package init(_ id: Int, sizes: [String: Int64], isStale: Bool, hadTrouble: Bool) {
        self.id = id
        self.sizes = sizes
        self.isStale = isStale
        self.hadTrouble = hadTrouble
    }

    package var summary: String? { "\(id) \(sizes.count)\(isStale ? " stale" : "")" }
}

/// What a client knows of its upload, and what the store has of it.
package enum UploadJudged: SimulationFact {
    /// It was completed or aborted while nothing was wrong; so many objects of its state are left.
    case closed(upload: String, left: Int)
    /// A list of its parts lacks one that was acknowledged, or shows another.
    case partMissing(upload: String, number: Int)
}

/// A request of a client whose clock is so far from the proxy's, or whose key is wrong.
package struct ObjectRequestJudged: SimulationFact {
    package let secondsApart: Int64
    package let hasRightKey: Bool
    package let wasRefused: Bool

    package init(secondsApart: Int64, hasRightKey: Bool, wasRefused: Bool) {
        self.secondsApart = secondsApart
        self.hasRightKey = hasRightKey
        self.wasRefused = wasRefused
    }
}
