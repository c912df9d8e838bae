// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import LinuxProcessHost

@Suite("What a wait status says")
struct StopTests {
    @Test("ends, signals, system calls and job control are told apart")
    func plainStops() {
        #expect(Stop(status: 7 << 8) == .exited(code: 7))
        #expect(Stop(status: 9) == .killed(signal: 9))
        #expect(Stop(status: 0x7f | 15 << 8) == .signal(15))
        #expect(Stop(status: 0x7f | 5 << 8) == .signal(5), "a SIGTRAP of the program itself")
        #expect(Stop(status: 0x7f | (5 | 0x80) << 8) == .systemCall)
    }

    @Test(
        "ptrace events carry their number above the signal",
        arguments: [
            (Int32(1), Stop.fork), (2, .vfork), (3, .clone), (4, .exec), (5, .vforkDone),
            (7, .seccomp), (128, .trap), (99, .unknown(event: 99)),
        ])
    func events(number: Int32, stop: Stop) {
        #expect(Stop(status: 0x7f | 5 << 8 | number << 16) == stop)
    }

    @Test("PTRACE_EVENT_STOP with a stopping signal is a group-stop, with SIGTRAP it is not")
    func groupStop() {
        #expect(Stop(status: 0x7f | 19 << 8 | 128 << 16) == .groupStop(signal: 19))
        #expect(Stop(status: 0x7f | 5 << 8 | 128 << 16) == .trap)
    }
}

@Suite("What the supervisor does at a stop")
struct TaskStateMachineTests {
    @Test("an exec that was prepared is let through and delivered to")
    func preparedExec() {
        var task = TaskStateMachine(phase: .running)
        #expect(task.handle(.seccomp) == .prepareExec)
        task.execPrepared(restarts: false)
        #expect(task.handle(.exec) == .deliver)
        task.execEnded()
        #expect(task.phase == .running)
    }

    @Test("an image that nobody prepared is a violation; control: a prepared one is not")
    func unpreparedImage() {
        for phase in [TaskStateMachine.Phase.created, .running, .launching, .restarting] {
            var task = TaskStateMachine(phase: phase)
            #expect(task.handle(.exec) == .violation)
        }
        var prepared = TaskStateMachine(phase: .executing)
        #expect(prepared.handle(.exec) == .deliver)
    }

    @Test("an exec that is taken back is issued again before it counts as one")
    func restartedExec() {
        var task = TaskStateMachine(phase: .interrupting)
        #expect(task.handle(.trap) == .prepareExec)
        task.execPrepared(restarts: true)
        #expect(task.handle(.systemCall) == .resume(signal: 0, toSystemCall: true))
        #expect(task.phase == .executing)
        #expect(task.handle(.systemCall) == .execFailed, "the second one is the exec's return")
    }

    @Test("a second exec within an exec is a violation")
    func execWithinExec() {
        for phase in [TaskStateMachine.Phase.created, .interrupting, .restarting, .executing] {
            var task = TaskStateMachine(phase: phase)
            #expect(task.handle(.seccomp) == .violation)
        }
    }

    @Test("signals go on to the task, and inside an exec the next system call stops too")
    func signals() {
        var running = TaskStateMachine(phase: .running)
        #expect(running.handle(.signal(23)) == .resume(signal: 23, toSystemCall: false))
        var executing = TaskStateMachine(phase: .executing)
        #expect(executing.handle(.signal(23)) == .resume(signal: 23, toSystemCall: true))
        #expect(running.handle(.groupStop(signal: 19)) == .listen)
    }

    @Test("only what has nothing to do with an exec counts as between execs")
    func betweenExecs() {
        let running = TaskStateMachine(phase: .running)
        #expect(running.isBetweenExecs(at: .signal(23)) && running.isBetweenExecs(at: .clone))
        #expect(!running.isBetweenExecs(at: .seccomp))
        #expect(!running.isBetweenExecs(at: .exited(code: 0)))
        #expect(!TaskStateMachine(phase: .executing).isBetweenExecs(at: .signal(23)))
    }
}

@Suite("The stack of an image that has not run")
struct FreshStackTests {
    /// A stack whose first word is at address 4096.
    private static func stack(_ words: [UInt64]) -> FreshStack? {
        FreshStack(stackPointer: 4096) { address in
            let index = (Int(address) - 4096) / 8
            return words.indices.contains(index) ? words[index] : nil
        }
    }

    @Test("the environment's slots come after the arguments, the vdso from the vector")
    func layout() throws {
        let words: [UInt64] = [2, 70, 71, 0, 80, 81, 82, 0, 6, 4096, 33, 0x7fff_0000, 0, 0]
        let stack = try #require(Self.stack(words))
        #expect(stack.environmentSlots == 4096 + 8 * 4)
        #expect(stack.environment == [80, 81, 82])
        #expect(stack.vdso == 0x7fff_0000)
    }

    @Test("a stack that ends early, or claims too many arguments, is not believed")
    func broken() {
        let whole: [UInt64] = [1, 70, 0, 80, 0, 6, 4096, 0, 0]
        #expect(Self.stack(whole) != nil)
        for count in 0..<whole.count {
            #expect(Self.stack(Array(whole.prefix(count))) == nil, "\(count) words")
        }
        #expect(Self.stack([1 << 24] + whole) == nil)
    }
}

@Suite("Faults for tests")
struct FaultCounterTests {
    @Test("a fault is due at the arrival it names, once; control: none without faults")
    func arrivals() {
        let fault = DeliveryFault(step: .mapRegion, kind: .fail, occurrence: 2)
        var counter = FaultCounter(faults: [fault])
        #expect(counter.arrive(at: .mapRegion) == nil)
        #expect(counter.arrive(at: .closeDescriptor) == nil)
        #expect(counter.arrive(at: .mapRegion) == .fail)
        #expect(counter.arrive(at: .mapRegion) == nil)
        var production = FaultCounter(faults: [])
        for step in SpliceStep.allCases { #expect(production.arrive(at: step) == nil) }
    }
}
