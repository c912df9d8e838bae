// SPDX-License-Identifier: Apache-2.0
internal import Delivery
package import Ports

/// What a simulated program does by itself and when it is signalled.
package struct SimulatedProgram: Sendable, Equatable {
    package enum Reaction: Sendable, Equatable {
        case ignores
        case ends(ChildExit, after: Duration)
    }

    package struct End: Sendable, Equatable {
        package let after: Duration
        package let exit: ChildExit

        package init(after: Duration, _ exit: ChildExit) {
            self.after = after
            self.exit = exit
        }
    }

    /// Its end without anybody's doing; nil: it runs for ever.
    package var end: End?
    /// By signal number; else the signal's default action (signal(7)).
    package var reactions: [Int32: Reaction]
    /// Found, and not to be executed.
    package var isExecutable: Bool

    package init(end: End? = nil, reactions: [Int32: Reaction] = [:], isExecutable: Bool = true) {
        self.end = end
        self.reactions = reactions
        self.isExecutable = isExecutable
    }

    /// SIGKILL cannot be caught; SIGCHLD, SIGCONT, SIGURG and SIGWINCH do nothing by default.
    func reaction(to signal: Int32) -> Reaction {
        if signal == 9 { return .ends(.signalled(signal: 9), after: .zero) }
        let harmless: Set<Int32> = [17, 18, 23, 28]
        return reactions[signal]
            ?? (harmless.contains(signal)
                ? .ignores : .ends(.signalled(signal: signal), after: .zero))
    }
}

/// A program that runs, or has run, on a `SimulatedMachine`.
package struct SimulatedProcess: Sendable {
    package let launch: Launch
    package let startedAt: MonotonicTime
    /// Name and bytes of every delivered value, as the program would find them.
    package internal(set) var values: [String: [UInt8]]
    /// What newly executed programs of its tree get.
    package internal(set) var laterValues: [String: [UInt8]]
    var program: SimulatedProgram
    var endsAt: MonotonicTime?
    var exit: ChildExit?
    /// Signals that reached it, in order.
    package internal(set) var signals: [Int32] = []
}

/// Where simulated programs run: one at a time and a hook beside it, in virtual time.
///
/// Shared by the host that drives it and the world that looks at it; used by one thread.
package final class SimulatedMachine {
    /// Calls of the port that can be made to fail.
    package enum Call: String, Sendable, CaseIterable { case start, replaceValues, runHook }

    /// What can be executed, by the whole command or the name it is launched under.
    package var programs: [String: SimulatedProgram]
    /// Asked before each call; a failure changes nothing.
    package var plan: (Call) -> ProcessHostFailure? = { _ in nil }
    /// Hears of each program before it runs.
    package var onStart: (SimulatedProcess) -> Void = { _ in }
    package private(set) var now = MonotonicTime(nanoseconds: 0)
    package private(set) var program: SimulatedProcess?
    package private(set) var hook: SimulatedProcess?
    /// Programs and hooks started so far.
    package private(set) var starts = 0
    private var isStopping = false
    private var killAt: MonotonicTime?
    private var requests: [Int32] = []

    package init(programs: [String: SimulatedProgram]) { self.programs = programs }

    /// Signals that ask a process to end; while no program takes them they are the host's.
    package static let stopSignals: Set<Int32> = [1, 2, 3, 15]

    /// The program, as long as it has not ended.
    package var runningProgram: SimulatedProcess? {
        program.flatMap { $0.endsAt.map { $0 > now } ?? true ? $0 : nil }
    }

    /// When the next event will be there by itself; nil: never.
    package var nextEventTime: MonotonicTime? {
        if !requests.isEmpty { return now }
        return [program?.endsAt, hook?.endsAt, killAt].compactMap { $0 }.min()
    }

    /// Lets time pass; ends happen on the way, in their order.
    package func advance(to time: MonotonicTime) {
        if let kill = killAt, kill <= time, program?.endsAt.map({ kill < $0 }) ?? true {
            now = max(now, kill)
            killAt = nil
            send(signal: 9)
        }
        now = max(now, time)
    }

    /// The next event that is there by now.
    package func takeEvent() -> HostEvent? {
        if let event = takeEnd() { return event }
        return requests.isEmpty ? nil : .stopRequested(signal: requests.removeFirst())
    }

    private func takeEnd() -> HostEvent? {
        let programEnd = program?.endsAt.flatMap { $0 <= now ? $0 : nil }
        let hookEnd = hook?.endsAt.flatMap { $0 <= now ? $0 : nil }
        if let hookEnd, let exit = hook?.exit, programEnd.map({ hookEnd <= $0 }) ?? true {
            hook = nil
            return .hookEnded(exit)
        }
        guard programEnd != nil, let exit = program?.exit else { return nil }
        // Nothing of the tree outlives the program, and that is told first.
        guard hook == nil else {
            hook = nil
            return .hookEnded(.signalled(signal: 9))
        }
        (program, killAt, isStopping) = (nil, nil, false)
        return .programEnded(exit)
    }

    /// A signal from outside to the process above the program.
    package func deliver(signal: Int32) {
        let isStop = Self.stopSignals.contains(signal)
        if program == nil || isStopping, isStop { requests.append(signal) }
        send(signal: signal)
    }
}

// MARK: - What the host does

extension SimulatedMachine {
    func start(
        _ launch: Launch, values: [String: [UInt8]]
    ) throws(ProcessHostFailure) {
        precondition(program == nil, "one program at a time")
        if let failure = plan(.start) { throw failure }
        program = try process(launch, values: values)
    }

    func replaceValues(_ values: [String: [UInt8]]) throws(ProcessHostFailure) {
        if let failure = plan(.replaceValues) { throw failure }
        program?.laterValues = values
    }

    func runHook(_ launch: Launch) throws(ProcessHostFailure) {
        if let failure = plan(.runHook) { throw failure }
        guard hook == nil else { throw .systemCall("hook", errorNumber: 16) }
        guard let program else { throw .systemCall("hook", errorNumber: 3) }
        hook = try process(launch, values: program.laterValues)
    }

    private func process(
        _ launch: Launch, values: [String: [UInt8]]
    ) throws(ProcessHostFailure) -> SimulatedProcess {
        let name = launch.programName
        let command = launch.arguments.map(\.description).joined(separator: " ")
        guard let found = programs[command] ?? programs[name] else {
            throw .notFound(program: name)
        }
        guard found.isExecutable else { throw .notExecutable(program: name, errorNumber: 13) }
        var process = SimulatedProcess(
            launch: launch, startedAt: now, values: values, laterValues: values, program: found)
        if let end = found.end {
            process.endsAt = now.advanced(by: end.after)
            process.exit = end.exit
        }
        starts += 1
        onStart(process)
        return process
    }

    func send(signal: Int32) {
        guard var running = runningProgram else { return }
        running.signals.append(signal)
        if case .ends(let exit, let delay) = running.program.reaction(to: signal) {
            let end = now.advanced(by: delay)
            if running.endsAt.map({ end < $0 }) ?? true {
                running.endsAt = end
                running.exit = exit
            }
        }
        program = running
    }

    func stop(within grace: Duration) {
        guard program != nil else { return }
        isStopping = true
        killAt = now.advanced(by: grace)
        send(signal: 15)
    }
}
