// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import SecretMemory

/// Looks for secrets, in every form of `NeedleForm`, in every readable mapping of this process
/// that is not secret memory.
///
/// The needles, their forms and the window that memory is read through live in one mapping of
/// the scanner's own, which is left out by its address and zeroed at the end: nothing else is
/// left out. Memory is read with process_vm_readv(2) on the process itself, or through
/// a pipe where that call is refused, so that an unreadable page is an error and not a
/// crash; such pages are reported.
package final class HeapScanner {
    /// Where a form of a needle was found.
    package struct Hit: Sendable, Equatable {
        package let needle: String
        package let form: NeedleForm
        /// Name of the mapping as in /proc/self/maps, `[anonymous]` when it has none.
        package let mapping: String
        package let address: UInt
    }

    package struct Report: Sendable {
        package var hits: [Hit] = []
        package var scannedBytes = 0
        package var scannedMappings = 0
        /// Secret memory left out, bytes by tier name.
        package var secretBytes: [String: Int] = [:]
        /// Names of readable mappings with at least one page that could not be read.
        package var unreadable: [String] = []
    }

    private struct Pattern {
        let needle: String
        let form: NeedleForm
        let range: Range<Int>
    }

    /// Largest needle (bytes), and room for the forms of all needles together (bytes).
    package static let needleBytesMax = 8 << 10
    private static let patternBytesMax = 1 << 20
    private static let windowBytes = 1 << 20

    private let region: SecretRegion
    private var used = 0
    private var patterns: [Pattern] = []
    private var raws: [String: Range<Int>] = [:]

    package init() throws(SecretMemoryFailure) {
        // Never locked: the budget belongs to what is being tested.
        region = try SecretRegion(
            payloadBytes: Self.patternBytesMax + Self.windowBytes + Self.patternBytesMax,
            minimumTier: .ordinary, maximumTier: .ordinary)
    }

    deinit { region.release() }

    private var memory: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: region.payload, count: region.payloadBytes)
    }

    /// Adds a needle that `fill` writes straight into the scanner's memory.
    ///
    /// - Parameter forms: in which it is looked for, beside `raw`.
    package func addNeedle(
        _ name: String, byteCount: Int, forms: [NeedleForm] = NeedleForm.allCases,
        fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(MemoryScanFailure) {
        // A form has at most six bytes for each of the needle's (`\u00xx`).
        let roomBytes = byteCount * 6 * NeedleForm.allCases.count
        guard byteCount <= Self.needleBytesMax, used + roomBytes <= Self.patternBytesMax else {
            throw .tooLarge(limitBytes: Self.needleBytesMax)
        }
        let raw = used..<used + byteCount
        fill(UnsafeMutableRawBufferPointer(rebasing: memory[raw]))
        used = raw.upperBound
        raws[name] = raw
        patterns.append(Pattern(needle: name, form: .raw, range: raw))
        for form in forms where form != .raw {
            let start = used
            var writer = NeedleWriter(UnsafeMutableRawBufferPointer(rebasing: memory[start...]))
            writer.write(form, of: UnsafeRawBufferPointer(rebasing: memory[raw]))
            let range = start..<start + writer.count
            // A form that reads like another adds nothing but time.
            if patterns.contains(where: { $0.needle == name && isEqual($0.range, range) }) {
                continue
            }
            used = range.upperBound
            patterns.append(Pattern(needle: name, form: form, range: range))
        }
    }

    /// The forms of a needle that read differently.
    package func forms(of needle: String) -> [NeedleForm] {
        patterns.filter { $0.needle == needle }.map(\.form)
    }

    /// Lends the bytes of a needle in a form, for planting them elsewhere as a control.
    package func withNeedle<Result>(
        _ name: String, _ form: NeedleForm = .raw,
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result? {
        guard let pattern = patterns.first(where: { $0.needle == name && $0.form == form }) else {
            return nil
        }
        return try body(UnsafeRawBufferPointer(rebasing: memory[pattern.range]))
    }

    /// Scans the whole process.
    package func scan() throws(MemoryScanFailure) -> Report {
        var report = Report()
        let reader = try OwnMemory()
        let own = UInt(bitPattern: region.payload)
        for mapping in try ProcessMapping.current() where mapping.isReadable {
            if mapping.start == own { continue }
            if let tier = mapping.secretTierName {
                report.secretBytes[tier, default: 0] += mapping.byteCount
                continue
            }
            scan(mapping: mapping, reader, &report)
        }
        return report
    }

    /// Names of the needles that secret memory holds as they are: that the right bytes were looked
    /// for. Memory that no other process can read is still this one's own.
    ///
    /// - Parameter block: only the mapping that it is in: where others come and go meanwhile, they
    ///   cannot be read.
    package func needlesInSecretMemory(
        with block: SecretBlock? = nil
    ) throws(MemoryScanFailure) -> [String] {
        let address = block?.withBytes { bytes in
            bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        }
        let own = UInt(bitPattern: region.payload)
        var found: Set<String> = []
        for mapping in try ProcessMapping.current() where mapping.secretTierName != nil {
            if let address, !(mapping.start..<mapping.end).contains(address) { continue }
            guard mapping.start != own, let start = UnsafeRawPointer(bitPattern: mapping.start)
            else { continue }
            for (name, raw) in raws {
                let needle = region.payload + raw.lowerBound
                if clinux_find(start, mapping.byteCount, needle, raw.count) >= 0 {
                    found.insert(name)
                }
            }
        }
        return found.sorted()
    }

    private func scan(
        mapping: ProcessMapping, _ reader: borrowing OwnMemory, _ report: inout Report
    ) {
        report.scannedMappings += 1
        let overlap = (patterns.map(\.range.count).max() ?? 1) - 1
        let window = UnsafeMutableRawBufferPointer(rebasing: memory[Self.patternBytesMax...])
        var address = mapping.start
        var kept = 0
        while address < mapping.end {
            let wanted = min(Self.windowBytes, Int(mapping.end - address))
            let rest = UnsafeMutableRawBufferPointer(rebasing: window[kept..<kept + wanted])
            let got = reader.read(from: address, into: rest)
            search(window, count: kept + got, at: address - UInt(kept), mapping, &report)
            report.scannedBytes += got
            if got < wanted {
                note(mapping, unreadableAt: address + UInt(got), &report)
                // Go on behind the page that refused.
                let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
                address = (address + UInt(got)) / page * page + page
                kept = 0
            } else {
                address += UInt(got)
                let keep = min(overlap, kept + got)
                let end = UnsafeRawBufferPointer(window)[kept + got - keep..<kept + got]
                window.copyMemory(from: UnsafeRawBufferPointer(rebasing: end))
                kept = keep
            }
        }
    }

    /// A page that was unmapped since the list of mappings was read is no page that was missed.
    private func note(
        _ mapping: ProcessMapping, unreadableAt address: UInt, _ report: inout Report
    ) {
        let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
        let start = UnsafeMutableRawPointer(bitPattern: address / page * page)
        var residency: UInt8 = 0
        let isMapped = mincore(start, Int(page), &residency) == 0
        if isMapped, report.unreadable.last != mapping.name {
            report.unreadable.append(mapping.name)
        }
    }

    private func search(
        _ window: UnsafeMutableRawBufferPointer, count: Int, at address: UInt,
        _ mapping: ProcessMapping, _ report: inout Report
    ) {
        guard let start = window.baseAddress else { return }
        for pattern in patterns {
            let needle = region.payload + pattern.range.lowerBound
            var offset = 0
            while offset + pattern.range.count <= count {
                let found = clinux_find(
                    start + offset, count - offset, needle, pattern.range.count)
                guard found >= 0 else { break }
                let place = offset + found
                let hit = Hit(
                    needle: pattern.needle, form: pattern.form,
                    mapping: mapping.name.isEmpty ? "[anonymous]" : mapping.name,
                    address: address + UInt(place))
                // The overlap of two windows may show the same place twice.
                if !report.hits.contains(hit) { report.hits.append(hit) }
                offset = place + 1
            }
        }
    }

    private func isEqual(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        left.count == right.count
            && memcmp(
                region.payload + left.lowerBound, region.payload + right.lowerBound, left.count)
                == 0
    }
}

/// Reads this process's memory in a way that reports unreadable pages as errors.
private struct OwnMemory: ~Copyable {
    /// Both ends of a pipe, where process_vm_readv(2) is refused: write(2) from an unreadable
    /// page fails with EFAULT, and needs nobody's permission.
    private var ends: (read: Int32, write: Int32)?

    init() throws(MemoryScanFailure) {
        var probe: UInt64 = 0
        let isReadable = withUnsafeMutableBytes(of: &probe) { target in
            Self.vmRead(from: UInt(bitPattern: target.baseAddress), into: target) == target.count
        }
        guard !isReadable else { return }
        var descriptors: [Int32] = [-1, -1]
        guard pipe(&descriptors) == 0 else { throw .systemCall("pipe", errorNumber: errno) }
        // A full pipe takes less than asked, instead of waiting for a reader.
        _ = fcntl(descriptors[1], F_SETFL, O_NONBLOCK)
        ends = (descriptors[0], descriptors[1])
    }

    deinit {
        guard let ends else { return }
        close(ends.read)
        close(ends.write)
    }

    /// Returns how many bytes could be read, from the start on.
    func read(from address: UInt, into target: UnsafeMutableRawBufferPointer) -> Int {
        var done = 0
        while done < target.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
            let got =
                ends.map { Self.pipeRead($0, from: address + UInt(done), into: rest) }
                ?? Self.vmRead(from: address + UInt(done), into: rest)
            if got <= 0 { break }
            done += got
        }
        return done
    }

    private static func pipeRead(
        _ ends: (read: Int32, write: Int32), from address: UInt,
        into target: UnsafeMutableRawBufferPointer
    ) -> Int {
        let sent = write(
            ends.write, UnsafeRawPointer(bitPattern: address), min(target.count, 64 << 10))
        var done = 0
        while done < sent {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[done..<sent])
            let got = Glibc.read(ends.read, rest.baseAddress, rest.count)
            guard got > 0 else { return -1 }
            done += got
        }
        return done
    }

    private static func vmRead(
        from address: UInt, into target: UnsafeMutableRawBufferPointer
    ) -> Int {
        Int(
            clinux_process_vm_readv(
                getpid(), UInt64(address), target.baseAddress, target.count))
    }
}
