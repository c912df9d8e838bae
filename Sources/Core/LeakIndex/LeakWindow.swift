// SPDX-License-Identifier: Apache-2.0
internal import SecretMemory

/// The last bytes, at most `LeakIndex.windowBytesMax`, of what was pushed: two registers, as a
/// slot of the table has them and as whoever scans loads them.
struct LeakWindow {
    /// Up to 8 bytes before `second`, the oldest lowest. What there is not is zero, from below.
    private(set) var first: UInt64 = 0
    /// The last 8 bytes, the oldest lowest.
    private(set) var second: UInt64 = 0
    private(set) var length = 0

    mutating func push(_ byte: UInt8) {
        first = first >> 8 | (second & 0xff) << 56
        second = second >> 8 | UInt64(byte) << 56
        length = min(length + 1, LeakIndex.windowBytesMax)
    }

    var isFull: Bool { length == LeakIndex.windowBytesMax }

    /// Zeroes it: it has held a part of a value.
    mutating func forget() {
        withUnsafeMutableBytes(of: &self) { SecretBytes.zero($0) }
    }
}
