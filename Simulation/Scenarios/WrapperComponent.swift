// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import Ports
internal import Simulation
internal import SimulationEngine
internal import Wrapper
internal import WrapperConfiguration

/// One container: a wrapper, the machine below it, and what both tell.
///
/// An action is performed on the fakes at once; then its time passes, in which the program may end
/// and break a call off; then the outcome is told.
final class WrapperContainer {
    let machine: SimulatedMachine
    private let wrapper: any DrivenWrapper
    private let faults: StoreFaults
    private let world: WrapperWorld
    private let context: ComponentContext
    private let observer: WrapperObserver
    /// Something from outside: a signal has been delivered.
    private let calls: SimulatedMailbox<Void>

    init(
        world: WrapperWorld, context: ComponentContext, program: String,
        observer: WrapperObserver, stage: AttackStage,
        make: (WrapperParts) throws -> any DrivenWrapper
    ) throws {
        self.world = world
        self.context = context
        self.observer = observer
        let run = world.run
        let machine = SimulatedMachine(programs: Programs.all(run.choices))
        machine.advance(to: run.now)
        machine.onStart = { process in
            observer.started(process)
            stage.started(process)
        }
        machine.plan = { Self.hostFault($0, run) }
        let faults = StoreFaults(
            run: run, component: context.name,
            requestSecondsMax: world.settings.vault.requestSecondsMax)
        self.machine = machine
        self.faults = faults
        calls = SimulatedMailbox(capacity: 64, in: run)
        wrapper = try make(
            WrapperParts(
                settings: world.settings, arguments: [RawText(program), "--serve"],
                environment: ["PATH=/app", "VAULT_ADDR=https://vault.example.eu:8200"],
                server: world.server, credential: world.credential,
                plan: { call in
                    observer.sent()
                    return faults.plan(call)
                }, node: world.newNode(), machine: machine, context: context,
                telemetry: ObservedTelemetry(context.telemetry) { observer.told($0) }))
    }

    /// Runs to the wrapper's end.
    func live() async -> WrapperStop {
        var action = wrapper.begin()
        while true {
            observer.acting(action)
            if case .finish(let stop) = action { return stop }
            let event = await outcome(of: action)
            observer.heard(event, of: action)
            action = wrapper.handle(event)
        }
    }

    /// A signal from outside to the container's first process.
    func deliver(signal: Int32) {
        machine.advance(to: world.run.now)
        machine.deliver(signal: signal)
        calls.send(())
    }

    private func outcome(
        of action: WrapperStateMachine.Action
    ) async -> WrapperStateMachine.Event {
        world.synchronize()
        machine.advance(to: world.run.now)
        if case .wait(let deadline) = action { return .host(await event(until: deadline)) }
        let event = wrapper.perform(action)
        observer.look()
        guard action.isRequest else {
            await context.clock.sleep(for: .milliseconds(1))
            return event
        }
        let end = world.run.now.advanced(by: faults.latency)
        // A login that was broken off would leave the fake with a token that the wrapper does not
        // know; with a former one to go on with, it comes just in time.
        if action == .logIn, machine.program != nil {
            await context.clock.sleep(until: end)
            return event
        }
        guard let interruption = machine.nextEventTime, interruption < end else {
            return await isInterrupted(until: end) ? brokenOff(event) : event
        }
        await context.clock.sleep(until: interruption)
        return brokenOff(event)
    }

    private func brokenOff(
        _ event: WrapperStateMachine.Event
    ) -> WrapperStateMachine.Event {
        world.run.marks.hit("call.broken_off")
        return event.brokenOff
    }

    /// Lets a request's time pass. A signal may end it early.
    private func isInterrupted(until end: MonotonicTime) async -> Bool {
        while let _: Void = await calls.receive(until: end) {
            machine.advance(to: world.run.now)
            if let time = machine.nextEventTime, time <= world.run.now { return true }
        }
        return false
    }

    private func event(until deadline: MonotonicTime?) async -> HostEvent {
        while true {
            machine.advance(to: world.run.now)
            if let event = machine.takeEvent() { return event }
            if let deadline, deadline <= world.run.now { return .deadline }
            let next = [machine.nextEventTime, deadline].compactMap { $0 }.min()
            _ = await calls.receive(until: next)
        }
    }

    private static func hostFault(
        _ call: SimulatedMachine.Call, _ run: SimulationRun
    ) -> ProcessHostFailure? {
        let failures: [(String, ProcessHostFailure)] = [
            ("notFound", .notFound(program: "p")),
            ("notExecutable", .notExecutable(program: "p", errorNumber: 13)),
            ("argumentsTooLarge", .argumentsTooLarge(program: "p")),
            ("refused", .refused(call: "ptrace", errorNumber: 1)),
            ("deliveryFailed", .deliveryFailed(step: "map-region", errorNumber: 12)),
            ("systemCall", .systemCall("fork", errorNumber: 11)),
        ]
        return failures.first { run.faults.fires("host.\($0.0)", site: call.rawValue) }?.1
    }
}

extension WrapperStateMachine.Action {
    /// Whether the vault is asked.
    var isRequest: Bool {
        switch self {
        case .logIn, .read, .renewToken, .renew, .checkVersion, .revoke, .revokeToken: true
        case .register, .scan, .forgetLogin, .startProgram, .replaceValues, .sendSignal, .runHook,
            .stopProgram, .wait, .finish:
            false
        }
    }
}

extension WrapperStateMachine.Event {
    /// The same call, whose answer is not waited for any more.
    var brokenOff: WrapperStateMachine.Event {
        switch self {
        case .read, .readFailed, .valuesRefused: .readFailed(.interrupted, nil)
        default: .storeFailed(.interrupted)
        }
    }
}
