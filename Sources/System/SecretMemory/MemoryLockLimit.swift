// SPDX-License-Identifier: Apache-2.0
import Glibc

/// RLIMIT_MEMLOCK of this process (getrlimit(2)), in bytes; `UInt64.max` means no limit.
///
/// memfd_secret and mlock pages count against the soft limit, unless the process has
/// CAP_IPC_LOCK, which lifts it. Containers often have 64 KiB.
package struct MemoryLockLimit: Sendable, Equatable {
    package let softBytes: UInt64
    package let hardBytes: UInt64

    package init(softBytes: UInt64, hardBytes: UInt64) {
        self.softBytes = softBytes
        self.hardBytes = hardBytes
    }

    private static let resource = __rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue)

    /// Reads the limits in force.
    package static func current() throws(SecretMemoryFailure) -> MemoryLockLimit {
        var limit = rlimit()
        guard getrlimit(Self.resource, &limit) == 0 else {
            throw .systemCall("getrlimit", errorNumber: errno)
        }
        return MemoryLockLimit(
            softBytes: UInt64(limit.rlim_cur), hardBytes: UInt64(limit.rlim_max))
    }

    /// The soft limit, for messages; nil when there is none.
    package static var bindingBytes: UInt64? {
        guard let limit = try? current(), limit.softBytes != .max else { return nil }
        return limit.softBytes
    }

    /// Raises the soft limit to the hard one, which needs no privilege. Returns what is in force
    /// afterwards.
    @discardableResult
    package static func raiseSoftToHard() throws(SecretMemoryFailure) -> MemoryLockLimit {
        let before = try current()
        guard before.softBytes < before.hardBytes else { return before }
        return try set(softBytes: before.hardBytes, hardBytes: before.hardBytes)
    }

    /// Sets both limits (bytes). Raising the hard one needs CAP_SYS_RESOURCE. Returns what is in
    /// force afterwards.
    @discardableResult
    package static func set(
        softBytes: UInt64, hardBytes: UInt64
    ) throws(SecretMemoryFailure) -> MemoryLockLimit {
        var limit = rlimit(rlim_cur: rlim_t(softBytes), rlim_max: rlim_t(hardBytes))
        guard setrlimit(Self.resource, &limit) == 0 else {
            throw .systemCall("setrlimit", errorNumber: errno)
        }
        return try current()
    }
}
