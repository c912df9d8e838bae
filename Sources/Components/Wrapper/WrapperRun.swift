// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import Ports
package import SecretMemory
package import WrapperConfiguration

/// One run of the wrapper: performs what `WrapperStateMachine` asks for, through the ports.
///
/// `run` is the whole of it. A simulator calls `begin`, `perform` and `handle` itself, and lets
/// time pass between them.
package struct WrapperRun<
    Store: SecretStore & ~Copyable, Node: NodeAgent & ~Copyable, Host: ProcessHost & ~Copyable,
    Time: TimeSource,
    Entropy: EntropySource & ~Copyable, Reporter: Telemetry & ~Copyable
>: ~Copyable {
    private let settings: WrapperSettings
    private let launch: Launch
    private let hook: Launch?
    private var store: Store
    private var node: Node
    private var host: Host
    private let time: Time
    private var entropy: Entropy
    private var telemetry: Reporter
    private var machine: WrapperStateMachine
    /// The values of the last read that was completed or is under way.
    private var image: DeliveryImage?
    private var toldGaps: [ValueIndex.Gap] = []
    /// The weakest kind of memory that has held the values.
    package private(set) var tier: MemoryTier
    /// Records that could not be told.
    package private(set) var lostRecords = 0

    /// - Parameters:
    ///   - image: empty. It is made before anything else takes secret memory.
    ///   - arguments: the program and its arguments, at least one.
    ///   - environment: the wrapper's own, `NAME=value` each; control variables are removed here.
    package init(
        settings: WrapperSettings, image first: consuming DeliveryImage, arguments: [RawText],
        environment: [RawText], store: consuming Store, node: consuming Node,
        host: consuming Host, time: Time,
        entropy: consuming Entropy, telemetry: consuming Reporter
    ) {
        self.settings = settings
        self.store = store
        self.node = node
        self.host = host
        self.time = time
        self.entropy = entropy
        self.telemetry = telemetry
        tier = first.tier
        image = consume first
        machine = WrapperStateMachine(plan: WrapperPlan(settings))
        launch = Launch(settings, arguments: arguments, environment: environment)
        hook =
            if case .execHook(let command) = settings.life.rotation {
                Launch(
                    settings, arguments: command.map { RawText($0) }, environment: environment)
            } else { nil }
    }

    /// Returns when the program has ended and what was granted is given back, or when no program
    /// may be started.
    package mutating func run() -> WrapperStop {
        var action = begin()
        while true {
            if case .finish(let stop) = action { return stop }
            action = handle(perform(action))
        }
    }

    package mutating func begin() -> WrapperStateMachine.Action { handle(.begin) }

    /// Tells the state machine what an action came to.
    package mutating func handle(
        _ event: WrapperStateMachine.Event
    ) -> WrapperStateMachine.Action {
        let step = machine.handle(event, at: time.monotonic(), chance: draw())
        for record in step.records { tell(record) }
        if case .finish(let stop) = step.action { leaveMessage(stop) }
        return step.action
    }

    /// Without randomness there is no jitter, and everything else goes on.
    private mutating func draw() -> UInt64 {
        do throws(EntropyFailure) { return try entropy.draw(below: 1 << 32) } catch { return 0 }
    }

    /// A program's own end speaks for itself.
    private mutating func leaveMessage(_ stop: WrapperStop) {
        guard case .refused(let exit, let detail) = stop else { return }
        let message = "cloudtaser-wrapper: \(exit.cause) \(detail). \(exit.remedy)"
        do throws(TelemetryFailure) { try telemetry.terminate(message) } catch { lostRecords += 1 }
    }

    /// Does what the state machine asked for; `finish` is the caller's.
    package mutating func perform(
        _ action: WrapperStateMachine.Action
    ) -> WrapperStateMachine.Event {
        switch action {
        case .register:
            do throws(NodeAgentFailure) { return .registered(try node.register()) } catch {
                return .unregistered(error)
            }
        case .scan: return scan()
        case .read(let request): return read(request)
        case .logIn, .renewToken, .renew, .checkVersion, .revoke, .revokeToken:
            do throws(SecretStoreFailure) { return try ask(action) } catch {
                return .storeFailed(error)
            }
        case .forgetLogin:
            store.forget()
            return .forgotten
        case .startProgram, .replaceValues, .sendSignal, .runHook, .stopProgram, .wait:
            do throws(ProcessHostFailure) { return try command(action) } catch {
                return .hostFailed(error)
            }
        case .finish:
            preconditionFailure("a finished run performs nothing")
        }
    }

    private mutating func ask(
        _ action: WrapperStateMachine.Action
    ) throws(SecretStoreFailure) -> WrapperStateMachine.Event {
        switch action {
        case .logIn: return .loggedIn(try store.logIn())
        case .renewToken: return .renewed(try store.renewToken())
        case .renew(let lease): return .renewed(try store.renew(lease))
        case .checkVersion(let request):
            return .version(try store.currentVersion(of: settings.requests[request].query))
        case .revoke(let lease): try store.revoke(lease)
        case .revokeToken: try store.revokeToken()
        default: preconditionFailure("\(action) is nothing to ask the vault for")
        }
        return .revoked
    }

    private mutating func command(
        _ action: WrapperStateMachine.Action
    ) throws(ProcessHostFailure) -> WrapperStateMachine.Event {
        switch action {
        case .startProgram:
            try host.start(launch, image: takeImage())
            return .started
        case .replaceValues: try host.replaceValues(takeImage())
        case .sendSignal(let signal): host.send(signal: signal)
        case .runHook:
            guard let hook else { preconditionFailure("only a plan with a hook runs one") }
            try host.runHook(hook)
        case .stopProgram: host.stop(within: .seconds(settings.life.stopSeconds))
        case .wait(let deadline): return .host(try host.next(until: deadline))
        default: preconditionFailure("\(action) is nothing to ask the host for")
        }
        return .done
    }

    private mutating func takeImage() -> DeliveryImage {
        guard let taken = image.take() else {
            preconditionFailure("values are handed over once, after they were read")
        }
        return taken
    }

    private mutating func read(_ number: Int) -> WrapperStateMachine.Event {
        let request = settings.requests[number]
        var granted: Lease?
        var refusal: WrapperStop?
        do throws(DeliveryFailure) {
            if number == 0 { try beginImage() }
        } catch { return .valuesRefused(WrapperStop(error), nil) }
        let refusesEmpty = settings.emptyValues == .refuse
        do throws(SecretStoreFailure) {
            let facts = try store.read(
                request.query, fields: request.mappings.map(\.field), onLease: { granted = $0 }
            ) { (index, value) throws(SecretStoreFailure) in
                guard refusal == nil else { return }
                let name = request.mappings[index].name
                guard value.byteCount > 0 || !refusesEmpty else {
                    refusal = .refused(.valueEmpty, detail: "\(request.path) for \(name)")
                    return
                }
                do throws(DeliveryFailure) {
                    try image?.append(name: name, value: value)
                } catch { refusal = WrapperStop(error) }
            }
            tellTier()
            return refusal.map { .valuesRefused($0, granted) } ?? .read(facts)
        } catch { return .readFailed(error, granted) }
    }

    private mutating func scan() -> WrapperStateMachine.Event {
        var indexed = takeImage()
        let index: Result<ValueIndex, ProcessHostFailure>
        do throws(ProcessHostFailure) {
            index = .success(try host.indexValues(of: &indexed))
        } catch { index = .failure(error) }
        let rules = settings.rules(forValuesNamed: indexed.entries.map(\.name))
        image = consume indexed
        tellTier()
        switch index {
        case .failure(let failure): return .unscanned(WrapperStop(failure), isTransient: false)
        case .success(let index):
            tellGaps(of: index)
            do throws(NodeAgentFailure) {
                try node.scan(OutputScan(index: index, rules: rules))
                return .scanning
            } catch { return .unscanned(WrapperStop(error), isTransient: error.isTransient) }
        }
    }

    /// Each once, however often values are indexed.
    private mutating func tellGaps(of index: ValueIndex) {
        for gap in index.gaps where !toldGaps.contains(gap) {
            toldGaps.append(gap)
            tell(
                TelemetryRecord(
                    .warning, "value_not_scanned", "\(gap.name) is not scanned for: \(gap.cause)"))
        }
        guard index.droppedWindows > 0 else { return }
        tell(
            TelemetryRecord(
                .warning, "index_full",
                "the index of the values has no room for \(index.droppedWindows) of its windows:"
                    + " some encodings of some values are not found"))
    }

    /// Values that outgrow what may be locked move on to a lower tier, if that is allowed.
    private mutating func tellTier() {
        guard let now = image?.tier, now < tier else { return }
        tier = now
        tell(
            TelemetryRecord(
                .warning, "memory_tier_low",
                "\(now.name) memory holds the values: root can read it"))
    }

    private mutating func tell(_ record: TelemetryRecord) {
        do throws(TelemetryFailure) { try telemetry.record(record) } catch { lostRecords += 1 }
    }

    /// The first image was made at the start and has its memory already.
    private mutating func beginImage() throws(DeliveryFailure) {
        if image?.entries.isEmpty ?? false { return }
        image = nil
        image = try DeliveryImage(minimumTier: settings.vault.minimumTier.tier)
    }
}

