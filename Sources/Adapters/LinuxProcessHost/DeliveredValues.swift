// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
import SecretMemory

/// The values of one run: where the master copy is, and the non-secret facts about it.
///
/// Holds a pointer into the caller's `DeliveryImage`, valid for the run only.
struct DeliveredValues {
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
    private let master: UnsafeRawBufferPointer
    /// The longest `NAME=` (bytes).
    let placeholderBytesMax: Int

    init(entries laidOut: [DeliveryImage.Entry], bytes: UnsafeRawBufferPointer) {
        var block: [UInt8] = []
        entries = laidOut.map { entry in
            let placeholder = Array(entry.name.utf8) + [UInt8(ascii: "=")]
            defer { block += placeholder + [0] }
            return Entry(
                placeholder: placeholder, placeholderOffset: block.count,
                offset: entry.offset, byteCount: entry.byteCount)
        }
        placeholderBlock = block
        master = bytes
        placeholderBytesMax = entries.map(\.placeholder.count).max() ?? 0
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
}
