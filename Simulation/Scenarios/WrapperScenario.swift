// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import Ports
internal import SecretMemory
package import Simulation
package import SimulationEngine
internal import Wrapper
internal import WrapperConfiguration

/// The complete wrapper in a container that is started again, with its vault, its operators and
/// everything that goes wrong between them, for half an hour.
package struct WrapperScenario: SimulatedScenario {
    package static let name = "wrapper"
    package static let summary = "A wrapper fetches, starts, renews, rotates and cleans up."
    package static let limits = RunLimits(
        duration: .seconds(1800), stepsMax: 400_000, stepsAtOnceMax: 20_000)
    package static let sometimes = [
        "wrapper.program_started", "wrapper.output_scanned",
        "wrapper.scan_retry", "wrapper.output_not_scanned", "wrapper.vault_retry",
        "wrapper.token_renewed",
        "wrapper.token_replaced", "wrapper.lease_renewed", "wrapper.lease_ending",
        "wrapper.token_ending", "wrapper.rotation_started", "wrapper.rotation_done",
        "wrapper.rotation_failed", "wrapper.version_changed", "wrapper.upkeep_failed",
        "wrapper.revocation_failed", "wrapper.hook_ended", "wrapper.rotation_without_object",
        "refused.vaultSealed", "refused.wrappingTokenInvalid", "refused.certificateNameMismatch",
        "call.broken_off", "container.crashed", "container.started_again", "container.terminated",
        "attack.blocked.none", "attack.blocked.detect", "attack.blocked.deny",
        "attack.blocked.deny+kill", "attack.succeeded.none", "attack.succeeded.detect",
        "attack.bytes.none.splice", "attack.bytes.none.file", "attack.bytes.none.environ",
        "attack.outside.application", "attack.outside.wrapper", "attack.inside.application",
        "attack.prepared", "attack.event", "attack.events_lost", "attack.program_ended",
        "attack.wrapper_ended",
    ]

    /// Faults end, and everything has to come right.
    static let healTime = Duration.seconds(900)
    /// The container is asked to end.
    static let endTime = Duration.seconds(1740)
    /// Kubernetes' default terminationGracePeriodSeconds.
    static let terminationGrace = Duration.seconds(30)

    private let make: @Sendable (WrapperParts) throws -> any DrivenWrapper
    private let tamper: @Sendable (inout SimulatedKernel) -> Void

    package init() { self.init(make: { try ProductionWrapper($0) }, tamper: { _ in }) }

    /// With another wrapper than the production one or another kernel than the modelled one: for
    /// tests of the oracles.
    package init(
        make: @escaping @Sendable (WrapperParts) throws -> any DrivenWrapper = {
            try ProductionWrapper($0)
        },
        tamper: @escaping @Sendable (inout SimulatedKernel) -> Void = { _ in }
    ) {
        self.make = make
        self.tamper = tamper
    }

    package func build(in run: SimulationRun) {
        // Secret memory draws its canary once in a process: not while a component runs.
        do { _ = try SecretBuffer(capacity: 1, minimumTier: .ordinary) } catch {
            preconditionFailure("no memory for a simulation: \(error)")
        }
        WrapperCluster(run: run, make: make, tamper: tamper).build()
    }
}

/// The container's surroundings: who starts it, who stops it, who tampers with the vault.
final class WrapperCluster {
    static let component = "wrapper"

    let run: SimulationRun
    let stage: AttackStage
    private let world: WrapperWorld
    private let observer: WrapperObserver
    private let make: (WrapperParts) throws -> any DrivenWrapper
    private let program: String
    private(set) var container: WrapperContainer?
    private var restarts = 0
    private var isTerminating = false

    init(
        run: SimulationRun, make: @escaping (WrapperParts) throws -> any DrivenWrapper,
        tamper: (inout SimulatedKernel) -> Void
    ) {
        self.run = run
        self.make = make
        var count = 0
        world = WrapperWorld(run: run) { text in
            count += 1
            run.report(SecretRegistered("secret-\(count)", bytes: Array(text.utf8)))
        }
        observer = WrapperObserver(world: world)
        stage = AttackStage(
            run: run, delivery: ModelledDelivery(world.settings.delivery), tamper: tamper)
        program = run.choices.pick(
            [Programs.server, Programs.stubborn, Programs.job], label: "world")
    }

    func build() {
        run.network.listen(at: StoreFaults.address, as: StoreFaults.address)
        run.skews[Self.component] = skew()
        run.spawn(Self.component) { [self] context in await live(context) }
        let events = run.choices.draw(below: 7, label: "events")
        for _ in 0..<events {
            let time = Duration.seconds(run.choices.draw(below: 800, label: "events"))
            let event = run.choices.pick(ClusterEvent.allCases, label: "events")
            run.after(time) { [self] in happen(event) }
        }
        planAttacks()
        run.after(WrapperScenario.healTime) { [self] in heal() }
        run.after(WrapperScenario.endTime) { [self] in terminate() }
        use()
    }

