// SPDX-License-Identifier: Apache-2.0
import AgentClient
import Delivery
import LinuxProcessHost
import LinuxSystem
import Ports
import SecretMemory
import VaultSecretStore
import Wrapper
import WrapperConfiguration

/// Builds the adapters and runs the component.
///
/// Order kept here: the limit of locked memory is raised, credentials leave the environment, then
/// hardening, then the rest of the configuration, then memory for the values, then the network.
enum WrapperProgram {
    /// Returns the exit code.
    static func run(_ arguments: [RawText]) -> Int32 {
        let limit: MemoryLockLimit
        var credentials: CredentialIntake
        do throws(SecretMemoryFailure) {
            limit = try MemoryLockLimit.current()
            try MemoryLockLimit.raiseSoftToHard()
            credentials = try CredentialIntake()
        } catch { return report(WrapperStop(error)) }
        switch Invocation(arguments) {
        case .help:
            Console.out(Help.text)
            return 0
        case .version:
            Console.out("cloudtaser-wrapper \(Help.version)\n")
            return 0
        case .refused(let reason):
            return report(.refused(.usage, detail: reason))
        case .install(let folder):
            return install(into: folder.description)
        case .attach(let command):
            return Attachment.run(command, programLockLimit: limit)
        case .run(let command):
            return report(start(command, credentials: &credentials, programLockLimit: limit))
        }
    }

    private static func install(into folder: String) -> Int32 {
        do throws(Installation.Failure) {
            Console.out("\(try Installation.copy(into: folder))\n")
            return 0
        } catch { return report(.refused(.installationFailed, detail: error.detail)) }
    }

    private static func start(
        _ command: [RawText], credentials: inout CredentialIntake,
        programLockLimit: MemoryLockLimit
    ) -> WrapperStop {
        do throws(ProcessHostFailure) {
            try ProcessHardening.applyBeforeSecrets()
        } catch { return WrapperStop(error) }
        let settings: WrapperSettings
        let given = credentials.variables
        do throws(ConfigurationFailure) {
            settings = try SettingsParser(
                defaultFollow: FollowStrategy.standard,
                hasCredential: { given.contains($0) },
                lookUp: { ProcessEnvironment.value(of: $0.rawValue) }
            ).parse()
        } catch { return WrapperStop(error) }
        for name in ProcessEnvironment.unknownControlNames() {
            Console.note("\(name) is no variable of this version and changes nothing")
        }
        let attach: AttachListener?
        do throws(WrapperStop) {
            attach = try Attachment.listener(for: settings.attach)
        } catch { return error }
        do throws(ProcessHostFailure) {
            var options = LinuxProcessHost.Options()
            options.report = { Console.note($0) }
            options.programLockLimit = programLockLimit
            options.attach = attach
            // Before the first secret and the first request, which a signal may break off.
            let host = try LinuxProcessHost(readyWith: options)
            return prepare(command, settings: settings, credentials: &credentials, host: host)
        } catch { return WrapperStop(error) }
    }

    /// Takes memory: for the values first, then for what only fetches them.
    private static func prepare(
        _ command: [RawText], settings: WrapperSettings, credentials: inout CredentialIntake,
        host: consuming LinuxProcessHost
    ) -> WrapperStop {
        let time = LinuxTimeSource()
        let image: DeliveryImage
        do throws(DeliveryFailure) {
            image = try DeliveryImage(minimumTier: settings.vault.minimumTier.tier)
        } catch { return WrapperStop(error) }
        let startBytes = LinuxProcessHost.lockedBytesMin(
            toStart: settings.delivery, readableFiles: settings.readableFiles)
        do throws(ProcessHostFailure) {
            try LinuxProcessHost.requireSecretMemory(bytes: startBytes)
        } catch { return WrapperStop(error) }
        do throws(SecretStoreFailure) {
            let store = try VaultSecretStore(
                settings: settings.vault, credential: try credentials.take(for: settings.vault),
                openSSLMemory: .arena(leavingBytes: startBytes),
                interruptDescriptor: host.interruptDescriptor,
                secondsSince1970: { time.secondsSince1970() })
            return wrap(
                command, settings: settings, image: image, store: store, host: host, time: time)
        } catch { return WrapperStop(error) }
    }

    private static func wrap(
        _ command: [RawText], settings: WrapperSettings, image: consuming DeliveryImage,
        store: consuming VaultSecretStore, host: consuming LinuxProcessHost, time: LinuxTimeSource
    ) -> WrapperStop {
        note("the values", image.tier)
        if settings.delivery == .environ {
            Console.note("delivery environ: root reads the values in /proc/PID/environ")
        }
        var wrapper = WrapperRun(
            settings: settings, image: image, arguments: command,
            environment: ProcessEnvironment.entries(),
            store: OneTimeVaultStore(store, onLowerTier: { note("the vault exchange", $0) }),
            node: LocalNodeAgent(path: settings.agentSocket), host: host, time: time,
            entropy: LinuxEntropySource(),
            telemetry: telemetry(settings.life.terminationMessageFile))
        return wrapper.run()
    }

    private static func telemetry(_ messageFile: String?) -> StandardErrorTelemetry {
        StandardErrorTelemetry(program: "cloudtaser-wrapper", messageFile: messageFile)
    }

    private static func note(_ subject: String, _ tier: MemoryTier) {
        guard tier < .secret else { return }
        Console.note("\(tier.name) memory holds \(subject): root can read it")
    }

    static func report(_ stop: WrapperStop) -> Int32 {
        if case .refused(let exit, let detail) = stop {
            Console.error(Help.message(exit, detail: detail))
        }
        return stop.statusCode
    }
}
