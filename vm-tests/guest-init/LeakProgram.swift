// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc
import LeakIndex

/// A leak index in a page of its own, as the wrapper puts it behind the values.
struct LeakPage {
    static let bytes = 16_384
    let index: UnsafeMutableRawBufferPointer
    let bitmap: [UInt8]
    let value: [UInt8]

    /// - Parameters:
    ///   - isSecret: memfd_secret(2), where the kernel has it; ordinary memory otherwise.
    init?(_ needle: Needle, multiplier: UInt64, isSecret: Bool) {
        let descriptor = isSecret ? clinux_memfd_secret(UInt32(O_CLOEXEC)) : -1
        if descriptor >= 0 {
            guard ftruncate(descriptor, off_t(Self.bytes)) == 0 else { return nil }
        }
        let flags = descriptor >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS
        let page = mmap(nil, Self.bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0)
        if descriptor >= 0 { close(descriptor) }
        guard let page, page != MAP_FAILED else { return nil }
        let region = UnsafeMutableRawBufferPointer(start: page, count: Self.bytes)
        needle.unmask(into: page)
        let place = (needle.count + 15) / 16 * 16
        index = UnsafeMutableRawBufferPointer(rebasing: region[place...])
        let bytes = UnsafeRawBufferPointer(rebasing: region[..<needle.count])
        var bitmap = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)
        let report = LeakIndex.build(
            [bytes], multiplier: multiplier, into: index, bitmap: &bitmap)
        guard report.unscanned.isEmpty else { return nil }
        self.bitmap = bitmap
        value = Array(bytes)
    }
}

/// `/init leaker SEED INDEX secret|plain`: prints where its leak index is, then lets its value out
/// by each channel that a line names, and prints what became of it.
enum LeakProgram {
    static func run(_ arguments: [String]) -> Never {
        guard arguments.count == 3, let seed = UInt64(arguments[0], radix: 16),
            let number = UInt64(arguments[1]),
            let page = LeakPage(
                Needle(seed: seed, index: number), multiplier: seed | 1,
                isSecret: arguments[2] == "secret")
        else { exit(64) }
        signal(SIGPIPE, SIG_IGN)
        print(UInt(bitPattern: page.index.baseAddress), page.index.count)
        fflush(stdout)
        let attack = LeakAttack(value: page.value)
        while let word = readLine() {
            if let channel = LeakChannel(rawValue: word) {
                let report = attack.run(channel)
                print(report.outcome.rawValue, report.errorNumber)
            } else {
                print("unknown", EINVAL)
            }
            fflush(stdout)
        }
        exit(0)
    }
}
