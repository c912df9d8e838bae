// SPDX-License-Identifier: Apache-2.0

/// What kind of memory holds a secret, weakest first. A tier is a measured fact, found by asking
/// the kernel, never derived from a version number.
package enum MemoryTier: Int, Sendable, Comparable, CaseIterable {
    /// Anonymous memory, kept out of core dumps. Swap and root can read it.
    case ordinary = 0
    /// `mlock(2)` plus `MADV_DONTDUMP`: not swapped, not dumped, readable by root.
    case locked = 1
    /// `memfd_secret(2)`: out of the kernel's direct map; root's process_vm_readv, /proc/PID/mem
    /// and PTRACE_PEEKDATA fail on it.
    case secret = 2

    /// The name used in reports and configuration.
    package var name: String {
        switch self {
        case .ordinary: "ordinary"
        case .locked: "locked"
        case .secret: "memfd_secret"
        }
    }

    /// The tier a report or a configuration names, nil for any other text.
    package init?(name: String) {
        guard let tier = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = tier
    }

    package static func < (left: MemoryTier, right: MemoryTier) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// Memory of a tier that was asked for and refused.
package struct MemoryShortage: Sendable, Equatable {
    package let required: MemoryTier
    package let best: MemoryTier
    /// Of the call that refused the required tier; 0 when the caller ruled it out. ENOMEM also
    /// stands for SIGBUS at first touch.
    package let errorNumber: Int32
    /// Asked for in one piece: whole pages.
    package let bytes: Int
    /// Soft RLIMIT_MEMLOCK at that time (bytes); nil: none, or not the cause.
    package let limitBytes: UInt64?

    package init(
        required: MemoryTier, best: MemoryTier, errorNumber: Int32, bytes: Int,
        limitBytes: UInt64? = nil
    ) {
        self.required = required
        self.best = best
        self.errorNumber = errorNumber
        self.bytes = bytes
        self.limitBytes = limitBytes
    }
}

/// Why secret memory could not be had.
package enum SecretMemoryFailure: Error, Equatable {
    /// The size asked for is zero or above the type's limit (bytes).
    case sizeOutOfRange(requestedBytes: Int, limitBytes: Int)
    /// The best tier to be had (tried, not assumed) is below the one required.
    case tierUnavailable(MemoryShortage)
    /// The buffer's capacity (bytes) is used up.
    case capacityExceeded(capacityBytes: Int)
    /// A system call failed.
    case systemCall(String, errorNumber: Int32)
}
