// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Scans of a process's address space.
struct MemoryScan {
    static let blockBytes = 256 << 10
    static let pageBytes = 4096
    /// A larger mapping is searched up to here (bytes).
    static let rangeBytesMax: UInt64 = 256 << 20

    let needle: Needle
    /// Reads into the buffer from the address; bytes read or -errno.
    let reader: (UInt64, UnsafeMutableRawBufferPointer) -> Int64

    private(set) var bytesRead = 0
    private(set) var found = 0
    /// The first refusal inside the ranges searched.
    private(set) var firstRefusal: Int32 = 0

    init(
        needle: Needle,
        reader: @escaping (UInt64, UnsafeMutableRawBufferPointer) -> Int64
    ) {
        self.needle = needle
        self.reader = reader
    }

    /// Searches one range, block by block with an overlap; a refused block is tried by pages.
    mutating func search(_ range: Range<UInt64>) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.blockBytes, alignment: 4096)
        defer {
            // What was read may be the secret: the attacker's memory must not keep a copy.
            clinux_zero(buffer.baseAddress, buffer.count)
            buffer.deallocate()
        }
        let end = min(range.upperBound, range.lowerBound &+ Self.rangeBytesMax)
        var address = range.lowerBound
        while address < end && found == 0 {
            let wanted = Int(min(end - address, UInt64(buffer.count)))
            var got = reader(address, UnsafeMutableRawBufferPointer(rebasing: buffer[0..<wanted]))
            if got <= 0 && wanted > Self.pageBytes {
                got = reader(
                    address, UnsafeMutableRawBufferPointer(rebasing: buffer[0..<Self.pageBytes]))
            }
            guard got > 0 else {
                if firstRefusal == 0 { firstRefusal = Int32(-got) }
                address += UInt64(Self.pageBytes)
                continue
            }
            bytesRead += Int(got)
            found += occurrences(in: UnsafeRawBufferPointer(rebasing: buffer[0..<Int(got)]))
            let step = Int(got) > needle.count && Int(got) == wanted && address + UInt64(got) < end
            address += UInt64(step ? Int(got) - needle.count + 1 : Int(got))
        }
    }
}

extension MemoryScan {
    /// Most of a machine's memory is zero: pages without any other byte are passed over.
    private func occurrences(in bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        var count = 0
        var start = 0
        var end = 0
        while end < bytes.count {
            let pageEnd = min(end + Self.pageBytes, bytes.count)
            if Self.isZero(base + end, count: pageEnd - end) {
                count += needle.occurrences(
                    in: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                start = pageEnd
            }
            end = pageEnd
        }
        return count + needle.occurrences(in: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }

    private static func isZero(_ page: UnsafeRawPointer, count: Int) -> Bool {
        page.load(as: UInt8.self) == 0 && memcmp(page, page + 1, count - 1) == 0
    }
}

extension Attack {
    func memoryFile() -> AttackReport { memoryFile(.memory, "/proc/\(pid)/mem") }

    func memoryFile(_ vector: AttackVector, _ path: String) -> AttackReport {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let number = errno
            return refused(vector, number, "open of mem: \(SystemError.name(of: number))")
        }
        defer { close(descriptor) }
        return scan(vector) { address, buffer in
            clinux_read_at(descriptor, address, buffer.baseAddress, buffer.count)
        }
    }

    func processVMReadv() -> AttackReport {
        scan(.processVMReadv) { [pid] address, buffer in
            clinux_process_vm_readv(pid, address, buffer.baseAddress, buffer.count)
        }
    }

    func ptracePeek() -> AttackReport {
        let attached = attach()
        guard attached == 0 else {
            return refused(
                .ptracePeek, attached, "PTRACE_ATTACH: \(SystemError.name(of: attached))")
        }
        defer { clinux_ptrace_detach(pid) }
        switch likelyRanges() {
        case .failure(let error):
            return refused(.ptracePeek, error.number, "maps: \(error.name)")
        case .success(let ranges):
            return scan(.ptracePeek, ranges: ranges) { [pid] address, buffer in
                Self.peek(pid, address, buffer)
            }
        }
    }

    /// PTRACE_ATTACH and the stop that follows. 0 or the error number.
    func attach() -> Int32 {
        let attached = clinux_ptrace_attach(pid)
        guard attached == 0 else { return -attached }
        let status = clinux_wait_stop(pid)
        return status < 0 ? -status : 0
    }

    private static func peek(
        _ pid: pid_t, _ address: UInt64, _ buffer: UnsafeMutableRawBufferPointer
    ) -> Int64 {
        var offset = 0
        while offset + 8 <= buffer.count {
            var word: UInt64 = 0
            let result = clinux_ptrace_peek(pid, address + UInt64(offset), &word)
            if result < 0 { return offset == 0 ? Int64(result) : Int64(offset) }
            buffer.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        return Int64(offset)
    }

    /// Searches the given range, else every readable mapping, secret memory first.
    private func scan(
        _ vector: AttackVector, ranges: [Range<UInt64>]? = nil,
        reader: @escaping (UInt64, UnsafeMutableRawBufferPointer) -> Int64
    ) -> AttackReport {
        var secret: [Range<UInt64>] = []
        var others: [Range<UInt64>] = ranges ?? []
        if let range {
            (secret, others) = ([range], [])
        } else {
            switch self.mappings() {
            case .failure(let error):
                return refused(vector, error.number, "maps: \(error.name)")
            case .success(let mappings):
                let readable = mappings.filter { $0.readable && !$0.path.hasPrefix("[v") }
                secret = readable.filter(\.isSecret).map(\.range)
                others = (ranges ?? readable.map(\.range)).filter { !secret.contains($0) }
            }
        }
        var search = MemoryScan(needle: needle, reader: reader)
        for part in secret { search.search(part) }
        let secretRefusal = search.firstRefusal
        let secretBytes = search.bytesRead
        for part in others where search.found == 0 { search.search(part) }
        let scope = "\(search.bytesRead) bytes read"
        if search.found > 0 { return leaked(vector, "found, \(scope)") }
        if secretRefusal != 0 && secretBytes == 0 {
            let name = SystemError.name(of: secretRefusal)
            return refused(
                vector, secretRefusal, "\(name) on the secret's pages; \(scope) elsewhere, absent")
        }
        if search.bytesRead == 0 {
            let name = SystemError.name(of: search.firstRefusal)
            return refused(vector, search.firstRefusal, "nothing could be read: \(name)")
        }
        return AttackReport(vector, .absent, detail: "\(scope), not among them")
    }
}
