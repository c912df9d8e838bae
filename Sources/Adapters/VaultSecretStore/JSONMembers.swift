// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat
internal import SecretMemory

/// Writes the text members of a flat JSON object behind what a buffer holds, or only counts the
/// bytes that they take.
struct JSONMembers: ~Copyable {
    /// nil: count only.
    private var buffer: SecretBuffer?
    private var isFirst = true
    /// Of the object, its braces included: the first comma is one that is not there.
    private(set) var byteCount = 2

    /// Counts.
    init() { buffer = nil }

    /// Writes; the buffer must have room for what was counted.
    init(into buffer: consuming SecretBuffer) { self.buffer = consume buffer }

    /// A member that is not secret.
    mutating func add(_ name: String, text: String) throws(SecretMemoryFailure) {
        let bytes = Array(text.utf8)
        try add(name, secret: bytes.span.bytes)
    }

    /// A member whose text is secret.
    mutating func add(_ name: String, secret: RawSpan) throws(SecretMemoryFailure) {
        try begin(name)
        byteCount += JSONWriter.byteCount(of: secret)
        guard var taken = buffer.take() else { return }
        try JSONWriter.append(secret, to: &taken)
        buffer = consume taken
    }

    /// A member that holds bytes as base64.
    mutating func add(_ name: String, base64 bytes: RawSpan) throws(SecretMemoryFailure) {
        try begin(name)
        byteCount += Base64.byteCount(ofEncoded: bytes.byteCount) + 2
        guard var taken = buffer.take() else { return }
        try taken.append(byte: UInt8(ascii: "\""))
        try Base64.append(bytes, to: &taken)
        try taken.append(byte: UInt8(ascii: "\""))
        buffer = consume taken
    }

    /// The buffer with the whole object; an empty one after counting only.
    consuming func finish() throws(SecretMemoryFailure) -> SecretBuffer {
        if isFirst { try append(UInt8(ascii: "{")) }
        try append(UInt8(ascii: "}"))
        guard let taken = buffer.take() else { return try SecretBuffer(capacity: 1) }
        return taken
    }

    private mutating func begin(_ name: String) throws(SecretMemoryFailure) {
        let bytes = Array(name.utf8)
        byteCount += JSONWriter.byteCount(of: bytes.span.bytes) + (isFirst ? 1 : 2)
        try append(UInt8(ascii: isFirst ? "{" : ","))
        isFirst = false
        guard var taken = buffer.take() else { return }
        try JSONWriter.append(bytes.span.bytes, to: &taken)
        try taken.append(byte: UInt8(ascii: ":"))
        buffer = consume taken
    }

    private mutating func append(_ byte: UInt8) throws(SecretMemoryFailure) {
        guard var taken = buffer.take() else { return }
        try taken.append(byte: byte)
        buffer = consume taken
    }
}
