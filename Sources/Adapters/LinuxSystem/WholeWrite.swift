// SPDX-License-Identifier: Apache-2.0
import Glibc

/// write(2) of everything, however much the kernel takes at a time.
package enum WholeWrite {
    /// - Returns: 0, or the errno that stopped it; part may be written then.
    package static func write(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32
    ) -> Int32 {
        var rest = bytes
        while !rest.isEmpty {
            let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return written < 0 ? errno : EIO }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
        return 0
    }

    package static func write(_ text: String, to descriptor: Int32) -> Int32 {
        Array(text.utf8).withUnsafeBytes { write($0, to: descriptor) }
    }
}
