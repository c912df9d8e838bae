// SPDX-License-Identifier: Apache-2.0
@preconcurrency import Glibc

/// Where the kernel keeps variables that its BTF does not describe, from /proc/kallsyms (proc(5)).
///
/// libbpf would read the whole file for each object that it loads, which takes longer than
/// everything else together where the processor is slow. It is read once, and no further than
/// needed.
struct KernelSymbols {
    static let path = "/proc/kallsyms"
    private static let chunkBytes = 64 << 10
    /// Of a line that is taken for one; names of Linux have at most 511 (KSYM_NAME_LEN).
    private static let lineBytesMax = 1024

    private var wanted: [[UInt8]]
    private var line: [UInt8] = []
    private(set) var addresses: [UInt64]

    /// - Parameter names: looked for; of names that are there twice the first one counts.
    init(names: [String]) {
        wanted = names.map { Array($0.utf8) }
        addresses = names.map { _ in 0 }
    }

    /// The addresses of the names in their order; 0 for one that the file does not have, and for
    /// all where the caller may not see addresses (sysctl kernel.kptr_restrict).
    static func addresses(of names: [String], in path: String = path) -> [UInt64] {
        var symbols = KernelSymbols(names: names)
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return symbols.addresses }
        defer { close(file) }
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 1)
        defer { room.deallocate() }
        while !symbols.isComplete {
            let count = read(file, room.baseAddress, room.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            symbols.take(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
        return symbols.addresses
    }

    private var isComplete: Bool { wanted.allSatisfy(\.isEmpty) }

    /// Takes the file's next bytes, wherever they were cut.
    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                takeLine()
                line.removeAll(keepingCapacity: true)
            } else if line.count < Self.lineBytesMax {
                line.append(byte)
            }
        }
    }

    /// `ffffffffa8c0d2e8 R vmemmap_base`, and `\t[module]` behind what is a module's.
    private mutating func takeLine() {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count == 3,
            let index = wanted.firstIndex(where: { !$0.isEmpty && $0.elementsEqual(words[2]) }),
            let address = UInt64(String(decoding: words[0], as: UTF8.self), radix: 16)
        else { return }
        addresses[index] = address
        wanted[index] = []
    }
}
