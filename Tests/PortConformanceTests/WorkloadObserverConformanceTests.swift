// SPDX-License-Identifier: Apache-2.0
import AgentFiles
import AgentPorts
import Foundation
import Ports
import Simulation
import Synchronization
import Testing

private func facts(_ hasNoNewPrivileges: Bool) -> ProcessObservation {
    ProcessObservation(
        lockedKiB: 0, isDumpable: true, hasNoNewPrivileges: hasNoNewPrivileges, seccompMode: 0)
}

/// The fake.
private final class SimulatedObserverBench: ObserverBench {
    private let simulated = SimulatedWorkloadObserver(
        node: NodeObservation(kernel: "6.1.0", openWeaknesses: ["mds", "tsa"]))
    private let programs = Mutex<[ProcessID: [ProcessID]]>([:])
    private let last = Mutex<ProcessID>(10)

    var observer: any WorkloadObserver { simulated }
    let nobody: ProcessID = 5

    private func next() -> ProcessID {
        last.withLock { last in
            last += 1
            return last
        }
    }

    func start(_ children: [Bool]) -> ProcessID {
        let wrapper = next()
        simulated.start(wrapper)
        let started = children.map { child in
            let program = next()
            simulated.start(program, childOf: wrapper, facts(child))
            return program
        }
        programs.withLock { $0[wrapper] = started }
        return wrapper
    }

    func startBehindFork(_ child: Bool) -> ProcessID {
        let wrapper = start([])
        let (fork, program) = (next(), next())
        simulated.start(fork, childOf: wrapper, isFork: true, facts(false))
        simulated.start(program, childOf: fork, facts(child))
        programs.withLock { $0[wrapper] = [fork, program] }
        return wrapper
    }

    func endPrograms(of wrapper: ProcessID) {
        for program in programs.withLock({ $0.removeValue(forKey: wrapper) }) ?? [] {
            simulated.end(program)
        }
    }

    func end(_ wrapper: ProcessID) {
        endPrograms(of: wrapper)
        simulated.end(wrapper)
    }
}

/// The adapter on the kernel's files: a shell as the wrapper, `sleep` as its programs.
private final class RealObserverBench: ObserverBench {
    let observer: any WorkloadObserver = ProcessFiles()
    /// Numbers end before it (PID_MAX_LIMIT).
    let nobody: ProcessID = 1 << 22 + 1
    private let running = Mutex<[ProcessID: (shell: Process, input: Pipe)]>([:])

    /// Whether a child can have what `setpriv` takes from it, and not have it.
    static var isPossible: Bool {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        return status.contains("NoNewPrivs:\t0")
            && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
    }

    private static func program(_ child: Bool) -> String {
        (child ? "setpriv --no-new-privs " : "") + "sleep 600 </dev/null"
    }

    func start(_ children: [Bool]) async throws -> ProcessID {
        let programs = children.map { Self.program($0) + " & " }
        let wrapper = try run(programs.joined())
        while programs.count != named("sleep", of: wrapper).count {
            try await Task.sleep(for: .milliseconds(5))
        }
        return wrapper
    }

    func startBehindFork(_ child: Bool) async throws -> ProcessID {
        // A shell that has more to do behind it executes it in a child.
        let wrapper = try run("(\(Self.program(child)); :) & ")
        while true {
            let forks = Self.children(of: wrapper)
            if let fork = forks.first, named("sleep", of: fork).count == 1 { return wrapper }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func run(_ programs: String) throws -> ProcessID {
        let shell = Process()
        let input = Pipe()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", programs + "read line"]
        shell.standardInput = input
        try shell.run()
        let wrapper = shell.processIdentifier
        running.withLock { $0[wrapper] = (shell, input) }
        return wrapper
    }

    private func named(_ name: String, of wrapper: ProcessID) -> [ProcessID] {
        Self.children(of: wrapper).filter {
            (try? String(contentsOfFile: "/proc/\($0)/comm", encoding: .utf8)) == name + "\n"
        }
    }

    private static func children(of wrapper: ProcessID) -> [ProcessID] {
        let path = "/proc/\(wrapper)/task/\(wrapper)/children"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: " ").compactMap { ProcessID($0) }
    }

    func endPrograms(of wrapper: ProcessID) async throws {
        let programs = Self.children(of: wrapper)
        for program in programs { kill(program, SIGKILL) }
        // The shell waits for none of them: a zombie has no memory.
        for program in programs {
            while try String(contentsOfFile: "/proc/\(program)/status", encoding: .utf8)
                .contains("VmLck:")
            { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    func end(_ wrapper: ProcessID) async throws {
        for program in Self.children(of: wrapper) {
            for behind in Self.children(of: program) { kill(behind, SIGKILL) }
            kill(program, SIGKILL)
        }
        guard let (shell, input) = running.withLock({ $0.removeValue(forKey: wrapper) }) else {
            return
        }
        try input.fileHandleForWriting.close()
        shell.waitUntilExit()
    }
}

@Suite("WorkloadObserver: the fake") struct SimulatedWorkloadObserverTests {
    @Test(arguments: WorkloadObserverCheck.all)
    func `does as every observer does`(_ check: WorkloadObserverCheck) async throws {
        try await check.run(SimulatedObserverBench())
    }

    @Test func `shows who has the number now, and nothing of what has no memory`() {
        let observer = SimulatedWorkloadObserver()
        observer.start(10)
        let before = observer.start(of: 10)
        observer.start(11, childOf: 10, facts(true))
        observer.start(10)
        #expect(observer.start(of: 10) != before)
        #expect(before.map { observer.programs(of: 10, started: $0) } == .some(nil))
        let now = observer.start(of: 10) ?? 0
        #expect(observer.programs(of: 10, started: now) == facts(true))
        observer.change(11, to: nil)
        #expect(observer.programs(of: 10, started: now) == nil)
        #expect(observer.looks == [10, 10, 10])
    }
}

@Suite(
    "WorkloadObserver: the adapter on real processes",
    .enabled(if: RealObserverBench.isPossible, "setpriv is missing, or takes nothing here"))
struct RealWorkloadObserverTests {
    @Test(arguments: WorkloadObserverCheck.all)
    func `does as every observer does`(_ check: WorkloadObserverCheck) async throws {
        try await check.run(RealObserverBench())
    }
}
