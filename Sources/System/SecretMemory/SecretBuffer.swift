// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Bytes that must not be copied, printed, encoded, swapped, dumped or read from outside.
///
/// Shape: one mapping of whole pages between two inaccessible guard pages, `capacity` usable
/// bytes, then a canary of at least 8 bytes up to the end of the last page, checked on release.
/// Backed by memfd_secret(2) where the kernel offers it, its descriptor closed right after mmap,
/// since the descriptor is the authority. Otherwise mlock(2) + MADV_DONTDUMP, which `tier`
/// reports. Zeroed on release. Not copyable, not Codable; printing it shows its type's name.
package struct SecretBuffer: ~Copyable {
    /// Largest capacity of one buffer (bytes).
    package static let capacityBytesMax = 16 << 20

    let region: SecretRegion
    /// Usable bytes.
    package let capacity: Int
    /// Bytes in use, from the start.
    package private(set) var count = 0

    /// - Parameters:
    ///   - capacity: usable bytes, 1 ... `capacityBytesMax`.
    ///   - minimumTier: refuse rather than use memory of a lower tier.
    ///   - maximumTier: do not ask for a higher tier; for tests of the fallback.
    ///   - inheritedByChildren: false keeps the pages out of forked children (MADV_DONTFORK).
    package init(
        capacity: Int, minimumTier: MemoryTier = .locked, maximumTier: MemoryTier = .secret,
        inheritedByChildren: Bool = false
    ) throws(SecretMemoryFailure) {
        guard (1...Self.capacityBytesMax).contains(capacity) else {
            throw .sizeOutOfRange(requestedBytes: capacity, limitBytes: Self.capacityBytesMax)
        }
        region = try SecretRegion(
            payloadBytes: capacity + SecretRegion.canaryBytes, minimumTier: minimumTier,
            maximumTier: maximumTier, inheritedByChildren: inheritedByChildren)
        self.capacity = capacity
        region.writeCanary(from: capacity)
    }

    deinit {
        region.checkCanary(from: capacity)
        region.release()
    }

    /// What kind of memory this buffer got.
    package var tier: MemoryTier { region.tier }

    /// Bytes of locked memory that a buffer of this capacity takes: whole pages, canary included.
    package static func lockedBytes(forCapacity capacity: Int) -> Int {
        let page = SecretRegion.pageBytes
        return (capacity + SecretRegion.canaryBytes + page - 1) / page * page
    }

    /// Reads the bytes in use. The span may not leave `body`.
    package func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: region.payload, count: count).bytes)
    }

    /// Fills the unused rest in place; `body` returns how many bytes it wrote.
    package mutating func fill<Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        let rest = UnsafeMutableRawBufferPointer(
            start: region.payload + count, count: capacity - count)
        let written = try body(rest)
        precondition((0...rest.count).contains(written), "wrote past the buffer's capacity")
        count += written
    }

    /// Changes the bytes in use in place.
    package mutating func withMutableBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeMutableRawBufferPointer(start: region.payload, count: count))
    }

    /// Appends bytes; the source stays the caller's to zero.
    package mutating func append(_ source: RawSpan) throws(SecretMemoryFailure) {
        guard source.byteCount <= capacity - count else {
            throw .capacityExceeded(capacityBytes: capacity)
        }
        source.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(start: region.payload + count, count: bytes.count)
                .copyMemory(from: bytes)
        }
        count += source.byteCount
    }

    /// Appends one byte.
    package mutating func append(byte: UInt8) throws(SecretMemoryFailure) {
        guard count < capacity else { throw .capacityExceeded(capacityBytes: capacity) }
        region.payload.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// Appends text that is not itself secret (a name, a header).
    package mutating func append(text: StaticString) throws(SecretMemoryFailure) {
        try append(
            UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).bytes)
    }

    /// Appends the UTF-8 bytes of text that is not itself secret.
    package mutating func append(text: String) throws(SecretMemoryFailure) {
        for byte in text.utf8 { try append(byte: byte) }
    }

    /// Zeroes every byte in use and makes the buffer empty.
    package mutating func zero() {
        clinux_zero(region.payload, count)
        count = 0
    }

    /// Forgets (zeroes) the bytes after the first `newCount`.
    package mutating func truncate(to newCount: Int) {
        precondition((0...count).contains(newCount), "truncation past the bytes in use")
        clinux_zero(region.payload + newCount, count - newCount)
        count = newCount
    }
}
