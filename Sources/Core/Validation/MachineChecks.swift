// SPDX-License-Identifier: Apache-2.0

/// What was seen of the machine that the tool runs on.
package struct MachineFacts: Sendable {
    package enum SecretMemory: Sendable, Equatable {
        case available
        /// In words: which call, which error.
        case refused(String)
    }

    /// `uname -r`.
    package var release: String
    package var secretMemory: SecretMemory
    /// /sys/kernel/security/lsm; nil: it cannot be read.
    package var securityModules: String?
    /// Whether /sys/kernel/btf/vmlinux is there.
    package var hasTypeFormat: Bool
    /// RLIMIT_MEMLOCK, soft (bytes); nil: no limit.
    package var lockedBytesMax: UInt64?

    package init(
        release: String, secretMemory: SecretMemory, securityModules: String?,
        hasTypeFormat: Bool, lockedBytesMax: UInt64?
    ) {
        self.release = release
        self.secretMemory = secretMemory
        self.securityModules = securityModules
        self.hasTypeFormat = hasTypeFormat
        self.lockedBytesMax = lockedBytesMax
    }
}

/// Whether a machine could run protected programs and the agent.
package struct MachineChecks: Sendable {
    /// What containers often have; values of a program fit, with their guard pages not counted.
    package static let lockedBytesMin: UInt64 = 64 << 10

    package let checks: [Check]

    /// - Parameter isNode: programs are to run here: what is lacking fails, and is no warning.
    package init(_ facts: MachineFacts, isNode: Bool) {
        let bad: Check.State = isNode ? .fails : .warning
        checks = [
            Self.kernel(facts, bad), Self.secretMemory(facts, bad), Self.modules(facts, bad),
            Check(
                "BTF", facts.hasTypeFormat ? .ok : bad,
                facts.hasTypeFormat
                    ? "/sys/kernel/btf/vmlinux"
                    : "no /sys/kernel/btf/vmlinux: no agent starts here",
                fix: facts.hasTypeFormat ? "" : "a kernel built with CONFIG_DEBUG_INFO_BTF"),
            Self.limit(facts, bad),
        ]
    }

    private static func kernel(_ facts: MachineFacts, _ bad: Check.State) -> Check {
        switch KernelSupport(release: facts.release) {
        case .usual: Check("kernel", .ok, facts.release)
        case .unknown:
            Check("kernel", .ok, "\(facts.release): memfd_secret only with secretmem.enable=1")
        case .tooOld:
            Check(
                "kernel", bad, "\(facts.release) has no memfd_secret",
                fix: "Linux from 5.14, better 6.5; or a policy with a lower minimumTier")
        case nil: Check("kernel", .notChecked, "'\(facts.release)' is no release of Linux")
        }
    }

    private static func secretMemory(_ facts: MachineFacts, _ bad: Check.State) -> Check {
        switch facts.secretMemory {
        case .available: Check("memfd_secret", .ok, "a page was taken and given back")
        case .refused(let reason):
            Check(
                "memfd_secret", bad, reason,
                fix: "boot with secretmem.enable=1; in a container: a seccomp profile that allows "
                    + "memfd_secret")
        }
    }

    private static func modules(_ facts: MachineFacts, _ bad: Check.State) -> Check {
        guard let text = facts.securityModules else {
            return Check(
                "BPF LSM", .notChecked, "/sys/kernel/security/lsm cannot be read",
                fix: "mount securityfs: mount -t securityfs none /sys/kernel/security")
        }
        let names = text.split(whereSeparator: { $0 == "," || $0.isWhitespace })
        guard names.contains("bpf") else {
            return Check(
                "BPF LSM", bad,
                "bpf is not among \(names.joined(separator: ",")): an agent here "
                    + "denies less",
                fix: "boot with lsm=\((names + ["bpf"]).joined(separator: ","))")
        }
        return Check("BPF LSM", .ok, names.joined(separator: ","))
    }

    private static func limit(_ facts: MachineFacts, _ bad: Check.State) -> Check {
        guard let bytes = facts.lockedBytesMax else {
            return Check("RLIMIT_MEMLOCK", .ok, "no limit")
        }
        guard bytes >= lockedBytesMin else {
            return Check(
                "RLIMIT_MEMLOCK", bad, "\(bytes) bytes",
                fix: "ulimit -l, or LimitMEMLOCK= of systemd")
        }
        return Check("RLIMIT_MEMLOCK", .ok, "\(bytes) bytes")
    }
}
