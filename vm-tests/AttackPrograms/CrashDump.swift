// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// The memory of the kernel that crashed, as the crash kernel shows it (Linux,
/// Documentation/admin-guide/kdump/kdump.rst). The crash kernel's own memory is not in it.
package struct CrashDump {
    package static let path = "/proc/vmcore"
    private static let blockBytes = 1 << 20

    /// Size of the memory in the dump (bytes).
    package let byteCount: UInt64
    /// Physical addresses of every whole copy of each needle, in the needles' order.
    package let places: [[UInt64]]

    /// Searches all of it.
    ///
    /// - Throws: SystemError of the first call that fails: an unread page proves nothing. ENOEXEC
    ///   for a file that shows no memory.
    package init(searching needles: [Needle]) throws(SystemError) {
        let descriptor = open(Self.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(errno) }
        defer { close(descriptor) }
        let segments = KernelCoreSegment.all(in: descriptor)
        guard !segments.isEmpty else { throw SystemError(ENOEXEC) }
        byteCount = segments.reduce(0) { $0 + UInt64($1.physical.count) }
        places = try Self.places(of: needles, in: segments, of: descriptor)
    }

    private static func places(
        of needles: [Needle], in segments: [KernelCoreSegment], of descriptor: Int32
    ) throws(SystemError) -> [[UInt64]] {
        let plain = needles.map { needle in
            let bytes = UnsafeMutableRawBufferPointer.allocate(
                byteCount: needle.count, alignment: 16)
            if let base = bytes.baseAddress { needle.unmask(into: base) }
            return bytes
        }
        let block = UnsafeMutableRawBufferPointer.allocate(
            byteCount: blockBytes, alignment: 4096)
        defer {
            for bytes in plain { bytes.deallocate() }
            block.deallocate()
        }
        let overlap = (needles.map(\.count).max() ?? 1) - 1
        var found = needles.map { _ in [UInt64]() }
        for segment in segments {
            let end = UInt64(segment.physical.count)
            var start: UInt64 = 0
            while start < end {
                let wanted = Int(min(UInt64(block.count), end - start))
                try read(descriptor, segment.fileOffset + start, block, wanted)
                let bytes = UnsafeRawBufferPointer(rebasing: block[0..<wanted])
                for (index, pattern) in plain.enumerated() {
                    found[index] += offsets(of: UnsafeRawBufferPointer(pattern), in: bytes)
                        .map { segment.physical.lowerBound + start + UInt64($0) }
                }
                let isLast = start + UInt64(wanted) == end
                start += UInt64(isLast ? wanted : wanted - overlap)
            }
        }
        return found
    }

    private static func read(
        _ descriptor: Int32, _ offset: UInt64, _ block: UnsafeMutableRawBufferPointer,
        _ wanted: Int
    ) throws(SystemError) {
        var filled = 0
        while filled < wanted {
            let got = clinux_read_at(
                descriptor, offset + UInt64(filled), block.baseAddress.map { $0 + filled },
                wanted - filled)
            guard got > 0 else { throw SystemError(got < 0 ? Int32(-got) : EIO) }
            filled += Int(got)
        }
    }

    /// Whole copies only, so that the bytes that two blocks share count once.
    private static func offsets(
        of pattern: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer
    ) -> [Int] {
        var found: [Int] = []
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            let offset = clinux_find(
                rest.baseAddress, rest.count, pattern.baseAddress, pattern.count)
            guard offset >= 0 else { break }
            found.append(start + offset)
            start += offset + 1
        }
        return found
    }
}
