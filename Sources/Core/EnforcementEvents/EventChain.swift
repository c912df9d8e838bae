// SPDX-License-Identifier: Apache-2.0

/// 32 bytes of SHA-256.
package struct EventHash: Sendable, Hashable {
    package static let byteCount = 32
    /// What the first line of a first segment names as its predecessor.
    package static let none = EventHash(zeros: ())
    package let bytes: [UInt8]

    /// nil unless there are 32.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// 64 digits.
    package init?(hexadecimal text: some Sequence<UInt8>) {
        guard let bytes = Hexadecimal.bytes(text) else { return nil }
        self.init(bytes)
    }

    private init(zeros: Void) { bytes = [UInt8](repeating: 0, count: Self.byteCount) }

    package var text: String { Hexadecimal.text(bytes) }
}

/// Computes SHA-256 (FIPS 180-4), which no part of the standard library does.
package protocol EventHasher: Sendable {
    func sha256(_ bytes: [UInt8]) -> EventHash
}

/// Names a run of lines that continue each other: 16 random bytes.
package struct EventSegment: Sendable, Hashable {
    package static let byteCount = 16
    package let bytes: [UInt8]

    /// nil unless there are 16.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    package init?(hexadecimal text: some Sequence<UInt8>) {
        guard let bytes = Hexadecimal.bytes(text) else { return nil }
        self.init(bytes)
    }

    package var text: String { Hexadecimal.text(bytes) }
}

/// Where a line stands.
package struct EventLink: Sendable, Hashable {
    /// A next line can always be numbered: a log with a larger index was not written by a chain.
    package static let indexMax = UInt64.max - 1

    package let segment: EventSegment
    package let index: UInt64
    package let previous: EventHash
    package let hash: EventHash

    package init(segment: EventSegment, index: UInt64, previous: EventHash, hash: EventHash) {
        precondition(index <= Self.indexMax, "a chain has no line \(index)")
        self.segment = segment
        self.index = index
        self.previous = previous
        self.hash = hash
    }
}

/// An event as it goes to the sinks.
package struct EventLine: Sendable, Equatable {
    package let event: EnforcementEvent
    package let link: EventLink
    /// One JSON object in UTF-8, without a line feed.
    package let bytes: [UInt8]
}

/// Writes events as lines, each with the hash of the one before.
package struct EventChain<Hasher: EventHasher>: Sendable {
    package private(set) var segment: EventSegment
    /// Of the next line.
    package private(set) var index: UInt64
    /// Of the last line.
    package private(set) var head: EventHash
    /// The line of `head`; nil when this segment has none yet.
    package private(set) var last: EventLink?
    private let hasher: Hasher

    /// A new segment.
    ///
    /// - Parameter last: of the segment before; its first line will name that hash. nil: none is
    ///   known.
    package init(segment: EventSegment, after last: EventLink?, hasher: Hasher) {
        self.segment = segment
        self.hasher = hasher
        index = 0
        head = last?.hash ?? .none
    }

    /// Goes on where `last` ends.
    package init(continuing last: EventLink, hasher: Hasher) {
        segment = last.segment
        self.last = last
        self.hasher = hasher
        index = last.index + 1
        head = last.hash
    }

    package mutating func append(_ event: EnforcementEvent) -> EventLine {
        var bytes = EventField.object(EventTable.event, of: event).json
        bytes.removeLast()
        bytes += EventLineEnd.unhashed(segment: segment, index: index, previous: head)
        let hash = hasher.sha256(bytes + EventLineEnd.braces)
        let link = EventLink(segment: segment, index: index, previous: head, hash: hash)
        bytes += EventLineEnd.hash(hash)
        index += 1
        head = hash
        last = link
        return EventLine(event: event, link: link, bytes: bytes)
    }

    /// Appends the checkpoint that signs everything up to `signed`, a line of this segment.
    ///
    /// - Parameter moment: occurred when the signature was asked for: that time is signed, too.
    package mutating func appendCheckpoint(
        of signed: EventLink, at moment: EnforcementEvent.Moment, key: CheckpointKey,
        signature: [UInt8], policyGeneration: UInt64, boot: BootID? = nil, node: EventText? = nil
    ) -> EventLine? {
        guard signed.segment == segment, signed.index < index,
            signature.count == EventCheckpoint.signatureBytes
        else { return nil }
        let checkpoint = EventCheckpoint(
            index: signed.index, head: signed.hash, key: key, signature: signature)
        var event = EnforcementEvent(
            .checkpoint, time: moment, policyGeneration: policyGeneration,
            details: .checkpoint(checkpoint))
        event.boot = boot
        event.node = node
        return append(event)
    }
}

/// A signature over everything up to a line.
package struct EventCheckpoint: Sendable, Equatable {
    package static let algorithm = "Ed25519"
    package static let signatureBytes = 64

    /// Of the line that is signed: the one before the checkpoint's own or, when the signature took
    /// its time, an earlier one.
    package let index: UInt64
    package let head: EventHash
    package let key: CheckpointKey
    package let signature: [UInt8]

    package init(index: UInt64, head: EventHash, key: CheckpointKey, signature: [UInt8]) {
        self.index = index
        self.head = head
        self.key = key
        self.signature = signature
    }

    /// What is signed of a line.
    package static func message(of link: EventLink, at time: EventTime) -> [UInt8] {
        message(segment: link.segment, index: link.index, head: link.hash, time: time)
    }

    /// What is signed: four lines that no other use of the key can make.
    package static func message(
        segment: EventSegment, index: UInt64, head: EventHash, time: EventTime
    ) -> [UInt8] {
        Array(
            "cloudtaser event checkpoint v1\n\(segment.text) \(index)\n\(head.text)\n\(time.text)\n"
                .utf8)
    }
}

/// Names a key: `sha256:` and the fingerprint, or a transit key with its version.
package struct CheckpointKey: Sendable, Hashable {
    package static let charactersMax = 128
    package let text: String

    /// nil unless 1…128 ASCII letters, digits or `:._/-`.
    package init?(_ text: String) {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: ":"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "/"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, (1...Self.charactersMax).contains(text.utf8.count) else { return nil }
        self.text = text
    }
}

/// Checks a checkpoint's signature with public keys that the verifier trusts.
package protocol CheckpointVerifier {
    /// Ed25519 (RFC 8032); false for an unknown key too.
    func isValid(_ signature: [UInt8], of message: [UInt8], key: CheckpointKey) -> Bool
}
