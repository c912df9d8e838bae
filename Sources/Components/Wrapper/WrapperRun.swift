// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import Ports
package import SecretMemory
package import WrapperConfiguration

/// One run of the wrapper: performs what `WrapperStateMachine` asks for, through the ports.
package struct WrapperRun<Store: LegacySecretStore & ~Copyable, Host: LegacyProcessHost>:
    ~Copyable
{
    private let settings: WrapperSettings
    private let launch: Launch
    private var store: Store
    private var host: Host
    private var image: DeliveryImage

    /// - Parameters:
    ///   - arguments: the program and its arguments, at least one.
    ///   - environment: the wrapper's own, `NAME=value` each; control variables are removed here.
    package init(
        settings: WrapperSettings, arguments: [RawText], environment: [RawText],
        store: consuming Store, host: consuming Host
    ) throws(DeliveryFailure) {
        self.settings = settings
        self.store = store
        self.host = host
        image = try DeliveryImage(minimumTier: settings.vault.minimumTier.tier)
        var child = ChildPolicy()
        child.undumpable = settings.undumpable
        child.readOnlyValues = settings.readOnlyValues
        child.dropCapabilities = settings.dropCapabilities
        child.restrictSystemCalls = settings.restrictSystemCalls
        launch = Launch(
            arguments: arguments,
            environment: Self.cleaned(environment, delivered: settings.deliveredNames),
            delivery: settings.delivery, follow: settings.follow, child: child)
    }

    /// What kind of memory holds the values.
    package var tier: MemoryTier { image.tier }

    /// Returns when the program has ended, or when it may not be started.
    package mutating func run() -> WrapperStop {
        var machine = WrapperStateMachine(requestCount: settings.requests.count)
        var action = machine.handle(.begin)
        while true {
            if case .finish(let stop) = action { return stop }
            action = machine.handle(perform(action))
        }
    }

    private mutating func perform(
        _ action: WrapperStateMachine.Action
    ) -> WrapperStateMachine.Event {
        switch action {
        case .logIn:
            do throws(SecretStoreFailure) {
                _ = try store.logIn()
                return .loggedIn
            } catch { return .storeFailed(error) }
        case .read(let request):
            return read(settings.requests[request])
        case .forgetLogin:
            store.forget()
            return .forgotten
        case .startProgram:
            do throws(ProcessHostFailure) {
                return .programEnded(try host.run(launch, image: image))
            } catch { return .hostFailed(error) }
        case .finish:
            preconditionFailure("a finished run performs nothing")
        }
    }

    private mutating func read(_ request: SecretRequest) -> WrapperStateMachine.Event {
        var refusal: WrapperStop?
        let refusesEmpty = settings.emptyValues == .refuse
        do throws(SecretStoreFailure) {
            try store.read(path: request.path, fields: request.mappings.map(\.field)) {
                (index, value) throws(SecretStoreFailure) in
                guard refusal == nil else { return }
                let name = request.mappings[index].name
                if value.byteCount == 0 && refusesEmpty {
                    refusal = .refused(.valueEmpty, detail: "\(request.path) for \(name)")
                    return
                }
                do throws(DeliveryFailure) {
                    try image.append(name: name, value: value)
                } catch { refusal = WrapperStop(error) }
            }
        } catch { return .storeFailed(error) }
        return refusal.map { .valuesRefused($0) } ?? .read
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
