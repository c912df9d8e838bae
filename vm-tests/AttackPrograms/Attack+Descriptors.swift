// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Files that stand for memory: memfd_create(2), memfd_secret(2).
package enum MemoryFile {
    /// How often the needle occurs in the file, by mapping it, else by reading it.
    package static func occurrences(of needle: Needle, in descriptor: Int32) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return 0 }
        let bytes = Int(status.st_size)
        guard bytes > 0 else { return 0 }
        if let mapped = mmap(nil, bytes, PROT_READ, MAP_SHARED, descriptor, 0),
            mapped != MAP_FAILED
        {
            defer { munmap(mapped, bytes) }
            return needle.occurrences(in: UnsafeRawBufferPointer(start: mapped, count: bytes))
        }
        let search = MemoryScan(needle: needle) { offset, buffer in
            clinux_read_at(descriptor, offset, buffer.baseAddress, buffer.count)
        }
        var running = search
        running.search(0..<UInt64(bytes))
        return running.found
    }

    static func isMemory(_ link: String) -> Bool {
        link.contains("secretmem") || link.contains("memfd:")
    }
}

extension Attack {
    func descriptorOpen() -> AttackReport {
        let names: [String]
        switch TargetProcess.entries("/proc/\(pid)/fd") {
        case .success(let found): names = found
        case .failure(let error):
            return refused(.descriptorOpen, error.number, "listing fd: \(error.name)")
        }
        let paths = names.map { "/proc/\(pid)/fd/\($0)" }.filter { path in
            TargetProcess.link(path).map(MemoryFile.isMemory) ?? false
        }
        return openAll(.descriptorOpen, paths, none: "no open descriptor stands for memory")
    }

    func mapFiles() -> AttackReport {
        switch self.mappings() {
        case .failure(let error):
            return refused(.mapFiles, error.number, "maps: \(error.name)")
        case .success(let mappings):
            let paths = mappings.filter(\.isMemoryFile).map { "/proc/\(pid)/map_files/\($0.name)" }
            return openAll(.mapFiles, paths, none: "no mapping of a memory file")
        }
    }

    private func openAll(
        _ vector: AttackVector, _ paths: [String], none: String
    ) -> AttackReport {
        guard !paths.isEmpty else { return AttackReport(vector, .absent, detail: none) }
        var refusal: Int32 = 0
        for path in paths {
            let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else {
                refusal = errno
                continue
            }
            defer { close(descriptor) }
            if MemoryFile.occurrences(of: needle, in: descriptor) > 0 {
                return leaked(vector, "found in \(path)")
            }
        }
        let tried = "\(paths.count) memory files tried"
        return refusal == 0
            ? AttackReport(vector, .absent, detail: tried)
            : refused(vector, refusal, "\(tried), open: \(SystemError.name(of: refusal))")
    }

    func descriptorTheft() -> AttackReport {
        let handle = clinux_pidfd_open(pid)
        guard handle >= 0 else {
            let name = SystemError.name(of: -handle)
            return refused(.descriptorTheft, -handle, "pidfd_open: \(name)")
        }
        defer { close(handle) }
        // Numbers beyond those listed too: a closed descriptor answers EBADF.
        let numbersMax: Int32 = 256
        var taken = 0
        var refusal: Int32 = 0
        for number in 0..<numbersMax {
            let copy = clinux_pidfd_getfd(handle, number)
            guard copy >= 0 else {
                if refusal == 0 || -copy != EBADF { refusal = -copy }
                continue
            }
            defer { close(copy) }
            taken += 1
            guard let link = TargetProcess.link("/proc/self/fd/\(copy)"),
                MemoryFile.isMemory(link)
            else { continue }
            if MemoryFile.occurrences(of: needle, in: copy) > 0 {
                return leaked(.descriptorTheft, "descriptor \(number) taken and mapped")
            }
        }
        let name = SystemError.name(of: refusal)
        return refused(
            .descriptorTheft, refusal,
            "\(taken) descriptors taken, none to the secret; others: \(name)")
    }
}
