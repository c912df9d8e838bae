// SPDX-License-Identifier: Apache-2.0
import AgentFiles
import AgentPorts
import Foundation
import Glibc
import Ports
import Testing

/// Files as `/proc` and `/sys` would have them, which belong to whoever runs the test.
private final class FakeFiles {
    let path = FileManager.default.temporaryDirectory.appending(path: "files-\(UUID().uuidString)")
        .path(percentEncoded: false)

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var files: ProcessFiles { ProcessFiles(proc: path + "/proc", sys: path + "/sys") }

    func write(_ name: String, _ text: String) throws {
        let url = URL(filePath: path + "/" + name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    func wrapper(_ id: Int, children: [Int], started: Int = 500) throws {
        let fields = (3...21).map { "\($0)" } + ["\(started)", "0"]
        try write("proc/\(id)/stat", "\(id) (a) b) \(fields.joined(separator: " "))\n")
        try write(
            "proc/\(id)/task/\(id)/children", children.map { "\($0) " }.joined())
    }

    func child(
        _ id: Int, of parent: Int, locked: String? = "4 kB", user: UInt32 = getuid(),
        seccomp: Int = 2, privileges: Int = 1, map: String = "         0          0 4294967295\n",
        hasExecuted: Bool = true
    ) throws {
        // PF_FORKNOEXEC beside others.
        let flags = 0x40_0000 | (hasExecuted ? 0 : 0x40)
        let fields =
            (["S", "\(parent)", "1", "1", "0", "-1", "\(flags)"] + (10...24).map { "\($0)" })
            .joined(separator: " ")
        try write("proc/\(id)/stat", "\(id) (b) c) \(fields)\n")
        var text = "Name:\tPPid:\t7\nUmask:\t0022\nPPid:\t\(parent)\n"
        text += "Uid:\t\(user)\t\(user)\t\(user)\t\(user)\n"
        if let locked { text += "VmLck:\t       \(locked)\n" }
        text += "NoNewPrivs:\t\(privileges)\nSeccomp:\t\(seccomp)\n"
        try write("proc/\(id)/status", text)
        try write("proc/\(id)/uid_map", map)
    }
}

@Suite struct `What an agent sees of a wrapper's programs` {
    @Test func `is the least of its children`() throws {
        let fake = FakeFiles()
        try fake.wrapper(10, children: [11, 12])
        try fake.child(11, of: 10, locked: "12 kB")
        try fake.child(12, of: 10)
        var seen = try #require(fake.files.programs(of: 10, started: 500))
        #expect(seen.lockedKiB == 4 && seen.seccompMode == 2 && seen.hasNoNewPrivileges)
        try fake.child(12, of: 10, locked: "0 kB", seccomp: 0, privileges: 0)
        seen = try #require(fake.files.programs(of: 10, started: 500))
        #expect(seen.lockedKiB == 0 && seen.seccompMode == 0 && !seen.hasNoNewPrivileges)
    }

    @Test func `is nothing of another process with the number`() throws {
        let fake = FakeFiles()
        try fake.wrapper(10, children: [11])
        try fake.child(11, of: 10)
        #expect(fake.files.start(of: 10) == 500)
        #expect(fake.files.programs(of: 10, started: 499) == nil)
        // Control: the same look with the right start sees it.
        #expect(fake.files.programs(of: 10, started: 500) != nil)
        // A child's number may be another's, too.
        try fake.child(11, of: 9)
        #expect(fake.files.programs(of: 10, started: 500) == nil)
    }

    @Test func `is nothing where there is none, or it cannot be seen`() throws {
        let fake = FakeFiles()
        #expect(fake.files.start(of: 10) == nil && fake.files.start(of: 0) == nil)
        try fake.wrapper(10, children: [])
        #expect(fake.files.programs(of: 10, started: 500) == nil)
        // A zombie has no memory; one that has gone has no files.
        try fake.wrapper(10, children: [11, 12])
        try fake.child(11, of: 10, locked: nil)
        #expect(fake.files.programs(of: 10, started: 500) == nil)
        try FileManager.default.removeItem(atPath: fake.path + "/proc/10/task")
        #expect(fake.files.programs(of: 10, started: 500) == nil)
    }

    @Test func `is nothing where there are more children than are looked at`() throws {
        let max = WorkloadObserverLimits.childrenMax
        for count in [max, max + 1] {
            let fake = FakeFiles()
            try fake.wrapper(10, children: (0..<count).map { 100 + $0 })
            for number in 0..<count { try fake.child(100 + number, of: 10) }
            #expect((fake.files.programs(of: 10, started: 500) != nil) == (count == max))
        }
    }

    /// As the keeper of a tree that is not traced.
    @Test func `is of what a child started that has executed nothing itself`() throws {
        let fake = FakeFiles()
        try fake.wrapper(10, children: [11])
        try fake.child(11, of: 10, locked: "0 kB", seccomp: 0, hasExecuted: false)
        try fake.write("proc/11/task/11/children", "12 13 ")
        try fake.child(12, of: 11, locked: "8 kB")
        try fake.child(13, of: 11)
        var seen = try #require(fake.files.programs(of: 10, started: 500))
        #expect(seen.lockedKiB == 4 && seen.seccompMode == 2)
        // Its child that is another's by now; one more that executed nothing.
        try fake.child(13, of: 9, locked: "0 kB")
        try fake.write("proc/11/task/11/children", "12 13 14 ")
        try fake.child(14, of: 11, locked: "0 kB", hasExecuted: false)
        seen = try #require(fake.files.programs(of: 10, started: 500))
        #expect(seen.lockedKiB == 8)
        // Control: once it has executed something it is a program, and the least.
        try fake.child(11, of: 10, locked: "0 kB", seccomp: 0)
        seen = try #require(fake.files.programs(of: 10, started: 500))
        #expect(seen.lockedKiB == 0 && seen.seccompMode == 0)
    }

    @Test func `is nothing where there are more of both than are looked at`() throws {
        let max = WorkloadObserverLimits.childrenMax
        for count in [max - 1, max] {
            let fake = FakeFiles()
            try fake.wrapper(10, children: [11])
            try fake.child(11, of: 10, hasExecuted: false)
            let numbers = (0..<count).map { 100 + $0 }
            try fake.write(
                "proc/11/task/11/children", numbers.map { "\($0) " }.joined())
            for number in numbers { try fake.child(number, of: 11) }
            #expect((fake.files.programs(of: 10, started: 500) != nil) == (count < max))
        }
    }

    @Test func `is of children of all its threads, of so many as are looked at`() throws {
        let max = ProcessFiles.threadsMax
        for count in [max, max + 1] {
            let fake = FakeFiles()
            try fake.wrapper(10, children: [])
            for number in 1..<count {
                try fake.write("proc/10/task/\(1000 + number)/children", "")
            }
            try fake.write("proc/10/task/1001/children", "11 ")
            try fake.child(11, of: 10)
            #expect((fake.files.programs(of: 10, started: 500) != nil) == (count == max))
        }
    }

    @Test func `tells who is dumpable only where the owner of files tells it`() throws {
        let fake = FakeFiles()
        try fake.wrapper(10, children: [11])
        func dumpable() -> Bool? { fake.files.programs(of: 10, started: 500)?.isDumpable }
        // The files belong to another user than the process.
        try fake.child(11, of: 10, user: getuid() + 1)
        #expect(dumpable() == false)
        // In a namespace of users the owner of files may be its root.
        try fake.child(11, of: 10, map: "         0     100000      65536\n")
        #expect(dumpable() == nil)
        try fake.child(11, of: 10)
        #expect(dumpable() == (getuid() == 0 ? nil : true))
    }

    /// The kernel's own files: of this process as the wrapper, and a shell as its program.
    @Test func `is there for a process and its child that run`() throws {
        let files = ProcessFiles()
        let program = Process()
        program.executableURL = URL(filePath: "/bin/sleep")
        program.arguments = ["60"]
        try program.run()
        defer { program.terminate() }
        let started = try #require(files.start(of: getpid()))
        #expect(files.start(of: program.processIdentifier) != started)
        // Other tests' children are this process's, too, and may be many.
        let status = ProcessFiles(proc: "/proc")
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", "sleep 60 & sleep 60; wait"]
        try shell.run()
        defer { shell.terminate() }
        let since = try #require(files.start(of: shell.processIdentifier))
        var seen: ProcessObservation?
        for _ in 0..<200 where seen == nil {
            seen = status.programs(of: shell.processIdentifier, started: since)
            usleep(10_000)
        }
        let found = try #require(seen)
        #expect(found.lockedKiB == 0 && found.isDumpable == (getuid() == 0 ? nil : true))
    }
}

@Suite struct `What an agent sees of its node` {
    private func node(_ files: [String: String]) throws -> NodeObservation {
        let fake = FakeFiles()
        for (name, text) in files { try fake.write(name, text) }
        return fake.files.node()
    }

    @Test func `is nothing where nothing can be read`() throws {
        #expect(try node([:]) == NodeObservation())
    }

    @Test func `is its kernel, if that is a plain word`() throws {
        let file = "proc/sys/kernel/osrelease"
        #expect(try node([file: "6.1.0-18-amd64\n"]).kernel == "6.1.0-18-amd64")
        #expect(try node([file: "6.1\"x\n"]).kernel == nil)
        #expect(try node([file: String(repeating: "6", count: 64)]).kernel != nil)
        #expect(try node([file: String(repeating: "6", count: 65)]).kernel == nil)
    }

    @Test func `is whether the kernel has secret memory`() throws {
        let file = "sys/module/secretmem/parameters/enable"
        #expect(try node([file: "Y\n"]).secretMemory == .on)
        #expect(try node([file: "N\n"]).secretMemory == .off)
        #expect(try node([file: "?\n"]).secretMemory == nil)
        #expect(try node(["sys/module/kvm/x": ""]).secretMemory == .missing)
        // There, and not readable.
        #expect(try node(["sys/module/secretmem/x": ""]).secretMemory == nil)
    }

    @Test func `is which weaknesses the kernel calls open`() throws {
        let folder = "sys/devices/system/cpu/vulnerabilities/"
        func open(_ lines: [String: String]) throws -> [String]? {
            try node(Dictionary(uniqueKeysWithValues: lines.map { (folder + $0, $1 + "\n") }))
                .openWeaknesses
        }
        let fine = ["mds": "Not affected", "spectre_v1": "Mitigation: usercopy barriers"]
        #expect(try open(fine) == [])
        for text in [
            "Vulnerable", "Vulnerable: Safe RET, no microcode",
            "Mitigation: Clear CPU buffers; SMT vulnerable", "KVM: Vulnerable",
        ] {
            #expect(try open(fine.merging(["l1tf": text, "a": text]) { $1 }) == ["a", "l1tf"])
        }
        #expect(try open(fine.merging(["tsa": "Unknown: no mitigations"]) { $1 }) == nil)
        #expect(
            try open(["tsa": "Unknown: no mitigations", "mds": "Vulnerable"]) == ["mds"])
        // What goes into a document is a plain word, or nothing is said.
        #expect(try open(fine.merging(["a\"b": "Vulnerable"]) { $1 }) == nil)
        let max = ProcessFiles.weaknessesMax
        for count in [max, max + 1] {
            let many = (0..<count).map { ("a\($0)", "Not affected") }
            #expect(
                try open(Dictionary(uniqueKeysWithValues: many)) == (count == max ? [] : nil))
        }
    }

    @Test func `is whether the machine says that it is a confidential one`() throws {
        let folder = "sys/class/misc/"
        #expect(try node([folder + "sev-guest": ""]).confidential == .sevSNP)
        #expect(try node([folder + "tdx_guest": ""]).confidential == .tdx)
        #expect(
            try node([folder + "fuse": ""]).confidential == NodeObservation.Confidential.none)
    }

    @Test func `can be read here`() {
        let here = ProcessFiles().node()
        #expect(here.kernel != nil)
        // By a user who is not root the parameter cannot be read.
        #expect(getuid() != 0 || here.secretMemory != nil)
    }
}
