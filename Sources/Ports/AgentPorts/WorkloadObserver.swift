// SPDX-License-Identifier: Apache-2.0
package import Ports

/// What is seen of the processes that a wrapper started. Of several the least counts.
package struct ProcessObservation: Sendable, Equatable {
    /// Memory that is locked (KiB): memfd_secret's is among it where the kernel counts it for each
    /// process, as 6.18.44 does and 7.2.13 does not.
    package var lockedKiB: UInt64
    /// Whether others of the same user get at the process's files; nil: it cannot be told.
    package var isDumpable: Bool?
    package var hasNoNewPrivileges: Bool
    /// 0: none, 1: strict, 2: a filter.
    package var seccompMode: UInt8

    package init(
        lockedKiB: UInt64, isDumpable: Bool?, hasNoNewPrivileges: Bool, seccompMode: UInt8
    ) {
        self.lockedKiB = lockedKiB
        self.isDumpable = isDumpable
        self.hasNoNewPrivileges = hasNoNewPrivileges
        self.seccompMode = seccompMode
    }

    /// What holds for this program and the other one.
    package func weakest(_ other: ProcessObservation) -> ProcessObservation {
        let dumpable: Bool? =
            isDumpable == true || other.isDumpable == true
            ? true : isDumpable == false && other.isDumpable == false ? false : nil
        return ProcessObservation(
            lockedKiB: min(lockedKiB, other.lockedKiB), isDumpable: dumpable,
            hasNoNewPrivileges: hasNoNewPrivileges && other.hasNoNewPrivileges,
            seccompMode: min(seccompMode, other.seccompMode))
    }
}

package enum WorkloadObserverLimits {
    /// Children of one wrapper that are looked at; of one with more nothing is said.
    package static let childrenMax = 64
}

/// What is seen of the node; what cannot be told is nil.
package struct NodeObservation: Sendable, Equatable {
    package enum SecretMemory: String, Sendable, CaseIterable {
        case on
        /// The kernel has it, and was started with `secretmem.enable=0`.
        case off
        case missing
    }

    /// By the guest's device: what the machine says of itself, and no attestation.
    package enum Confidential: String, Sendable, CaseIterable {
        case none
        case sevSNP = "sev-snp"
        case tdx
    }

    /// As uname(2) has it.
    package var kernel: String?
    package var secretMemory: SecretMemory?
    /// Weaknesses of the processors that the kernel calls open, by their names in sysfs.
    package var openWeaknesses: [String]?
    package var confidential: Confidential?

    package init(
        kernel: String? = nil, secretMemory: SecretMemory? = nil,
        openWeaknesses: [String]? = nil, confidential: Confidential? = nil
    ) {
        self.kernel = kernel
        self.secretMemory = secretMemory
        self.openWeaknesses = openWeaknesses
        self.confidential = confidential
    }
}

/// Looks at protected processes from outside, with no more rights than any user has: at nothing
/// that the agent's own programs guard.
///
/// Contract:
/// - An answer is of the process that is meant and of its children, never of another that has its
///   number by now. What cannot be seen is nil, and never a guess.
/// - A child that has executed nothing stands for the children that it has.
/// - It reads files of the kernel, some for each child, and waits for nobody.
package protocol WorkloadObserver: Sendable {
    func node() -> NodeObservation

    /// When the process with this number began, in the kernel's own count; with its number that
    /// names it for good. nil: there is none.
    func start(of process: ProcessID) -> UInt64?

    /// nil: the wrapper has ended, has no child that runs, or they cannot be seen.
    func programs(of wrapper: ProcessID, started: UInt64) -> ProcessObservation?
}