extension Launch {
    init(_ settings: WrapperSettings, arguments: [RawText], environment: [RawText]) {
        var child = ChildPolicy()
        child.undumpable = settings.undumpable
        child.readOnlyValues = settings.readOnlyValues
        child.readableFiles = settings.readableFiles
        child.dropCapabilities = settings.dropCapabilities
        child.restrictSystemCalls = settings.restrictSystemCalls
        child.denySendmmsg = settings.denySendmmsg
        self.init(
            arguments: arguments,
            environment: Self.cleaned(environment, delivered: settings.deliveredNames),
            delivery: settings.delivery, follow: settings.follow, child: child)
        switch settings.life.rotation {
        case .restart, .execHook: mayStartAgain = true
        case .none, .signal: break
        }
        if case .commands = settings.attach { mayStartAgain = true }
    }

    /// Without control variables and without entries that a delivered name would shadow.
    private static func cleaned(_ environment: [RawText], delivered: Set<String>) -> [RawText] {
        environment.filter { entry in
            !ControlVariable.isControl(entry.name) && !delivered.contains(entry.name)
        }
    }
}

extension WrapperSettings {
    /// Names that values are delivered under.
    var deliveredNames: Set<String> {
        Set(requests.flatMap { $0.mappings.map(\.name) })
    }
}

extension SecretRequest {
    /// As the store is asked for it.
    var query: SecretQuery {
        SecretQuery(
            path: path,
            parameters: parameters.map { SecretQuery.Parameter(name: $0.name, value: $0.value) })
    }
}

extension ValueIndex.Gap {
    /// Why, and what would change it.
    fileprivate var cause: String {
        switch reason {
        case .tooShort: "it is shorter than 8 bytes; store a longer one"
        case .tooUniform: "it has fewer than 3 different bytes at any place; store a random one"
        case .noRoom: "the index has no room; deliver fewer values"
        case .foundAs(let name): "it is the same as \(name), and found as that"
        }
    }
}
