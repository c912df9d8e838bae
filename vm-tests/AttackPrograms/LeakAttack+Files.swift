// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Files, pipes and the calls that move pages between them.
extension LeakAttack {
    func standard(_ stream: Int32) -> LeakReport {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return Self.unavailable() }
        let kept = dup(stream)
        defer { for end in ends + [kept] { close(end) } }
        dup2(ends[1], stream)
        let result = write(stream, value, value.count)
        let failure = errno
        dup2(kept, stream)
        errno = failure
        return judge([result], value) { read(ends[0], $0.baseAddress, $0.count) }
    }

    func toFile(at offset: Int = 0, _ call: (Int32) -> [Int]) -> LeakReport {
        let file = temporaryFile()
        guard file >= 0 else { return Self.unavailable() }
        defer { close(file) }
        let results = call(file)
        var position = off_t(offset)
        return judge(results, value) { buffer in
            let got = pread(file, buffer.baseAddress, buffer.count, position)
            position += off_t(max(0, got))
            return got
        }
    }

    func toPipe() -> LeakReport {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return Self.unavailable() }
        defer { for end in ends { close(end) } }
        return judge([write(ends[1], value, value.count)], value) {
            read(ends[0], $0.baseAddress, $0.count)
        }
    }

    /// An open file without a name.
    private func temporaryFile() -> Int32 {
        let path = "/tmp/cloudtaser-leak-\(getpid())"
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file >= 0 { unlink(path) }
        return file
    }

    /// A file that has the value by stores to a mapping.
    private func mappedFile() -> Int32 {
        let file = temporaryFile()
        guard file >= 0, ftruncate(file, 4096) == 0,
            let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
            page != MAP_FAILED
        else { return -1 }
        page.copyMemory(from: value, byteCount: value.count)
        munmap(page, 4096)
        return file
    }

    func throughMapping() -> LeakReport {
        let file = mappedFile()
        guard file >= 0 else { return Self.unavailable() }
        defer { close(file) }
        return judge([value.count], value) { pread(file, $0.baseAddress, $0.count, 0) }
    }

    /// A page of a mapped file that this process has not looked at: the kernel reads it, a
    /// program that may not sleep cannot.
    func fromColdPage() -> LeakReport {
        let file = mappedFile()
        guard file >= 0 else { return Self.unavailable() }
        defer { close(file) }
        guard let page = mmap(nil, 4096, PROT_READ, MAP_SHARED, file, 0), page != MAP_FAILED else {
            return Self.unavailable()
        }
        defer { munmap(page, 4096) }
        madvise(page, 4096, MADV_DONTNEED)
        return toFile { [write($0, page, value.count)] }
    }

    func fromMappedFile(_ socket: Int32) -> Int {
        let file = mappedFile()
        guard file >= 0 else { return -1 }
        defer { close(file) }
        return Int(clinux_sendfile(socket, file, value.count))
    }

    // MARK: Pages

    /// A page of its own: the pipe refers to it until it was read.
    private func withPage(_ body: (UnsafeRawPointer) -> Int) -> Int {
        guard
            let page = mmap(
                nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            page != MAP_FAILED
        else { return -1 }
        defer { munmap(page, 4096) }
        page.copyMemory(from: value, byteCount: value.count)
        return body(page)
    }

    private func withPipe(_ body: (_ out: Int32, _ into: Int32) -> LeakReport) -> LeakReport {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return Self.unavailable() }
        defer { for end in ends { close(end) } }
        return body(ends[1], ends[0])
    }

    func vmspliced() -> LeakReport {
        withPipe { out, into in
            var report = Self.unavailable()
            _ = withPage { page in
                let result = Int(clinux_vmsplice(out, page, value.count))
                report = judge([result], value) { read(into, $0.baseAddress, $0.count) }
                return 0
            }
            return report
        }
    }

    func teed() -> LeakReport {
        withPipe { out, into in
            withPipe { secondOut, secondInto in
                var report = Self.unavailable()
                _ = withPage { page in
                    guard clinux_vmsplice(out, page, value.count) > 0 else { return 0 }
                    let result = Int(clinux_tee(into, secondOut, value.count))
                    report = judge([result], value) { read(secondInto, $0.baseAddress, $0.count) }
                    return 0
                }
                return report
            }
        }
    }

    func spliced(_ socket: Int32) -> Int {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return -1 }
        defer { for end in ends { close(end) } }
        return withPage { page in
            guard clinux_vmsplice(ends[1], page, value.count) > 0 else { return -1 }
            return Int(clinux_splice(ends[0], socket, value.count))
        }
    }
}
