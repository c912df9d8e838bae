// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// One part of `/proc/kcore` or `/proc/vmcore` that shows the kernel's direct map of RAM.
struct KernelCoreSegment {
    let physical: Range<UInt64>
    let fileOffset: UInt64

    private static let programHeaderBytes = 56
    private static let kernelTextAddress: UInt64 = 0xFFFF_FFFF_8000_0000

    /// Program headers of type PT_LOAD with a physical address (elf(5)), kernel text left out.
    static func all(in descriptor: Int32) -> [KernelCoreSegment] {
        var header = [UInt8](repeating: 0, count: 64 << 10)
        let got = header.withUnsafeMutableBytes {
            clinux_read_at(descriptor, 0, $0.baseAddress, $0.count)
        }
        guard got > 64 else { return [] }
        return header.withUnsafeBytes { bytes in
            let start = Int(bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self))
            let count = Int(bytes.loadUnaligned(fromByteOffset: 56, as: UInt16.self))
            return (0..<count).compactMap { index in
                let base = start + index * programHeaderBytes
                guard base + programHeaderBytes <= Int(got) else { return nil }
                return segment(bytes, at: base)
            }
        }
    }

    private static func segment(
        _ bytes: UnsafeRawBufferPointer, at base: Int
    ) -> KernelCoreSegment? {
        func word(_ offset: Int) -> UInt64 {
            bytes.loadUnaligned(fromByteOffset: base + offset, as: UInt64.self)
        }
        let type = bytes.loadUnaligned(fromByteOffset: base, as: UInt32.self)
        let (address, physical, size) = (word(16), word(24), word(40))
        guard type == 1, physical != UInt64.max, address < kernelTextAddress, size > 0,
            physical.addingReportingOverflow(size).overflow == false
        else { return nil }
        return KernelCoreSegment(physical: physical..<physical + size, fileOffset: word(8))
    }
}

extension Attack {
    /// RAM up to this size is searched whole, more only at the victim's own page frames (bytes).
    static let wholeMemoryBytesMax: UInt64 = 1 << 30

    func kernelCore() -> AttackReport {
        let descriptor = open("/proc/kcore", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let number = errno
            return refused(.kernelCore, number, "open of kcore: \(SystemError.name(of: number))")
        }
        defer { close(descriptor) }
        let segments = KernelCoreSegment.all(in: descriptor)
        guard !segments.isEmpty else {
            return AttackReport(.kernelCore, .unavailable, detail: "no direct map in kcore")
        }
        var search = MemoryScan(needle: needle) { offset, buffer in
            clinux_read_at(descriptor, offset, buffer.baseAddress, buffer.count)
        }
        let total = segments.reduce(0) { $0 + UInt64($1.physical.count) }
        if total <= Self.wholeMemoryBytesMax {
            for segment in segments where search.found == 0 {
                let end = segment.fileOffset + UInt64(segment.physical.count)
                var start = segment.fileOffset
                while start < end && search.found == 0 {
                    let next = min(end, start + MemoryScan.rangeBytesMax)
                    search.search(start..<next)
                    start = next
                }
            }
        } else {
            for frame in pageFrames() where search.found == 0 {
                guard let segment = segments.first(where: { $0.physical.contains(frame) })
                else { continue }
                let start = segment.fileOffset + (frame - segment.physical.lowerBound)
                search.search(start..<start + UInt64(MemoryScan.pageBytes))
            }
        }
        return kernelReport(.kernelCore, search)
    }

    func physicalMemory() -> AttackReport {
        let descriptor = open("/dev/mem", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let number = errno
            return refused(
                .physicalMemory, number, "open of /dev/mem: \(SystemError.name(of: number))")
        }
        defer { close(descriptor) }
        var search = MemoryScan(needle: needle) { offset, buffer in
            clinux_read_at(descriptor, offset, buffer.baseAddress, buffer.count)
        }
        let frames = pageFrames()
        guard !frames.isEmpty else {
            return AttackReport(
                .physicalMemory, .unavailable, detail: "no page frame numbers: needs root")
        }
        for frame in frames where search.found == 0 {
            search.search(frame..<frame + UInt64(MemoryScan.pageBytes))
        }
        return kernelReport(.physicalMemory, search)
    }

    private func kernelReport(_ vector: AttackVector, _ search: MemoryScan) -> AttackReport {
        let scope = "\(search.bytesRead) bytes read"
        if search.found > 0 { return leaked(vector, "found, \(scope)") }
        if search.bytesRead == 0 {
            let name = SystemError.name(of: search.firstRefusal)
            return refused(vector, search.firstRefusal, "no page could be read: \(name)")
        }
        return AttackReport(vector, .absent, detail: "\(scope), not among them")
    }

    /// Frames of the victim's likely pages.
    private func pageFrames() -> [UInt64] {
        guard case .success(let ranges) = likelyRanges() else { return [] }
        return ranges.flatMap { TargetProcess.pageFrames(of: pid, in: $0) }
    }
}

extension TargetProcess {
    /// Physical addresses of the pages of `range`, from `/proc/PID/pagemap` (the kernel hides the
    /// numbers from whoever lacks CAP_SYS_ADMIN); pages that are not in memory are left out.
    package static func pageFrames(of pid: pid_t, in range: Range<UInt64>) -> [UInt64] {
        let descriptor = open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        let page = UInt64(MemoryScan.pageBytes)
        var frames: [UInt64] = []
        for address in stride(from: range.lowerBound, to: range.upperBound, by: Int(page)) {
            var entry: UInt64 = 0
            guard clinux_read_at(descriptor, address / page * 8, &entry, 8) == 8 else { break }
            let number = entry & ((1 << 55) - 1)
            if entry >> 63 == 1 && number != 0 { frames.append(number * page) }
        }
        return frames
    }
}
