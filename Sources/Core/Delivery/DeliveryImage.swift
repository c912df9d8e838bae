// SPDX-License-Identifier: Apache-2.0
package import SecretMemory

/// How a secret reaches the program, strongest first.
package enum DeliveryMode: String, Sendable, CaseIterable {
    /// A memfd_secret region whose strings the environment array points at.
    case splice
    /// A descriptor of a memfd_secret file that the program inherits and maps; the environment
    /// names it (`NAME=/proc/self/fd/N`). Nothing is traced.
    case file
    /// The classic environment block: readable through /proc/PID/environ.
    case environ
}

/// How `splice` follows the program's later execs.
package enum FollowStrategy: String, Sendable, CaseIterable {
    /// The tree stays traced; every fork, thread creation and delivered signal stops once.
    case attached
    /// seccomp notifies of each exec; between execs nothing is traced.
    case notified
    /// Only the first image gets the values; later execs see empty placeholders.
    case none

    /// Unless configured: keeps other tracers out of the tree, which matters as long as no agent
    /// does; chosen in docs/adr/0002-follow-strategy.md.
    package static let standard = FollowStrategy.attached
}

/// Why the values could not be laid out.
package enum DeliveryFailure: Error, Equatable {
    /// `name` is not a valid environment name (POSIX: letters, digits, `_`, not starting with
    /// a digit; here also `.` and `-`, as container runtimes accept them).
    case nameInvalid(String)
    case nameRepeated(String)
    /// An environment value cannot hold a NUL byte.
    case valueContainsNUL(name: String)
    case valueTooLarge(name: String, limitBytes: Int)
    case imageTooLarge(limitBytes: Int)
    case memory(SecretMemoryFailure)
}

