// SPDX-License-Identifier: Apache-2.0
@preconcurrency import Glibc
import Testing

@testable import LibbpfKernel

@Suite struct `Addresses of the kernel's variables` {
    private static let text = """
        0000000000000000 A fixed_percpu_data
        ffffffffa8c0d2e8 R vmemmap_base
        ffffffffa8c0d2f0 R page_offset_base
        ffffffffa8c0d2f8 r vmemmap_base
        ffffffffc0a01000 t page_offset_base_of\t[loop]

        """

    private static func found(_ names: [String], in text: String, every step: Int) -> [UInt64] {
        var symbols = KernelSymbols(names: names)
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: step) {
            bytes[start..<min(start + step, bytes.count)].withUnsafeBytes { symbols.take($0) }
        }
        return symbols.addresses
    }

    @Test(arguments: [1, 7, 40, 4096])
    func `are found wherever the file is cut`(_ step: Int) {
        #expect(
            Self.found(["page_offset_base", "none", "vmemmap_base"], in: Self.text, every: step)
                == [0xffff_ffff_a8c0_d2f0, 0, 0xffff_ffff_a8c0_d2e8])
    }

    @Test(arguments: ["", "\n\n", "x R vmemmap_base\n", "vmemmap_base\n", "12 vmemmap_base\n"])
    func `are unknown in what is no such file`(_ text: String) {
        #expect(Self.found(["vmemmap_base"], in: text, every: 4096) == [0])
    }

    @Test func `are unknown without the file`() {
        #expect(KernelSymbols.addresses(of: ["vmemmap_base"], in: "/nowhere") == [0])
    }

    @Test func `are those that this machine's kernel shows`() throws {
        let file = try #require(fopen(KernelSymbols.path, "r"))
        defer { fclose(file) }
        var room = [CChar](repeating: 0, count: 1024)
        #expect(fgets(&room, Int32(room.count), file) != nil)
        let line = room.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let words = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        // 0 for whoever may not see it.
        let address = try #require(UInt64(words[0], radix: 16))
        #expect(KernelSymbols.addresses(of: [String(words[2]), "none such"]) == [address, 0])
    }
}
