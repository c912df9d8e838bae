// SPDX-License-Identifier: Apache-2.0
// Nanoseconds for a byte of the content scan on this machine, and of a copy of the same bytes:
// `scan-bench VALUES` prints `scan NS copy NS bytes N`, or `refused ERRNO` where bpf(2) is refused.
import CBPFPrograms
import Glibc
import LeakIndex

/// One write of this many bytes is scanned (bytes).
let bytes = 1 << 20
let rounds = 50
let valueBytes = 32

func nanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// The least of many rounds: what is in the way only makes it longer.
func least(_ body: () -> Void) -> Double {
    var least = UInt64.max
    for _ in 0..<rounds {
        let start = nanoseconds()
        body()
        least = min(least, nanoseconds() - start)
    }
    return Double(least) / Double(bytes)
}

let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 3
var opened: OpaquePointer?
let result = cbpf_scanner_open(&opened)
guard result == 0, let scanner = opened else {
    print("refused", -result)
    exit(result == 0 ? 1 : 0)
}
let region = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
// Pages that nobody touched cannot be read by a program that may not sleep.
region.initializeMemory(as: UInt8.self, repeating: 0)
let random = UnsafeMutableRawBufferPointer.allocate(byteCount: count * valueBytes, alignment: 16)
for place in random.indices { random[place] = UInt8.random(in: 0...255) }
let values = (0..<count).map {
    UnsafeRawBufferPointer(rebasing: random[($0 * valueBytes)..<(($0 + 1) * valueBytes)])
}
let index = UnsafeMutableRawBufferPointer(
    rebasing: region[
        ..<LeakIndex.byteCount(slots: LeakIndex.slots(forValuesOf: values.map(\.count)))])
var bitmap = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)
_ = LeakIndex.build(values, multiplier: 0x9E37_79B9_7F4A_7C15, into: index, bitmap: &bitmap)

let scan = UnsafeMutablePointer<cbpf_scan>.allocate(capacity: 1)
scan.initialize(to: cbpf_scan())
scan.pointee.address = UInt64(UInt(bitPattern: index.baseAddress))
scan.pointee.bytes = UInt64(index.count)
UnsafeMutableRawBufferPointer(start: scan, count: MemoryLayout<cbpf_scan>.size)
    .suffix(LeakIndex.bitmapBytes).copyBytes(from: bitmap)
guard cbpf_scanner_set(scanner, scan) == 0 else { exit(1) }

// Text, as logs are.
let text = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
for place in 0..<bytes { text[place] = UInt8(32 + (place &* 2_654_435_761) >> 7 % 95) }
let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
var outcome: UInt32 = 0
let scanned = least {
    _ = cbpf_scanner_run(scanner, region.baseAddress, text.baseAddress, bytes, &outcome)
}
guard outcome == 0 else {
    print("denied", outcome >> 24, outcome & 0xFFFFFF)
    exit(1)
}
let copied = least { copy.copyMemory(from: UnsafeRawBufferPointer(text)) }
print("scan", scanned, "copy", copied, "bytes", bytes)
