// SPDX-License-Identifier: Apache-2.0
import CCapability
import Glibc

/// What the agent keeps once its programs are loaded.
package enum AgentPrivileges {
    /// CAP_PERFMON and CAP_BPF (capabilities(7)): map access, and the enrolment iterator.
    package static let kept: [Int32] = [38, 39]

    /// PR_SET_NO_NEW_PRIVS (linux/prctl.h).
    private static let noNewPrivileges = 38

    /// Gives up everything else, for good: effective, permitted, inheritable and ambient sets, and
    /// what an exec could bring back.
    package static func reduce() throws(PrivilegeFailure) {
        guard cap_prctlw(noNewPrivileges, 1, 0, 0, 0, 0) == 0 else {
            throw .systemCall("prctl(PR_SET_NO_NEW_PRIVS)", errorNumber: errno)
        }
        guard let state = cap_init() else {
            throw .systemCall("cap_init", errorNumber: errno)
        }
        defer { cap_free(UnsafeMutableRawPointer(state)) }
        for set in [CAP_EFFECTIVE, CAP_PERMITTED] {
            guard cap_set_flag(state, set, Int32(kept.count), kept, CAP_SET) == 0 else {
                throw .systemCall("cap_set_flag", errorNumber: errno)
            }
        }
        guard cap_set_proc(state) == 0 else {
            throw .systemCall("cap_set_proc", errorNumber: errno)
        }
    }
}

package enum PrivilegeFailure: Error, Sendable, Equatable {
    case systemCall(String, errorNumber: Int32)
}
