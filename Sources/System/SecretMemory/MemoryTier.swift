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

/// Why secret memory could not be had.
package enum SecretMemoryFailure: Error, Equatable {
    /// The size asked for is zero or above the type's limit (bytes).
    case sizeOutOfRange(requestedBytes: Int, limitBytes: Int)
    /// The best tier to be had (tried, not assumed) is below the one required. `errorNumber` is
    /// that of the call which refused the required tier; 0 when the caller ruled it out.
    case tierUnavailable(required: MemoryTier, best: MemoryTier, errorNumber: Int32)
    /// The buffer's capacity (bytes) is used up.
    case capacityExceeded(capacityBytes: Int)
    /// A system call failed.
    case systemCall(String, errorNumber: Int32)
}