/// The master copy of what is delivered: `NAME=value\0`, an 8-byte canary, then the next entry,
/// in the order added, each entry starting on an 8-byte boundary. Something about the values may be
/// put before them (`setFront`).
///
/// Kept in secret memory for the later execs of the tree.
package struct DeliveryImage: ~Copyable {
    /// Largest single value (bytes). Linux limits one environment string to 128 KiB
    /// (MAX_ARG_STRLEN, execve(2)); spliced values are not bound by it, classic ones are.
    package static let secretValueBytesMax = 1 << 20
    /// Largest image (bytes).
    package static let deliveryBytesMax = 4 << 20

    /// One entry's place.
    package struct Entry: Sendable, Equatable {
        package let name: String
        /// Of the first byte of `NAME=` from the image's start.
        package let offset: Int
        /// Of `NAME=value` without the NUL.
        package let byteCount: Int
    }

    package private(set) var entries: [Entry] = []
    /// Bytes before the first entry (`setFront`).
    package private(set) var frontBytes = 0
    private var buffer: SecretBuffer
    private let capacityMax: Int
    private let minimumTier: MemoryTier
    /// One page less the buffer's own canary: locked memory may be as little as 64 KiB.
    private static let firstCapacity = 4096 - 8

    /// - Parameter capacity: most bytes the image may grow to, up to `deliveryBytesMax`. It starts
    ///   with one page and grows by doubling.
    package init(
        capacity: Int = Self.deliveryBytesMax, minimumTier: MemoryTier
    ) throws(DeliveryFailure) {
        guard capacity <= Self.deliveryBytesMax else {
            throw .imageTooLarge(limitBytes: Self.deliveryBytesMax)
        }
        let first = try Self.makeBuffer(
            capacity: min(capacity, Self.firstCapacity), minimumTier: minimumTier)
        self.init(buffer: first, capacityMax: capacity, minimumTier: minimumTier)
    }

    private init(buffer: consuming SecretBuffer, capacityMax: Int, minimumTier: MemoryTier) {
        self.buffer = buffer
        self.capacityMax = capacityMax
        self.minimumTier = minimumTier
    }

    private static func makeBuffer(
        capacity: Int, minimumTier: MemoryTier
    ) throws(DeliveryFailure) -> SecretBuffer {
        do throws(SecretMemoryFailure) {
            return try SecretBuffer(capacity: capacity, minimumTier: minimumTier)
        } catch { throw .memory(error) }
    }

    package var tier: MemoryTier { buffer.tier }
    /// Bytes laid out so far.
    package var byteCount: Int { buffer.count }

    /// The whole image.
    package func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try buffer.withBytes(body)
    }

    /// Appends one entry.
    package mutating func append(name: String, value: RawSpan) throws(DeliveryFailure) {
        guard EnvironmentName.isValid(name) else { throw .nameInvalid(name) }
        guard !entries.contains(where: { $0.name == name }) else { throw .nameRepeated(name) }
        guard value.byteCount <= Self.secretValueBytesMax else {
            throw .valueTooLarge(name: name, limitBytes: Self.secretValueBytesMax)
        }
        let hasNUL = value.withUnsafeBytes { $0.contains(0) }
        guard !hasNUL else { throw .valueContainsNUL(name: name) }
        do throws(SecretMemoryFailure) {
            try reserve(
                Self.entryBytes(name: name, valueBytes: value.byteCount),
                within: capacityMax + frontBytes)
            let start = buffer.count
            try buffer.append(text: name)
            try buffer.append(byte: UInt8(ascii: "="))
            try buffer.append(value)
            entries.append(
                Entry(name: name, offset: start, byteCount: buffer.count - start))
            try buffer.append(byte: 0)
            try buffer.append(text: Self.canary)
            while buffer.count % 8 != 0 { try buffer.append(byte: 0) }
        } catch {
            if case .capacityExceeded = error { throw .imageTooLarge(limitBytes: capacityMax) }
            throw .memory(error)
        }
    }

    /// Bytes one entry takes: `NAME=value`, NUL, canary, padding to 8.
    private static func entryBytes(name: String, valueBytes: Int) -> Int {
        (name.utf8.count + 1 + valueBytes + 1 + canary.utf8CodeUnitCount + 7) & ~7
    }

    /// Makes room for `byteCount` more bytes, so that an append cannot stop half-way.
    private mutating func reserve(
        _ byteCount: Int, within limit: Int
    ) throws(SecretMemoryFailure) {
        let needed = buffer.count + byteCount
        guard needed <= limit else { throw .capacityExceeded(capacityBytes: capacityMax) }
        guard needed > buffer.capacity else { return }
        let doubled = (2 * (buffer.capacity + 8)) - 8
        var larger = try SecretBuffer(
            capacity: min(max(needed, doubled), limit), minimumTier: minimumTier)
        try buffer.withBytes { bytes throws(SecretMemoryFailure) in try larger.append(bytes) }
        buffer = larger
    }

    /// Keeps the first `byteCount` bytes for something about the values, which `fill` writes: it
    /// gets them, zeroed, and the values in the order of `entries`. The entries move behind them.
    ///
    /// What is there before keeps its place in memory whatever the values are. It does not count
    /// against the image's capacity. When it throws, nothing has changed.
    ///
    /// - Parameter byteCount: a multiple of 8, and no less than at an earlier call, whose bytes
    ///   are overwritten.
    package mutating func setFront<Result>(
        byteCount: Int,
        _ fill: (UnsafeMutableRawBufferPointer, [UnsafeRawBufferPointer]) -> Result
    ) throws(DeliveryFailure) -> Result {
        let shift = byteCount - frontBytes
        precondition(byteCount % 8 == 0 && shift >= 0, "the front grows in steps of 8 bytes")
        do throws(SecretMemoryFailure) {
            try reserve(shift, within: .max)
        } catch { throw .memory(error) }
        let (former, used) = (frontBytes, buffer.count - frontBytes)
        buffer.fill { rest in
            // Overwritten below, where it is not a value's.
            UnsafeMutableRawBufferPointer(rebasing: rest[..<shift])
                .initializeMemory(as: UInt8.self, repeating: 0)
            return shift
        }
        frontBytes = byteCount
        entries = entries.map {
            Entry(name: $0.name, offset: $0.offset + shift, byteCount: $0.byteCount)
        }
        let places = entries.map { entry in
            entry.offset + entry.name.utf8.count + 1..<entry.offset + entry.byteCount
        }
        return buffer.withMutableBytes { bytes in
            let values = UnsafeRawBufferPointer(rebasing: bytes[former..<former + used])
            UnsafeMutableRawBufferPointer(rebasing: bytes[byteCount...]).copyMemory(from: values)
            let front = UnsafeMutableRawBufferPointer(rebasing: bytes[..<byteCount])
            front.initializeMemory(as: UInt8.self, repeating: 0)
            return fill(front, places.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) })
        }
    }

    /// Follows every value, so that an overrun of a value in place is seen.
    static let canary: StaticString = "\u{01}ctcnry\u{02}"
}

/// What may be the name of an environment entry.
package enum EnvironmentName {
    package static let byteCountMax = 256

    package static func isValid(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= byteCountMax else { return false }
        guard !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
