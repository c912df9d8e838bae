// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// What one process said of itself, and what was seen of it from outside while it waited.
struct Observation: Sendable {
    let label: String
    let pid: Int32
    let parent: Int32
    /// "ok", or the first name whose value differs.
    let values: String
    /// Blocked signals, bit N-1 for signal N.
    let mask: UInt64
    /// What `prctl(PR_GET_DUMPABLE)` answered.
    let dumpable: Int
    /// Descriptors above standard error, as the process listed them.
    let descriptors: String
    /// /proc/PID/environ, nil when the kernel refused to show it.
    let environment: Data?
    let parentEnvironment: Data?
    let commandLine: Data
    /// Process of the thread that traces it, 0 for none, nil when refused.
    let tracer: Int32?
    /// Owner of /proc/PID/environ: root for a process that is not dumpable.
    let owner: UInt32?

    /// The entry of one name, without `NAME=`.
    func entry(of name: String) -> Data? {
        let prefix = Data("\(name)=".utf8)
        return environment?.split(separator: 0, omittingEmptySubsequences: false)
            .first { $0.starts(with: prefix) }
            .map { Data($0.dropFirst(prefix.count)) }
    }
}

/// The outside observer: processes of the tree connect to it, report, and wait for its answer.
final class Observer: Sendable {
    let path: String
    private let listener: Int32
    private let state = Mutex<[Observation]>([])
    private let finished = DispatchSemaphore(value: 0)
    /// Answers are held back until this many processes wait at the same time.
    private let crowdCount: Int
    /// Called after each observation, before the answer.
    private let onReport: @Sendable (Observation) -> Void

    init(
        folder: String, crowdCount: Int = 1,
        onReport: @escaping @Sendable (Observation) -> Void = { _ in }
    ) throws {
        path = folder + "/observer"
        self.crowdCount = crowdCount
        self.onReport = onReport
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(O_CLOEXEC), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener, 256) == 0, chmod(path, 0o777) == 0 else {
            throw SuiteFailure("the observer cannot listen at \(path): errno \(errno)")
        }
        Thread.detachNewThread { [self] in
            acceptUntilShutDown()
            finished.signal()
        }
    }

    /// Everything observed; the observer answers nobody afterwards.
    func finish() -> [Observation] {
        shutdown(listener, Int32(SHUT_RDWR))
        finished.wait()
        close(listener)
        return state.withLock { $0 }
    }

    private func acceptUntilShutDown() {
        var waiting: [Int32] = []
        while true {
            let link = accept(listener, nil, nil)
            guard link >= 0 else {
                if errno == EINTR { continue }
                break
            }
            _ = fcntl(link, F_SETFD, FD_CLOEXEC)
            guard let observation = observe(readLine(from: link)) else {
                close(link)
                continue
            }
            state.withLock { $0.append(observation) }
            onReport(observation)
            waiting.append(link)
            if waiting.count >= crowdCount {
                waiting.forEach(answer)
                waiting = []
            }
        }
        waiting.forEach { close($0) }
    }

    private func answer(_ link: Int32) {
        // A process that was killed meanwhile has closed its end.
        _ = send(link, "k", 1, Int32(MSG_NOSIGNAL))
        close(link)
    }

    private func readLine(from link: Int32) -> String {
        var line = Data()
        var block = [UInt8](repeating: 0, count: 4096)
        while line.last != UInt8(ascii: "\n") {
            let count = read(link, &block, block.count)
            guard count > 0 else { return "" }
            line.append(contentsOf: block.prefix(count))
        }
        return String(decoding: line, as: UTF8.self)
    }

    private func observe(_ line: String) -> Observation? {
        var fields: [Substring: Substring] = [:]
        for word in line.dropLast().split(separator: " ") {
            let pair = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { fields[pair[0]] = pair[1] }
        }
        guard let label = fields["label"], let pid = fields["pid"].flatMap({ Int32($0) }),
            let parent = fields["ppid"].flatMap({ Int32($0) })
        else { return nil }
        var status = stat()
        let owner = stat("/proc/\(pid)/environ", &status) == 0 ? status.st_uid : nil
        let tracer = statusField("TracerPid:", of: pid)
            .flatMap { $0 == 0 ? 0 : statusField("Tgid:", of: $0) }
        return Observation(
            label: String(label), pid: pid, parent: parent,
            values: String(fields["values"] ?? ""),
            mask: fields["mask"].flatMap { UInt64($0, radix: 16) } ?? .max,
            dumpable: fields["dumpable"].flatMap { Int($0) } ?? -1,
            descriptors: String(fields["descriptors"] ?? ""),
            environment: procFile("/proc/\(pid)/environ"),
            parentEnvironment: procFile("/proc/\(parent)/environ"),
            commandLine: procFile("/proc/\(pid)/cmdline") ?? Data(), tracer: tracer, owner: owner)
    }
}

/// A number in /proc/PID/status, which there is for every thread too.
private func statusField(_ name: String, of task: Int32) -> Int32? {
    procFile("/proc/\(task)/status").flatMap {
        String(decoding: $0, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix(name) }
            .flatMap { Int32($0.dropFirst(name.count).trimmingCharacters(in: .whitespaces)) }
    }
}

/// A file of /proc, read to its end; nil when the kernel refuses.
func procFile(_ path: String) -> Data? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var content = Data()
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(file, &block, block.count)
        guard count >= 0 else { return nil }
        guard count > 0 else { return content }
        content.append(contentsOf: block.prefix(count))
    }
}

struct SuiteFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
