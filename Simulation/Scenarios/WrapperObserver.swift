// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import Ports
internal import Simulation
internal import SimulationEngine
internal import Wrapper
internal import WrapperConfiguration

/// Looks at a wrapper from outside, at what it asks, what the vault did, what its machine runs and
/// what it told, and reports all of that to the oracles. It takes nobody's word for anything.
final class WrapperObserver {
    static let application = "application"

    private let world: WrapperWorld
    private var run: SimulationRun { world.run }
    /// Requests whose values have come since the read of the first.
    private var complete: Set<Int> = []
    /// Per lease, what the vault said at the last look.
    private var known: [SimulatedVault.Lease] = []
    /// Which lease a database password belongs to, and which request.
    private var leaseOfPassword: [String: String] = [:]
    private var leasesOfRequest: [Int: [String]] = [:]
    private var issuedSeen = 0
    /// What an operator has been told of, or has done himself.
    private var excused: Set<String> = []
    private var reading: Int?
    private var holder = ""
    private var isServing: Bool?
    private var isRegistered = false
    /// Where the agent is required, nothing may be asked of the vault before it has said yes.
    private var mayFetch: Bool { isRegistered || world.settings.agent != .required }

    init(world: WrapperWorld) {
        self.world = world
        run.oracles.oracle(HygieneOracle.self)?.requestsPerMinuteMax = Self.requestsPerMinuteMax
        guard let taint = run.oracles.oracle(TaintOracle.self) else { return }
        taint.allow(.init(sink: .delivery, principal: Self.application))
        if world.settings.delivery == .environ {
            taint.allow(.init(sink: .environment, principal: Self.application))
        }
    }

    /// Four a second, the shortest pause between two renewals (`Granted.pauseMin`).
    static let requestsPerMinuteMax = 240

    func begin(holder: String) {
        self.holder = holder
        complete = []
        isRegistered = false
        if isServing == nil { serve(false) }
    }

    func end(_ stop: WrapperStop) {
        look()
        run.note(stop.cause)
        if case .refused(let exit, _) = stop {
            run.marks.hit("refused.\(exit)")
            // The refusal itself tells of a request without an answer.
            excuseAll()
            // A token that was handed over and has ended is its giver's to replace.
            let isGiven = [.token, .tokenFile].contains(world.login)
            let isGivers = exit == .tokenInvalid && isGiven
            if !isGivers { serve(false) }
        }
        run.report(HolderEnded(holder, isOrderly: true))
    }

    /// - Parameter isWanted: somebody ended the container on purpose.
    func crashed(isWanted: Bool) {
        look()
        run.report(HolderEnded(holder, isOrderly: false))
        if !isWanted { serve(false) }
    }

    // MARK: - What the wrapper asks and hears

    func sent() {
        if !mayFetch { run.marks.hit("fetch.unprotected") }
        run.report(RequestSent(client: holder, server: StoreFaults.address))
    }

    func acting(_ action: WrapperStateMachine.Action) {
        guard case .read(let request) = action else { return reading = nil }
        if request == 0 { complete = [] }
        reading = request
    }

    func heard(_ event: WrapperStateMachine.Event, of action: WrapperStateMachine.Action) {
        look()
        switch (action, event) {
        case (.read(let request), .read):
            complete.insert(request)
            guard complete.count == world.secrets.count else { return }
            decide(mayFetch, "every value has come")
        case (.read, _), (.logIn, .storeFailed): decide(false, "a fetch failed")
        case (.register, .registered): isRegistered = true
        default: break
        }
        if let delay = event.failure?.retryAfter {
            run.report(
                RetryAfterReceived(client: holder, server: StoreFaults.address, delay: delay))
        }
    }

    private func decide(_ allows: Bool, _ reason: String) {
        run.report(DecisionRecorded(subject: Self.application, allows: allows, reason: reason))
    }

    /// Turns what the wrapper told into marks and excuses.
    func told(_ record: TelemetryRecord) {
        run.marks.hit("wrapper.\(record.name)")
        guard Self.troubles.contains(record.name) else { return }
        let request = record.fields.first { $0.name == "request" }.flatMap { Int($0.value) }
        excuse(request.map { leasesOfRequest[$0 - 1] ?? [] } ?? known.map(\.id))
    }

