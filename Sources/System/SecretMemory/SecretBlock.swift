// SPDX-License-Identifier: Apache-2.0

/// Some secret bytes that several may hold: a block of an arena, zeroed and given back with the
/// last reference. Not Codable; printing it shows its type's name.
package final class SecretBlock: @unchecked Sendable {
    // Written once, before anybody else sees the block, and only read from then on.
    private let bytes: UnsafeMutableRawBufferPointer
    private let arena: SecretArena

    /// - Parameters:
    ///   - count: bytes, at least 1.
    ///   - fill: writes all of them.
    /// - Throws: what `fill` throws; nil when the arena has no block left.
    package init?<Failure: Error>(
        _ count: Int, in arena: SecretArena,
        fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        guard let start = arena.allocate(count) else { return nil }
        let bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
        do throws(Failure) {
            try fill(bytes)
        } catch {
            arena.free(start)
            throw error
        }
        self.bytes = bytes
        self.arena = arena
    }

    deinit {
        if let start = bytes.baseAddress { arena.free(start) }
    }

    package var count: Int { bytes.count }

    /// Lends the bytes. The span may not leave `body`.
    package func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(bytes).bytes)
    }
}
