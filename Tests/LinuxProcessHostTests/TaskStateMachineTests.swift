// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import LinuxProcessHost

@Suite("A task's state machine")
struct TaskStateMachineTests {
    @Test("Attached: an exec is prepared, let through, delivered")
    func attachedExec() {
        var machine = TaskStateMachine(phase: .running)
        #expect(machine.handle(.seccomp) == .prepareExec)
        machine.execPrepared(restarts: false)
        #expect(machine.handle(.exec) == .deliver)
        machine.execEnded()
        #expect(machine.phase == .running)
    }

    @Test("Attached: an exec that the kernel refuses ends at the call's exit")
    func attachedFailure() {
        var machine = TaskStateMachine(phase: .running)
        _ = machine.handle(.seccomp)
        machine.execPrepared(restarts: false)
        #expect(machine.handle(.systemCall) == .execFailed)
    }

    @Test("Notified: the exec is issued again, so the entry stop is not its end")
    func notifiedExec() {
        var machine = TaskStateMachine(phase: .interrupting)
        #expect(machine.handle(.trap) == .prepareExec)
        machine.execPrepared(restarts: true)
        #expect(machine.handle(.systemCall) == .resume(signal: 0, toSystemCall: true))
        #expect(machine.handle(.systemCall) == .execFailed)
    }

    @Test("An image that nobody prepared is a violation, in every phase but executing")
    func unpreparedImage() {
        let phases: [TaskStateMachine.Phase] = [
            .created, .running, .launching, .interrupting, .restarting,
        ]
        for phase in phases {
            var machine = TaskStateMachine(phase: phase)
            #expect(machine.handle(.exec) == .violation, "\(phase)")
        }
        var executing = TaskStateMachine(phase: .executing)
        #expect(executing.handle(.exec) == .deliver)
    }

    @Test("Signals are passed on, and an exec under way stays watched")
    func signals() {
        var running = TaskStateMachine(phase: .running)
        #expect(
            running.handle(.signal(SIGTERM)) == .resume(signal: SIGTERM, toSystemCall: false))
        var executing = TaskStateMachine(phase: .executing)
        #expect(
            executing.handle(.signal(SIGTERM)) == .resume(signal: SIGTERM, toSystemCall: true))
    }

    @Test("Job control keeps its stops")
    func groupStop() {
        var machine = TaskStateMachine(phase: .running)
        #expect(machine.handle(.groupStop(signal: SIGTSTP)) == .listen)
        #expect(machine.handle(.trap) == .resume(signal: 0, toSystemCall: false))
    }

    @Test("A new task is adopted at its first stop only")
    func adoption() {
        var machine = TaskStateMachine(phase: .created)
        #expect(machine.handle(.trap) == .adopt)
        machine.adopted()
        #expect(machine.handle(.trap) == .resume(signal: 0, toSystemCall: false))
    }

    @Test("Only stops outside an exec count as between execs")
    func counting() {
        #expect(TaskStateMachine(phase: .running).isBetweenExecs(at: .fork))
        #expect(TaskStateMachine(phase: .running).isBetweenExecs(at: .signal(SIGURG)))
        #expect(TaskStateMachine(phase: .created).isBetweenExecs(at: .trap))
        #expect(!TaskStateMachine(phase: .running).isBetweenExecs(at: .seccomp))
        #expect(!TaskStateMachine(phase: .running).isBetweenExecs(at: .exited(code: 0)))
        #expect(!TaskStateMachine(phase: .interrupting).isBetweenExecs(at: .trap))
        #expect(!TaskStateMachine(phase: .executing).isBetweenExecs(at: .systemCall))
    }
}

@Suite("What a created task shares")
struct RelationTests {
    @Test("By the flags of clone(2)")
    func flags() {
        let thread = Supervisor.Relation(flags: 0x10100, stop: .clone)
        #expect(thread.sharesMemory && thread.isThread)
        let vforked = Supervisor.Relation(flags: 0x4100, stop: .vfork)
        #expect(vforked.sharesMemory && !vforked.isThread)
        let forked = Supervisor.Relation(flags: 0, stop: .clone)
        #expect(!forked.sharesMemory && !forked.isThread)
    }

    @Test("By the kind of event where the flags cannot be read")
    func kinds() {
        #expect(!Supervisor.Relation(flags: nil, stop: .fork).sharesMemory)
        #expect(Supervisor.Relation(flags: nil, stop: .vfork).sharesMemory)
        #expect(Supervisor.Relation(flags: nil, stop: .clone).isThread)
    }
}
