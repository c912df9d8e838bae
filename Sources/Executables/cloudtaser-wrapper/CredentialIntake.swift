// SPDX-License-Identifier: Apache-2.0
import CLinux
import Delivery
import Glibc
import Ports
import SecretMemory
import WrapperConfiguration

/// Moves credentials out of the environment block, where /proc/PID/environ shows them, into
/// secret memory, and overwrites them in place. Made before anything else looks at the
/// environment.
struct CredentialIntake: ~Copyable {
    private var token: SecretBuffer?
    private var secretID: SecretBuffer?

    /// The credential variables that were set.
    var variables: Set<ControlVariable> {
        var variables: Set<ControlVariable> = []
        if token != nil { variables.insert(.token) }
        if secretID != nil { variables.insert(.secretID) }
        return variables
    }

    /// Takes whatever memory can be had, so that the credential leaves the environment in any
    /// case; `take` refuses when the tier is below what the settings require.
    init() throws(SecretMemoryFailure) {
        token = try Self.move(.token)
        secretID = try Self.move(.secretID)
    }

    /// The credential that the auth method needs and no file provides; nil when a file does.
    mutating func take(for vault: VaultSettings) throws(SecretStoreFailure) -> SecretBuffer? {
        let credential: SecretBuffer?
        switch vault.auth {
        case .token(file: nil): credential = token.take()
        case .appRole(_, secretIDFile: nil): credential = secretID.take()
        default: credential = nil
        }
        token = nil
        secretID = nil
        guard let credential else { return nil }
        let required = vault.minimumTier.tier
        guard credential.tier < required else { return credential }
        do throws(SecretMemoryFailure) {
            // Refused for the reason that it was before; if not, then so much the better.
            var better = try SecretBuffer(capacity: credential.count, minimumTier: required)
            try credential.withBytes { bytes throws(SecretMemoryFailure) in
                try better.append(bytes)
            }
            return better
        } catch { throw .memory(error) }
    }

    /// A name may stand more than once in the block, and getenv(3) finds the first only: every
    /// value is overwritten, and the first that is not empty is the credential.
    private static func move(
        _ variable: ControlVariable
    ) throws(SecretMemoryFailure) -> SecretBuffer? {
        let values = ProcessEnvironment.values(of: variable.rawValue)
        defer { for value in values { clinux_zero(value, strlen(value)) } }
        guard let value = values.first(where: { $0.pointee != 0 }) else { return nil }
        let count = strlen(value)
        var buffer = try SecretBuffer(capacity: count, minimumTier: .ordinary)
        try buffer.append(UnsafeRawBufferPointer(start: value, count: count).bytes)
        return buffer
    }
}

/// This process's environment block.
enum ProcessEnvironment {
    static func value(of name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Where the value of each entry of this name starts.
    static func values(of name: String) -> [UnsafeMutablePointer<CChar>] {
        var values: [UnsafeMutablePointer<CChar>] = []
        guard let block = clinux_environment() else { return values }
        let prefix = Array("\(name)=".utf8CString.dropLast())
        var index = 0
        while let entry = block[index] {
            if strncmp(entry, prefix, prefix.count) == 0 { values.append(entry + prefix.count) }
            index += 1
        }
        return values
    }

    /// Names under the wrapper's own prefix that mean nothing: a misspelt one would weaken a run
    /// silently.
    static func unknownControlNames() -> [String] {
        entries().map(\.name).filter {
            $0.hasPrefix("CLOUDTASER_") && ControlVariable(rawValue: $0) == nil
        }
    }

    /// Every entry, credentials already overwritten.
    static func entries() -> [RawText] {
        var entries: [RawText] = []
        guard let block = clinux_environment() else { return entries }
        var index = 0
        while let entry = block[index] {
            entries.append(RawText(cString: entry))
            index += 1
        }
        return entries
    }
}

/// This process's arguments. Not `CommandLine.arguments`: it repairs what is not UTF-8.
enum ProcessArguments {
    static func afterName() -> [RawText] {
        (1..<max(1, Int(CommandLine.argc))).compactMap { index in
            CommandLine.unsafeArgv[index].map { RawText(cString: $0) }
        }
    }
}
