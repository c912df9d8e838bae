// SPDX-License-Identifier: Apache-2.0
import CCapability

/// The capability sets of this process (libcap).
package enum OwnCapabilities {
    /// Empties the bounding and ambient sets: nothing this process executes later can gain a
    /// capability. The permitted set stays, for tracing. Without CAP_SETPCAP the kernel refuses,
    /// and then there is no capability to lose.
    package static func dropBoundingAndAmbient() {
        cap_reset_ambient()
        for capability in 0..<cap_max_bits() { cap_drop_bound(cap_value_t(capability)) }
    }

    /// Whether CAP_SYS_PTRACE is effective: only then can a task that is not dumpable be seized.
    static var canTraceUndumpable: Bool {
        guard let sets = cap_get_proc() else { return false }
        defer { cap_free(UnsafeMutableRawPointer(sets)) }
        var flag = cap_flag_value_t(rawValue: 0)
        let sysPtrace: cap_value_t = 19
        return cap_get_flag(sets, sysPtrace, CAP_EFFECTIVE, &flag) == 0 && flag.rawValue == 1
    }
}
