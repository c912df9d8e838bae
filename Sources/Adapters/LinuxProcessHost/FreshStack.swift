// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The stack of an image that has not run: argc, argv, envp and the auxiliary vector
/// (System V ABI, AMD64 supplement, figure 3.9).
struct FreshStack: Equatable {
    /// Address of the first envp slot.
    let environmentSlots: UInt64
    let environment: [UInt64]
    /// AT_SYSINFO_EHDR, nil when the kernel gave none.
    let vdso: UInt64?

    private static let sysinfoHeader: UInt64 = 33

    /// - Parameter word: reads the 8-byte word at an address, nil when it cannot.
    /// - Returns: nil when the words end before the vector's closing AT_NULL.
    init?(stackPointer: UInt64, word: (UInt64) -> UInt64?) {
        guard let argumentCount = word(stackPointer), argumentCount < 1 << 24 else { return nil }
        environmentSlots = stackPointer + 8 * (argumentCount + 2)
        var address = environmentSlots
        var pointers: [UInt64] = []
        while true {
            guard let pointer = word(address), pointers.count <= DeliveryArea.slotEntriesMax
            else { return nil }
            address += 8
            if pointer == 0 { break }
            pointers.append(pointer)
        }
        environment = pointers
        var found: UInt64?
        while true {
            guard let kind = word(address), let value = word(address + 8) else { return nil }
            address += 16
            if kind == 0 { break }
            if kind == Self.sysinfoHeader { found = value }
        }
        vdso = found
    }
}

/// Reads a task's memory by words, a few pages at a time.
final class WordReader {
    private let tracee: Tracee
    private var start: UInt64 = 0
    private var words: [UInt64] = []

    init(tracee: Tracee) { self.tracee = tracee }

    func word(at address: UInt64) -> UInt64? {
        if let word = cached(address) { return word }
        start = address
        words = [UInt64](repeating: 0, count: 1024)
        let got = words.withUnsafeMutableBytes { tracee.read(address, into: $0) }
        words.removeLast(words.count - max(got, 0) / 8)
        return cached(address)
    }

    private func cached(_ address: UInt64) -> UInt64? {
        guard address >= start, (address - start) % 8 == 0 else { return nil }
        let index = Int((address - start) / 8)
        return index < words.count ? words[index] : nil
    }
}
