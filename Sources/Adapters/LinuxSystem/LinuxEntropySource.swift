// SPDX-License-Identifier: Apache-2.0
import CLinux
package import Ports
package import SecretMemory

/// The kernel's random number generator (getrandom(2)). Its output reveals nothing about what it
/// gives next, so both kinds may come from it.
package struct LinuxEntropySource: EntropySource {
    package init() {}

    /// Draws again what would favour small numbers.
    package mutating func draw(below bound: UInt64) throws(EntropyFailure) -> UInt64 {
        precondition(bound >= 1, "a number below \(bound) cannot be drawn")
        let unfair = (UInt64.max % bound + 1) % bound
        while true {
            var number: UInt64 = 0
            try withUnsafeMutableBytes(of: &number) { bytes throws(EntropyFailure) in
                try Self.fill(bytes)
            }
            if number <= UInt64.max - unfair { return number % bound }
        }
    }

    package mutating func appendSecret(
        _ count: Int, to buffer: inout SecretBuffer
    ) throws(EntropyFailure) {
        precondition(count <= buffer.capacity - buffer.count, "the buffer has no room for it")
        try buffer.fill { rest throws(EntropyFailure) in
            try Self.fill(UnsafeMutableRawBufferPointer(rebasing: rest[..<count]))
            return count
        }
    }

    /// Most bytes that getrandom(2) gives in one piece whatever happens.
    private static let chunkBytesMax = 256

    private static func fill(
        _ bytes: UnsafeMutableRawBufferPointer
    ) throws(EntropyFailure) {
        var rest = UnsafeMutableRawBufferPointer(rebasing: bytes[...])
        while !rest.isEmpty, let start = rest.baseAddress {
            let count = min(rest.count, chunkBytesMax)
            let result = clinux_random(start, count)
            guard result == 0 else { throw .unavailable(errorNumber: -result) }
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
        }
    }
}