    /// Records that tell an operator that something may end before its successor is there.
    private static let troubles: Set<String> = [
        "lease_ending", "token_ending", "upkeep_failed", "rotation_failed", "rotation_started",
        "revocation_failed", "vault_retry",
        "read_broken_off",
    ]

    /// What an operator does to leases needs no telling.
    func excuseAll() { excuse(known.map(\.id)) }

    private func excuse(_ leases: [String]) {
        for lease in leases where excused.insert(lease).inserted {
            run.report(LeaseReported(lease))
        }
    }

    // MARK: - What the vault did

    /// Reports every lease that is new, renewed or over.
    func look() {
        world.synchronize()
        let leases = world.server.vault.leases
        for (index, lease) in leases.enumerated() {
            if index >= known.count {
                issued(lease)
            } else if known[index] != lease {
                changed(lease, from: known[index])
            }
        }
        known = leases
        matchPasswords()
        let open = leases.filter(\.isLive).count
        run.report(QuantityObserved("open leases", value: open, limit: Self.openLeasesMax))
    }

    /// Those in use, those of a rotation under way, and the retired ones.
    private static let openLeasesMax = 300

    private func issued(_ lease: SimulatedVault.Lease) {
        if let reading { leasesOfRequest[reading, default: []].append(lease.id) }
        run.report(LeaseIssued(lease.id, holder: holder, expires: Self.time(lease.expiresAt)))
        if !lease.isLive { run.report(LeaseRevoked(lease.id)) }
    }

    private func changed(_ lease: SimulatedVault.Lease, from old: SimulatedVault.Lease) {
        if lease.renewals > old.renewals {
            run.report(LeaseRenewed(lease.id, expires: Self.time(lease.expiresAt)))
        }
        if case .revoked = lease.state, old.isLive { run.report(LeaseRevoked(lease.id)) }
    }

    private static func time(_ seconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: UInt64(seconds) * 1_000_000_000)
    }

    /// A password is issued right after its lease.
    private func matchPasswords() {
        let issued = world.server.vault.issued
        var passwords = leaseOfPassword.count
        for secret in issued[issuedSeen...] where secret.kind == .password {
            leaseOfPassword[secret.text] = known[passwords].id
            passwords += 1
        }
        issuedSeen = issued.count
    }

    // MARK: - What runs

    func started(_ process: SimulatedProcess) {
        let environment = process.launch.environment.map(\.description)
        let values = process.values.map { "\($0)=\(String(decoding: $1, as: UTF8.self))" }.sorted()
        let shown = world.settings.delivery == .environ ? environment + values : environment
        run.report(
            SinkWritten(
                .environment, principal: Self.application, text: shown.joined(separator: "\0")))
        run.report(
            SinkWritten(
                .arguments, principal: Self.application,
                text: process.launch.arguments.map(\.description).joined(separator: "\0")))
        run.report(
            SinkWritten(
                .delivery, principal: Self.application, text: values.joined(separator: "\0")))
        guard process.launch.programName != Programs.hook else { return }
        let isRight = world.secrets.indices.allSatisfy { index in
            let name = WrapperWorld.name(index)
            return process.values[name].map { world.isRight($0, name: name) } ?? false
        }
        if !isRight { decide(false, "a value is missing or wrong") }
        if !world.isScanned(process.values) { decide(false, "a value is not scanned for") }
        run.report(ProgramStarted(subject: Self.application))
        serve(true)
    }

    /// The program works with what it was given.
    func used(by process: SimulatedProcess) {
        look()
        for (_, value) in process.values.sorted(by: { $0.key < $1.key }) {
            guard let id = leaseOfPassword[String(decoding: value, as: UTF8.self)],
                !excused.contains(id), let lease = known.first(where: { $0.id == id })
            else { continue }
            // A request that is under way when a lease ends may have been meant to renew it.
            let grace = Duration.seconds(2 * world.settings.vault.requestSecondsMax + 5)
            let end = Self.time(lease.expiresAt)
            guard lease.isLive || end.advanced(by: grace) < run.now else { continue }
            run.report(LeaseUsed(id))
        }
    }

    private func serve(_ holds: Bool) {
        guard isServing != holds else { return }
        isServing = holds
        run.report(ConditionChanged("the application was started", holds: holds))
    }
}

extension WrapperStateMachine.Event {
    /// The vault's failure, if it is one.
    var failure: SecretStoreFailure? {
        switch self {
        case .storeFailed(let failure), .readFailed(let failure, _): failure
        default: nil
        }
    }
}
