// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import ObjectKeyPorts
package import Ports

/// getrandom(2). What it gave tells nothing about what it gives next: keys and salts may both come
/// from it.
enum KernelRandom {
    /// Most bytes that come in one piece whatever happens.
    private static let pieceBytesMax = 256

    static func fill(_ bytes: UnsafeMutableRawBufferPointer) throws(EntropyFailure) {
        var rest = UnsafeMutableRawBufferPointer(rebasing: bytes[...])
        while !rest.isEmpty {
            let count = min(rest.count, pieceBytesMax)
            let result = clinux_random(rest.baseAddress, count)
            guard result == 0 else { throw .unavailable(errorNumber: -result) }
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
        }
    }
}

/// `SaltSource` by getrandom(2).
package struct KernelSaltSource: SaltSource {
    /// Of a salt.
    package static let bytes = 32

    package init() {}

    package func salt() throws(EntropyFailure) -> [UInt8] {
        var salt = [UInt8](repeating: 0, count: Self.bytes)
        // `withUnsafeMutableBytes` of an array has no typed failure.
        var failure: EntropyFailure?
        salt.withUnsafeMutableBytes { bytes in
            do throws(EntropyFailure) { try KernelRandom.fill(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
        return salt
    }
}
