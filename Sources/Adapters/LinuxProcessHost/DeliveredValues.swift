// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports
internal import SecretMemory

/// The values of one generation: the master copy, and the non-secret facts about it.
///
/// Never changed once made, and so may be handed from the caller's thread to the trees'. The master
/// copy is zeroed with the last reference.
final class DeliveredValues: @unchecked Sendable {
    struct Entry {
        /// `NAME=`, not secret.
        let placeholder: [UInt8]
        /// Of `NAME=\0` from the start of the placeholders.
        let placeholderOffset: Int
        /// Of `NAME=value` from the image's start, and its bytes without the NUL.
        let offset: Int
        let byteCount: Int
    }

    let entries: [Entry]
    /// All `NAME=\0`, one after the other.
    let placeholderBlock: [UInt8]
    /// The longest `NAME=` (bytes).
    let placeholderBytesMax: Int
    private let indexBytes: Int
    private let image: DeliveryImage
    private let master: UnsafeRawBufferPointer

    /// - Parameter order: names in the order wanted; nil: the image's own. The same names in the
    ///   same order have the same placeholders.
    /// - Throws: `systemCall("replaceValues", EINVAL)` when the image has other names.
    init(
        _ image: consuming DeliveryImage, order: [String]? = nil
    ) throws(ProcessHostFailure) {
        let laidOut = image.entries
        let names = order ?? laidOut.map(\.name)
        let ordered = names.compactMap { name in laidOut.first { $0.name == name } }
        guard ordered.count == laidOut.count, names.count == laidOut.count else {
            throw .systemCall("replaceValues", errorNumber: EINVAL)
        }
        (entries, placeholderBlock) = Self.entries(ordered)
        indexBytes = image.frontBytes
        placeholderBytesMax = entries.map(\.placeholder.count).max() ?? 0
        // The image's pages stay where they are until it is released, in deinit.
        master = image.withBytes { span in span.withUnsafeBytes { $0 } }
        self.image = consume image
    }

    private static func entries(
        _ laidOut: [DeliveryImage.Entry]
    ) -> (entries: [Entry], block: [UInt8]) {
        var block: [UInt8] = []
        let entries = laidOut.map { entry in
            let placeholder = Array(entry.name.utf8) + [UInt8(ascii: "=")]
            defer { block += placeholder + [0] }
            return Entry(
                placeholder: placeholder, placeholderOffset: block.count,
                offset: entry.offset, byteCount: entry.byteCount)
        }
        return (entries, block)
    }

    var names: [String] {
        entries.map { String(decoding: $0.placeholder.dropLast(), as: UTF8.self) }
    }

    /// The leak index, from the master copy's start; empty when there is none.
    var index: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: master[..<indexBytes]) }

    /// The master copy; valid as long as this is.
    var bytes: UnsafeRawBufferPointer { master }

    /// `NAME=value` of an entry, with its NUL.
    func text(of entry: Int) -> UnsafeRawBufferPointer {
        let entry = entries[entry]
        return UnsafeRawBufferPointer(
            rebasing: master[entry.offset..<entry.offset + entry.byteCount + 1])
    }

    /// The value alone.
    func value(of entry: Entry) -> UnsafeRawBufferPointer {
        let start = entry.offset + entry.placeholder.count
        return UnsafeRawBufferPointer(rebasing: master[start..<entry.offset + entry.byteCount])
    }

    /// What of an environment is not ours: ours replace entries of the same name.
    func plainEntries(of environment: [RawText]) -> [RawText] {
        environment.filter { entry in
            !entries.contains { entry.bytes.starts(with: $0.placeholder) }
        }
    }

    /// Bytes of the region that holds a copy: whole pages.
    var regionBytes: Int { (master.count + 4095) / 4096 * 4096 }

    func isEmpty(_ entry: Int) -> Bool {
        entries[entry].byteCount == entries[entry].placeholder.count
    }

    /// Copies the master into a region of at least `regionBytes`.
    func fill(_ target: UnsafeMutableRawPointer) {
        if let base = master.baseAddress { target.copyMemory(from: base, byteCount: master.count) }
    }

    /// The entry whose `NAME=` the bytes start with.
    func entry(named prefix: UnsafeRawBufferPointer) -> Int? {
        entries.firstIndex { entry in
            prefix.count >= entry.placeholder.count
                && prefix.prefix(entry.placeholder.count).elementsEqual(entry.placeholder)
        }
    }

    /// Whether `bytes` equal the part of the entry (with its NUL) that starts at `position`.
    func matches(_ entry: Int, at position: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let entry = entries[entry]
        guard position + bytes.count <= entry.byteCount + 1, let base = master.baseAddress,
            let other = bytes.baseAddress
        else { return false }
        return memcmp(base + entry.offset + position, other, bytes.count) == 0
    }
}

/// A copy of the values in memory of its own, to be mapped into one process.
struct DeliveryRegion {
    /// Close-on-exec; the authority over the pages, so it is closed as soon as it is handed over.
    let descriptor: Int32
    let bytes: Int

    /// - Parameter fill: writes the contents; the pages are touched and zero.
    /// - Returns: the region, or the errno that refused (ENOMEM: the budget is used up).
    static func make(
        bytes: Int, fill: (UnsafeMutableRawPointer) -> Void
    ) -> Result<DeliveryRegion, RegionFailure> {
        let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
        guard descriptor >= 0 else { return .failure(RegionFailure(errorNumber: -descriptor)) }
        guard ftruncate(descriptor, bytes) == 0 else { return give(up: descriptor, errno) }
        let mapping = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let mapping, mapping != MAP_FAILED else { return give(up: descriptor, errno) }
        defer { munmap(mapping, bytes) }
        guard clinux_touch_pages(mapping, bytes) == 0 else { return give(up: descriptor, ENOMEM) }
        fill(mapping)
        return .success(DeliveryRegion(descriptor: descriptor, bytes: bytes))
    }

    private static func give(
        up descriptor: Int32, _ number: Int32
    ) -> Result<DeliveryRegion, RegionFailure> {
        close(descriptor)
        return .failure(RegionFailure(errorNumber: number))
    }
}

/// Why a region could not be had.
struct RegionFailure: Error {
    let errorNumber: Int32

    /// - Parameter bytes: of the region.
    func hostFailure(bytes: Int) -> ProcessHostFailure {
        guard errorNumber == ENOMEM || errorNumber == EAGAIN else {
            return .refused(call: "memfd_secret", errorNumber: errorNumber)
        }
        let page = SecretBuffer.lockedBytes(forCapacity: 1)
        return .memory(
            .tierUnavailable(
                MemoryShortage(
                    required: .secret, best: .ordinary, errorNumber: errorNumber,
                    bytes: (bytes + page - 1) / page * page,
                    limitBytes: MemoryLockLimit.bindingBytes)))
    }
}
