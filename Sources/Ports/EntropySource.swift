// SPDX-License-Identifier: Apache-2.0
package import SecretMemory

/// Why no randomness could be had.
package enum EntropyFailure: Error, Sendable, Equatable {
    /// getrandom(2) failed.
    case unavailable(errorNumber: Int32)
}

/// Randomness of two kinds that never share a state: numbers that may be seen (jitter, salts in
/// logs) and bytes that must not (keys, nonces).
///
/// Contract:
/// - `draw` gives uniform numbers; whoever sees them learns nothing about secret bytes.
/// - `appendSecret` appends `count` bytes fit for keys, or throws and appends nothing.
package protocol EntropySource: ~Copyable {
    /// A number in `0..<bound`; `bound` is at least 1.
    mutating func draw(below bound: UInt64) throws(EntropyFailure) -> UInt64

    mutating func appendSecret(
        _ count: Int, to buffer: inout SecretBuffer
    ) throws(EntropyFailure)
}
