// SPDX-License-Identifier: Apache-2.0
package import Ports
internal import Simulation
package import SimulationEngine

/// The machine below a container as its kernel sees it, and somebody who is root beside it.
///
/// Follows the container's life: the wrapper and its program are processes of a simulated kernel,
/// with the delivered values in their memory. Which kernel, what watches it and how large its ring
/// of events is, is drawn (label `attack/world`).
final class AttackStage {
    /// What a step did to the container.
    enum Effect { case none, programEnded, wrapperEnded }

    /// Principals of the attacker's haul: who may have bytes and who may not.
    private static let successful = "an attacker whom the model lets through"
    private static let blocked = "an attacker whom the model blocks"

    let enforcement: EnforcementMode
    private let run: SimulationRun
    private var workload: SimulatedWorkload
    /// The machine of the attack matrix: nothing has happened on it.
    private let untouched: SimulatedWorkload
    private var verdicts: [String: Bool] = [:]
    /// Every value that was ever delivered, each once.
    private var delivered: [[UInt8]] = []
    /// Which call a report is about, by the report's number.
    private var calls: [UInt64: String] = [:]

    init(
        run: SimulationRun, delivery: ModelledDelivery, tamper: (inout SimulatedKernel) -> Void
    ) {
        self.run = run
        let label = "attack/world"
        enforcement = run.choices.pick(EnforcementMode.allCases, label: label)
        let features = KernelFeatures.drawn(
            run.choices, label: label, needsSecretMemory: delivery != .environ)
        do {
            untouched = try SimulatedWorkload(
                features: features, delivery: delivery, enforcement: enforcement)
            workload = try SimulatedWorkload(
                idleOn: features, delivery: delivery, enforcement: enforcement)
        } catch {
            preconditionFailure("a kernel on which nothing can be delivered was drawn: \(error)")
        }
        workload.kernel.reports.capacity = run.choices.pick(
            [EventRing.capacityStandard, 16, 2], label: label)
        tamper(&workload.kernel)
        run.oracles.oracle(TaintOracle.self)?.allow(
            .init(sink: .attacker, principal: Self.successful))
        if enforcement != .none { collect() }
    }

    // MARK: - The container's life

    func containerStarted() {
        tryOnKernel { (workload) throws(KernelFailure) in
            try workload.startWrapper()
        }
    }

    func containerEnded() { workload.endWrapper() }

    func started(_ process: SimulatedProcess) {
        guard process.launch.programName != Programs.hook else { return }
        let values = process.values.sorted { $0.key < $1.key }.map(\.value)
        for value in values where !delivered.contains(value) { delivered.append(value) }
        tryOnKernel { (workload) throws(KernelFailure) in
            try workload.startApplication(with: values.flatMap { $0 })
        }
    }

    private func tryOnKernel(
        _ body: (inout SimulatedWorkload) throws(KernelFailure) -> Void
    ) {
        do throws(KernelFailure) { try body(&workload) } catch {
            preconditionFailure("a process of this stage is missing: \(error.name)")
        }
    }

    // MARK: - Attacks

    /// Plays one attack, if there is whom to attack.
    ///
    /// - Parameter isRunning: whether the program runs; the stage hears only of its start.
    func play(
        _ attack: any SimulatedAttack.Type, on target: AttackTarget, as name: String,
        isRunning: Bool
    ) -> Effect {
        if !isRunning { workload.endApplication() }
        let ran = (wrapper: workload.runsWrapper, application: workload.runsApplication)
        guard target == .application ? ran.application : ran.wrapper else { return .none }
        let scene = scene(attack, target, in: workload, secret: delivered.flatMap { $0 })
        let model = attempt(
            attack, scene, on: workload.kernel.reference(for: enforcement))
        guard let model else { return .none }
        let isPrepared = workload.kernel.isPrepared
        guard let played = attempt(attack, scene, on: workload.kernel) else { return .none }
        workload.kernel = played.kernel.kernel
        workload.reviveAttackers()
        let gone = [
            ran.wrapper && !workload.runsWrapper ? "wrapper" : nil,
            ran.application && !workload.runsApplication ? "application" : nil,
        ].compactMap { $0 }
        let isMeant =
            played.kernel.isLethal
            || enforcement == .denyAndKill && attack.position == .inside
        let expectation: AttackPlayed.Expectation =
            model.gain == .nothing
            ? .blocked
            : isPrepared || !isBlockedInMatrix(attack, target) ? .succeeds : .contradictory
        report(played.kernel, as: name, mayHaveBytes: model.gain == .secret)
        run.report(
            AttackPlayed(
                name, expectation, hasGained: played.gain != .nothing,
                ended: isMeant ? [] : gone))
        mark(played, scene, attack, target, isPrepared: isPrepared)
        if gone.contains("wrapper") { return .wrapperEnded }
        return gone.contains("application") ? .programEnded : .none
    }