    /// A wall clock that is off, that drifts and that jumps; nothing but certificates' ends may
    /// depend on it.
    private func skew() -> ClockSkew {
        var skew = ClockSkew()
        guard run.choices.happens(1, in: 3, label: "clock") else { return skew }
        skew.offsetSeconds = run.choices.pick([0, 30, -30, 600, -600], label: "clock")
        skew.driftPartsPerMillion = run.choices.pick([0, 200, -200], label: "clock")
        let time = Duration.seconds(run.choices.draw(below: 900, label: "clock"))
        let jump: Int64 = run.choices.pick([0, 3600, -3600], label: "clock")
        skew.steps = [.init(at: run.later(time), seconds: jump)]
        return skew
    }

    /// The kubelet's view of one life of the container.
    private func live(_ context: ComponentContext) async {
        let label = "\(context.name)#\(context.incarnation)"
        observer.begin(holder: label)
        stage.containerStarted()
        do {
            let container = try WrapperContainer(
                world: world, context: context, program: program, observer: observer, stage: stage,
                make: make)
            self.container = container
            let stop = await container.live()
            self.container = nil
            stage.containerEnded()
            observer.end(stop)
            if stop != .programEnded(.exited(code: 0)) { startAgain() }
        } catch {
            preconditionFailure("no memory for a simulated container: \(error)")
        }
    }

    /// As the kubelet does: later each time, up to five minutes, never while it terminates.
    private func startAgain() {
        guard !isTerminating else { return }
        let pause = Duration.seconds(min(10 << min(restarts, 5), 300))
        restarts += 1
        run.after(pause) { [self] in
            guard !isTerminating, run.component(Self.component)?.state != .running else { return }
            // A new container gets what its manifest says, sometimes before it was made anew.
            if run.faults.isHealed || !run.choices.happens(1, in: 4, label: "kubelet") {
                world.renewCredential()
            }
            run.marks.hit("container.started_again")
            run.restart(Self.component)
        }
    }

    /// The program works with its values, every second or so.
    private func use() {
        container?.machine.advance(to: run.now)
        if let process = container?.machine.runningProgram { observer.used(by: process) }
        let pause = 1000 + run.choices.draw(below: 1000, label: "application")
        run.after(.milliseconds(pause)) { [self] in use() }
    }

    func crash() {
        // A frozen process can be killed too.
        guard let state = run.component(Self.component)?.state,
            [.running, .paused].contains(state)
        else { return }
        run.crash(Self.component)
        container = nil
        stage.containerEnded()
        run.marks.hit("container.crashed")
        observer.crashed(isWanted: isTerminating)
        startAgain()
    }

    private func terminate() {
        isTerminating = true
        container?.deliver(signal: 15)
        run.marks.hit("container.terminated")
        run.after(WrapperScenario.terminationGrace) { [self] in crash() }
    }

    private func heal() {
        world.server.vault.condition = .active
        run.network.listen(at: StoreFaults.address, as: StoreFaults.address)
        run.resume(Self.component)
        world.secrets.indices.forEach { world.putVersion(of: $0) }
        // Whoever issued credentials that were used up issues new ones.
        world.renewCredential()
        observer.excuseAll()
        run.heal()
    }
}

/// What happens around a wrapper, before everything is healed.
enum ClusterEvent: String, CaseIterable {
    case newVersion, deletedVersion, sealed, standby, rateLimited, failing, invalidJSON,
        partitioned, impostor, tokensRevoked, leasesRevoked, frozen, killed, terminated, signalled
}

extension WrapperCluster {
    private func happen(_ event: ClusterEvent) {
        guard !run.faults.isHealed else { return }
        run.note(event.rawValue)
        world.synchronize()
        let span = Duration.seconds(1 + run.choices.draw(below: 120, label: "events"))
        switch event {
        case .newVersion: world.secrets.indices.forEach { world.putVersion(of: $0) }
        case .deletedVersion:
            world.secrets.indices.forEach { world.deleteVersion(of: $0) }
            run.after(span) { [self] in
                world.secrets.indices.forEach { world.putVersion(of: $0) }
            }
        case .sealed: vault(is: .sealed, for: span)
        case .standby: vault(is: .standby, for: span)
        case .rateLimited:
            let seconds = run.choices.draw(below: 30, label: "events")
            vault(is: .rateLimited(retryAfterSeconds: seconds), for: span)
        case .failing: vault(is: .failing(status: 502), for: span)
        case .invalidJSON: vault(is: .invalidJSON, for: span)
        case .partitioned:
            run.network.partition(Self.component, StoreFaults.address)
            run.after(span) { [self] in run.network.heal(Self.component, StoreFaults.address) }
        case .impostor:
            run.network.listen(at: StoreFaults.address, as: "mallory")
            run.after(span) { [self] in
                run.network.listen(at: StoreFaults.address, as: StoreFaults.address)
            }
        case .tokensRevoked:
            world.revokeTokens()
            observer.excuseAll()
        case .leasesRevoked:
            for lease in world.server.vault.liveLeases {
                world.server.vault.revoke(lease: lease.id)
            }
            observer.excuseAll()
        case .frozen:
            observer.excuseAll()
            run.pause(Self.component)
            run.after(span) { [self] in
                observer.excuseAll()
                run.resume(Self.component)
            }
        case .killed: crash()
        case .terminated: container?.deliver(signal: 15)
        case .signalled: container?.deliver(signal: 1)
        }
    }

    private func vault(is condition: SimulatedVault.Condition, for span: Duration) {
        world.server.vault.condition = condition
        run.after(span) { [self] in world.server.vault.condition = .active }
    }
}
