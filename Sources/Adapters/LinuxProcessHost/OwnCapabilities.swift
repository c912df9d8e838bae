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
}