    private typealias Played = (gain: AttackGain, kernel: ObservedKernel)

    private func scene(
        _ attack: any SimulatedAttack.Type, _ target: AttackTarget,
        in workload: SimulatedWorkload, secret: [UInt8]
    ) -> AttackScene {
        let victim = target == .application ? workload.application : workload.wrapper
        return AttackScene(
            attacker: attack.position == .outside ? workload.attacker : victim,
            neighbour: workload.neighbour, target: victim, secret: secret)
    }

    /// nil when there is nothing to try.
    private func attempt(
        _ attack: any SimulatedAttack.Type, _ scene: AttackScene, on kernel: SimulatedKernel
    ) -> Played? {
        var observed = ObservedKernel(
            kernel, outsiders: [workload.attacker, workload.neighbour],
            isArmed: enforcement != .none)
        let attack = attack.init()
        guard attack.obstacle(scene, on: observed) == nil else { return nil }
        var gain = AttackGain.nothing
        do throws(KernelFailure) {
            gain = try attack.run(scene, on: &observed)
        } catch {
            gain = .nothing
        }
        return (gain, observed)
    }

    /// What the attack matrix has in this cell.
    private func isBlockedInMatrix(
        _ attack: any SimulatedAttack.Type, _ target: AttackTarget
    ) -> Bool {
        let cell = "\(attack.id) \(target)"
        if let known = verdicts[cell] { return known }
        let scene = scene(attack, target, in: untouched, secret: untouched.secret)
        let played = attempt(attack, scene, on: untouched.kernel)
        let isBlocked = played.map { $0.gain == .nothing } ?? true
        verdicts[cell] = isBlocked
        return isBlocked
    }

    private func report(_ observed: ObservedKernel, as name: String, mayHaveBytes: Bool) {
        for (index, call) in observed.handled.enumerated() {
            let attempt = "\(name).\(index + 1)"
            if let report = call.report { calls[report] = attempt }
            run.report(AttackHandled(attempt))
        }
        guard !observed.haul.isEmpty else { return }
        run.report(
            SinkWritten(
                .attacker, stream: name,
                principal: mayHaveBytes ? Self.successful : Self.blocked, bytes: observed.haul))
    }

    private func mark(
        _ played: Played, _ scene: AttackScene, _ attack: any SimulatedAttack.Type,
        _ target: AttackTarget, isPrepared: Bool
    ) {
        let outcome = played.gain == .nothing ? "blocked" : "succeeded"
        run.marks.hit("attack.\(outcome).\(enforcement.rawValue)")
        run.marks.hit("attack.\(attack.position.rawValue).\(target.rawValue)")
        if isPrepared { run.marks.hit("attack.prepared") }
        guard scene.isLeak(played.kernel.haul) else { return }
        run.marks.hit("attack.bytes.\(enforcement.rawValue)")
        let kind = workload.delivery.rawValue
        if enforcement == .none { run.marks.hit("attack.bytes.none.\(kind)") }
    }

    // MARK: - Whoever watches

    /// Longest time between two looks at the ring (seconds).
    private static let pauseSecondsMax = 120

    /// Takes what programs reported, again and again. It may come too late for a small ring.
    private func collect() {
        let batch = workload.kernel.takeEvents()
        for event in batch.events {
            run.report(
                SecurityEventRecorded(calls[event.sequence] ?? "report \(event.sequence)"))
        }
        if !batch.events.isEmpty { run.marks.hit("attack.event") }
        if batch.lostCount > 0 {
            run.marks.hit("attack.events_lost")
            run.report(SecurityEventsLost(count: batch.lostCount))
        }
        let pause = run.choices.draw(in: 1...Self.pauseSecondsMax, label: "attack/collector")
        run.after(.seconds(pause)) { [self] in collect() }
    }
}

extension KernelFeatures {
    /// A kernel that differs from the newest in some things; none is the simplest.
    package static func drawn(
        _ choices: Choices, label: String, needsSecretMemory: Bool
    ) -> KernelFeatures {
        var features = KernelFeatures()
        for (_, feature) in switches where choices.happens(1, in: 5, label: label) {
            features[keyPath: feature].toggle()
        }
        if needsSecretMemory { features.memfdSecret = true }
        features.hibernation = !choices.happens(1, in: 5, label: label)
        features.zeroesFreedPages = choices.happens(1, in: 5, label: label)
        features.isLockedDown = choices.happens(1, in: 5, label: label)
        features.yamaPtraceScope = choices.pick([0, 0, 0, 0, 1, 2, 3], label: label)
        return features
    }
}
