// SPDX-License-Identifier: Apache-2.0
import Foundation

/// One run's folder, secrets and environment.
final class Stage: Sendable {
    let folder: String
    let secrets: [(name: String, value: String)]

    init(prefix: String = "delivery") throws {
        let template = NSTemporaryDirectory() + "cloudtaser-\(prefix)-XXXXXX"
        var path = Array(template.utf8CString)
        guard mkdtemp(&path) != nil else { throw SuiteFailure("mkdtemp: errno \(errno)") }
        folder = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(folder, 0o777)
        // Longer than a page, so that a region is more than one; the empty value is delivered too.
        secrets = [
            ("CT_ALPHA", Self.randomText(24)), ("CT_BETA", Self.randomText(5000)), ("CT_EMPTY", ""),
        ]
        try write("secrets", secrets.map { "\($0.name)=\($0.value)\n" }.joined())
        try write(
            "inner-script", "#!/bin/sh\nshift 0\nexec \"$SUITE_VICTIM\" leaf \"$2\"\n",
            mode: 0o755)
        try write("outer-script", "#!\(folder)/inner-script\n", mode: 0o755)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws {
        try Self.write(Data(text.utf8), to: folder + "/" + name, mode: mode)
    }

    /// Writes a file; one that can be executed is ready to be when this returns.
    static func write(_ content: Data, to path: String, mode: mode_t) throws {
        guard FileManager.default.createFile(atPath: path, contents: content),
            chmod(path, mode) == 0
        else { throw SuiteFailure("cannot write \(path)") }
        guard mode & 0o111 != 0 else { return }
        try awaitNoWriter(of: path)
    }

    /// A process that another test forked while the file was open for writing has it open until its
    /// own exec, and until then execve(2) of the file answers ETXTBSY. A read lease (fcntl(2)) is
    /// to be had only when nobody has it open for writing.
    private static func awaitNoWriter(of path: String) throws {
        let setLease: Int32 = 1024
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SuiteFailure("cannot read \(path)") }
        defer { close(descriptor) }
        for _ in 0..<2000 {
            if fcntl(descriptor, setLease, Int32(F_RDLCK)) == 0 {
                _ = fcntl(descriptor, setLease, Int32(F_UNLCK))
                return
            }
            // A file system without leases: the exec may be refused, and the test then says so.
            guard errno == EAGAIN else { return }
            usleep(5000)
        }
        throw SuiteFailure("\(path) stays open for writing")
    }

    /// The environment of a tree that reports to `observer`.
    func environment(observer: String = "") -> [String] {
        let expected = secrets.map { secret in
            let digest = secret.value.utf8.reduce(0xcbf2_9ce4_8422_2325) {
                ($0 ^ UInt64($1)) &* 0x100_0000_01b3
            }
            return "\(secret.name):\(secret.value.utf8.count):\(String(digest, radix: 16))"
        }
        return [
            "PATH=\(Host.path)", "HOME=\(folder)", "TMPDIR=\(folder)", "SUITE_DIR=\(folder)",
            "SUITE_SOCKET=\(observer)", "SUITE_EXPECT=\(expected.joined(separator: ","))",
            "SUITE_VICTIM=\(Host.victim)",
        ]
    }

    /// The same with the values in it: the classic way.
    func classicEnvironment(observer: String = "") -> [String] {
        environment(observer: observer) + secrets.map { "\($0.name)=\($0.value)" }
    }

    /// Files that a program left in the folder.
    func markers(_ prefix: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix(prefix) }
    }

    /// Whether a secret's bytes occur in `data`.
    func leaks(in data: Data?) -> Bool {
        guard let data else { return false }
        return secrets.contains { !$0.value.isEmpty && data.range(of: Data($0.value.utf8)) != nil }
    }

    private static func randomText(_ count: Int) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        return String((0..<count).map { _ in letters.randomElement() ?? "x" })
    }
}

/// How one run of delivery-harness is set up.
struct Setup: Sendable, CustomStringConvertible {
    var mode = "splice"
    var follow = "attached"
    /// nil: the user of the tests.
    var user: UInt32?
    /// Bytes of locked memory; nil: as the tests have it.
    var lockedMemory: Int?
    var foreignNetwork = false
    var options: [String] = []

    var description: String {
        var words = mode == "splice" ? [follow] : [mode]
        if let user { words.append("uid \(user)") }
        if let lockedMemory { words.append("memlock \(lockedMemory / 1024) KiB") }
        if foreignNetwork { words.append("foreign network namespace") }
        return (words + options).joined(separator: ", ")
    }

    func arguments(secrets: String, command: [String]) -> [String] {
        var words = [Host.harness, "--mode", mode, "--follow", follow] + options
        if let user { words += ["--uid", String(user)] }
        if let lockedMemory { words += ["--memlock", String(lockedMemory)] }
        words += ["--secrets", secrets, "--"]
        if foreignNetwork { words += [Host.victim, "unshare-network"] }
        return words + command
    }
}

/// A run of delivery-harness and everything seen meanwhile.
struct Run {
    let outcome: Outcome
    let observations: [Observation]
    let wrapper: Int32

    init(
        _ setup: Setup, on stage: Stage, below: [String] = [], crowdCount: Int = 1,
        killWrapperAtReport: Bool = false,
        atReport: @escaping @Sendable (Observation) -> Void = { _ in }, within seconds: Double = 40,
        _ command: [String]
    ) throws {
        let running = SharedPid()
        let observer = try Observer(folder: stage.folder, crowdCount: crowdCount) {
            if killWrapperAtReport { running.kill() }
            atReport($0)
        }
        let started = try Command(
            below + setup.arguments(secrets: stage.folder + "/secrets", command: command),
            environment: stage.environment(observer: observer.path))
        running.set(started.pid)
        wrapper = started.pid
        outcome = started.finish(within: seconds)
        observations = observer.finish()
        unlink(observer.path)
    }

    func labelled(_ prefix: String) -> [Observation] {
        observations.filter { $0.label.hasPrefix(prefix) }
    }
}

/// The wrapper's id, once it is known.
final class SharedPid: @unchecked Sendable {
    private let condition = NSCondition()
    private var pid: Int32 = 0

    func set(_ value: Int32) {
        condition.withLock {
            pid = value
            condition.broadcast()
        }
    }

    func kill() {
        condition.withLock {
            while pid == 0 { condition.wait() }
            _ = Glibc.kill(pid, SIGKILL)
        }
    }
}
