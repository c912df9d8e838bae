// SPDX-License-Identifier: Apache-2.0
import JSONFormat
import SecretMemory

/// Reads from a line what its verification needs.
struct EventLineReader {
    /// `type` as it stands there.
    let type: String
    let time: String
    let loss: EventLoss?
    let checkpoint: EventCheckpoint?
    let torn: EventTornLine?

    /// nil unless the line is JSON and has these members in their shapes.
    init?(_ line: [UInt8]) {
        let reader = line.withUnsafeBytes { bytes in
            do throws(JSONFormatFailure) {
                return try Self(bytes.bytes)
            } catch {
                return nil
            }
        }
        guard let reader else { return nil }
        self = reader
    }

    private init?(_ document: RawSpan) throws(JSONFormatFailure) {
        let root = try JSONFormat.check(document)
        guard let type = try Self.text(["type"], root, document),
            let time = try Self.text(["time"], root, document)
        else { return nil }
        self.type = type
        self.time = time
        loss =
            type == EventType.eventLoss.rawValue ? try Self.loss(root, document) : nil
        checkpoint =
            type == EventType.checkpoint.rawValue ? try Self.checkpoint(root, document) : nil
        torn = type == EventType.agentFailure.rawValue ? try Self.torn(root, document) : nil
    }

    private static func text(
        _ path: [String], _ root: JSONValue, _ document: RawSpan
    ) throws(JSONFormatFailure) -> String? {
        guard let value = try JSONFormat.value(at: path, from: root, in: document) else {
            return nil
        }
        return try JSONText.publicText(value, in: document)
    }

    private static func number(
        _ path: [String], _ root: JSONValue, _ document: RawSpan
    ) throws(JSONFormatFailure) -> UInt64? {
        try text(path, root, document).flatMap { UInt64($0) }
    }

    private static func loss(
        _ root: JSONValue, _ document: RawSpan
    ) throws(JSONFormatFailure) -> EventLoss? {
        guard let word = try text(["loss", "source"], root, document),
            let source = EventLoss.Source(rawValue: word),
            let from = try number(["loss", "from"], root, document),
            let to = try number(["loss", "to"], root, document),
            let count = try number(["loss", "count"], root, document), from <= to
        else { return nil }
        return EventLoss(
            source: source, sink: try text(["loss", "sink"], root, document), from: from, to: to,
            count: count)
    }

    private static func torn(
        _ root: JSONValue, _ document: RawSpan
    ) throws(JSONFormatFailure) -> EventTornLine? {
        guard let sink = try text(["torn", "sink"], root, document),
            let byteCount = try number(["torn", "bytes"], root, document),
            let digits = try text(["torn", "hash"], root, document),
            let hash = EventHash(hexadecimal: digits.utf8)
        else { return nil }
        return EventTornLine(sink: sink, byteCount: byteCount, hash: hash)
    }

    private static func checkpoint(
        _ root: JSONValue, _ document: RawSpan
    ) throws(JSONFormatFailure) -> EventCheckpoint? {
        guard let index = try number(["checkpoint", "index"], root, document),
            let head = try text(["checkpoint", "head"], root, document),
            let hash = EventHash(hexadecimal: head.utf8),
            let name = try text(["checkpoint", "key"], root, document),
            let key = CheckpointKey(name),
            let digits = try text(["checkpoint", "signature"], root, document),
            let signature = Hexadecimal.bytes(digits.utf8),
            signature.count == EventCheckpoint.signatureBytes
        else { return nil }
        return EventCheckpoint(index: index, head: hash, key: key, signature: signature)
    }
}

extension EventCheckpoint {
    /// What was signed, with the time as the line has it.
    static func message(link: EventLink, checkpoint: EventCheckpoint, time: String) -> [UInt8] {
        Array(
            ("cloudtaser event checkpoint v1\n\(link.segment.text) \(checkpoint.index)\n"
                + "\(checkpoint.head.text)\n\(time)\n").utf8)
    }
}
