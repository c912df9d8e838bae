// SPDX-License-Identifier: Apache-2.0
import CLinux
import Delivery
import Glibc
import LinuxProcessHost
import Ports
import SecretMemory
import Wrapper
import WrapperConfiguration

/// `attach`: a probe's or hook's command, run beside the program by the wrapper that runs already.
/// The vault is not asked, and no value reaches this process.
enum Attachment {
    /// The running wrapper's side.
    static func listener(
        for policy: AttachPolicy
    ) throws(WrapperStop) -> AttachListener? {
        guard case .commands(let commands) = policy else { return nil }
        let environment = Dictionary(
            ProcessEnvironment.entries().map { entry in
                (entry.name, RawText(bytes: entry.bytes.dropFirst(entry.name.utf8.count + 1)))
            }, uniquingKeysWith: { first, _ in first })
        do throws(ProcessHostFailure) {
            return try AttachListener { words in
                commands.contains { $0.isMeant(by: words) { environment[$0] } }
            }
        } catch {
            guard error == .systemCall("bind", errorNumber: EADDRINUSE) else {
                throw WrapperStop(error)
            }
            throw .refused(
                .attachRefused,
                detail: "another wrapper in this container, or a neighbour in the pod, has the"
                    + " socket for CLOUDTASER_ATTACH")
        }
    }

    /// The probe's side. Returns the exit code.
    static func run(_ command: [RawText], programLockLimit: MemoryLockLimit) -> Int32 {
        let policy: AttachPolicy
        do throws(ConfigurationFailure) {
            policy = try SettingsParser(
                defaultFollow: FollowStrategy.standard, hasCredential: { _ in false },
                lookUp: { ProcessEnvironment.value(of: $0.rawValue) }
            ).parseAttach()
        } catch { return WrapperProgram.report(WrapperStop(error)) }
        switch policy {
        case .none: return refuse("CLOUDTASER_ATTACH lists no command")
        case .plain: return WrapperProgram.report(replace(with: command, programLockLimit))
        case .commands: return ask(command)
        }
    }

    private static func ask(_ command: [RawText]) -> Int32 {
        do throws(ProcessHostFailure) {
            switch try AttachClient.run(command) {
            case .ended(let code): return code
            case .refused(let reason): return refuse(reason)
            case .notFound(let program):
                return WrapperProgram.report(.refused(.notFound, detail: program))
            case .notExecutable(let detail):
                return WrapperProgram.report(.refused(.notExecutable, detail: detail))
            }
        } catch { return WrapperProgram.report(WrapperStop(error)) }
    }

    private static func refuse(_ reason: String) -> Int32 {
        WrapperProgram.report(.refused(.attachRefused, detail: reason))
    }

    /// Becomes the command, as the kubelet would have run it: with the container's environment but
    /// for the control variables, and without any value. Returns only when that fails.
    private static func replace(
        with command: [RawText], _ limit: MemoryLockLimit
    ) -> WrapperStop {
        for entry in ProcessEnvironment.entries() where ControlVariable.isControl(entry.name) {
            unsetenv(entry.name)
        }
        do throws(SecretMemoryFailure) {
            try MemoryLockLimit.set(softBytes: limit.softBytes, hardBytes: limit.hardBytes)
        } catch { return WrapperStop(error) }
        let words = command.map { ($0.bytes + [0]).map { CChar(bitPattern: $0) } }
        var vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        if let program = vector[0] { execvp(program, &vector) }
        let number = errno
        let name = command.first?.description ?? ""
        return number == ENOENT
            ? .refused(.notFound, detail: name)
            : .refused(.notExecutable, detail: "\(name) (\(ErrorNumber.text(number)))")
    }
}
