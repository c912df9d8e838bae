// SPDX-License-Identifier: Apache-2.0
private import SecretMemory

/// Bytes of a chunk whose rest has not arrived: at most a sealed chunk. Taken from ordinary memory
/// when first needed, zeroed in the end. Not copyable, so that it has one owner in one thread.
struct ChunkBuffer: ~Copyable, @unchecked Sendable {
    private var storage: UnsafeMutableRawBufferPointer?
    private let capacity: Int
    private(set) var count = 0
    /// So many bytes have been written at some time.
    private var used = 0

    init(capacity: Int) { self.capacity = capacity }

    deinit {
        guard let storage else { return }
        SecretBytes.zero(UnsafeMutableRawBufferPointer(rebasing: storage[..<used]))
        storage.deallocate()
    }

    /// Copies as much of `source`, from `offset` on, as still fits below `limit` bytes in all.
    /// Returns how much that was.
    mutating func take(_ source: RawSpan, from offset: Int, upTo limit: Int) -> Int {
        precondition(limit <= capacity, "a chunk is larger than its buffer")
        let taken = min(limit - count, source.byteCount - offset)
        guard taken > 0 else { return 0 }
        let storage =
            self.storage
            ?? UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 64)
        self.storage = storage
        source.extracting(offset..<offset + taken).withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: storage[count..<count + taken])
                .copyMemory(from: bytes)
        }
        count += taken
        used = max(used, count)
        return taken
    }

    mutating func clear() { count = 0 }

    /// The bytes so far. The span may not leave `body`.
    func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let storage else { return try body(RawSpan()) }
        return try body(UnsafeRawBufferPointer(rebasing: storage[..<count]).bytes)
    }
}
