// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Bytes outside a buffer that have held a part of a secret.
package enum SecretBytes {
    /// Zeroes in a way that the compiler may not leave out.
    package static func zero(_ bytes: UnsafeMutableRawBufferPointer) {
        clinux_zero(bytes.baseAddress, bytes.count)
    }
}
