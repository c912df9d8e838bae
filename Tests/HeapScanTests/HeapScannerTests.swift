// SPDX-License-Identifier: Apache-2.0
import Glibc
import MemoryScan
import SecretMemory
import Testing

/// Puts every form of a needle where it must be found, or must not be.
@Suite("The heap scanner", .serialized)
struct HeapScannerTests {
    /// Random, with bytes that each escaping treats differently.
    private static func makeScanner(_ name: String = "needle") throws -> HeapScanner {
        let scanner = try HeapScanner()
        var random = SystemRandomNumberGenerator()
        // Four bytes of ones read as `/` and `_` in base64, however they are aligned.
        let special = Array("\"\\/ +%\u{07}\n<&=".utf8) + [0xff, 0xff, 0xff, 0xff]
        try scanner.addNeedle(name, byteCount: 40) { target in
            for index in target.indices {
                target[index] =
                    index < special.count
                    ? special[index] : UInt8.random(in: 0x21...0x7e, using: &random)
            }
        }
        return scanner
    }

    @Test("A needle that is nowhere else is not found, though the scanner holds all its forms")
    func findsNothing() throws {
        let scanner = try Self.makeScanner()
        let report = try scanner.scan()
        #expect(report.hits == [])
        #expect(report.scannedBytes > 1 << 20 && report.scannedMappings > 10)
        #expect(scanner.forms(of: "needle") == NeedleForm.allCases)
    }

    @Test("Control: each form planted in the heap is found there", arguments: NeedleForm.allCases)
    func findsForms(form: NeedleForm) throws {
        let scanner = try Self.makeScanner()
        var planted: UnsafeMutableRawPointer?
        scanner.withNeedle("needle", form) { bytes in
            // An odd place, not the start of a block.
            let memory = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 16)
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
            UnsafeMutableRawBufferPointer(start: memory + 1001, count: bytes.count)
                .copyMemory(from: bytes)
            planted = memory
        }
        let memory = try #require(planted)
        defer { memory.deallocate() }
        let hits = try scanner.scan().hits
        let address = UInt(bitPattern: memory + 1001)
        #expect(hits.contains { $0.form == form && $0.address == address })
        #expect(hits.allSatisfy { (address..<address + 512).contains($0.address) })
    }

    @Test("Control: a needle on the stack is found in the stack's mapping")
    func findsOnStack() throws {
        let scanner = try Self.makeScanner()
        let hits = try withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { stack in
            scanner.withNeedle("needle") { stack.copyMemory(from: $0) }
            let here = UInt(bitPattern: stack.baseAddress)
            defer { for index in stack.indices { stack[index] = 0 } }
            return try scanner.scan().hits.filter { $0.address == here }
        }
        #expect(hits.map(\.form) == [.raw])
    }

    @Test("Base64 is found however many bytes stand before the needle", arguments: 0...5)
    func findsBase64InContext(before: Int) throws {
        let scanner = try Self.makeScanner()
        // Encoded by an encoder of its own, with neighbours on both sides.
        var bytes = [UInt8](repeating: 0xc5, count: before)
        scanner.withNeedle("needle") { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: [0x3a, 0x99])
        let encoded = Self.base64(bytes)
        for index in bytes.indices { bytes[index] = 0 }
        let forms = try encoded.withUnsafeBytes { memory in
            let start = UInt(bitPattern: memory.baseAddress)
            return try scanner.scan().hits
                .filter { (start..<start + UInt(memory.count)).contains($0.address) }.map(\.form)
        }
        let expected: [NeedleForm] = [.base64Aligned0, .base64Aligned1, .base64Aligned2]
        #expect(forms == [expected[before % 3]])
    }

    @Test("Secret memory is left out, and counted by tier")
    func leavesSecretMemoryOut() throws {
        let scanner = try Self.makeScanner()
        for tier in MemoryTier.allCases {
            var buffer = try SecretBuffer(
                capacity: 64, minimumTier: .ordinary, maximumTier: tier)
            try scanner.withNeedle("needle") { try buffer.append($0.bytes) }
            let report = try scanner.scan()
            #expect(report.hits == [])
            #expect(report.secretBytes[buffer.tier.name, default: 0] >= 4096)
            #expect(buffer.count == 40)
        }
    }

    @Test("Needles across the border of two reads are found")
    func findsAcrossWindows() throws {
        let scanner = try Self.makeScanner()
        let count = 3 << 20
        let memory = try #require(
            mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        defer { munmap(memory, count) }
        let mapping = try #require(
            try ProcessMapping.containing(UInt(bitPattern: memory)))
        // The kernel may have merged the pages with a neighbour: borders count from its start.
        let border = mapping.start + UInt(1 << 20)
        var place = border - 20
        while place < UInt(bitPattern: memory) { place += 1 << 20 }
        let target = try #require(UnsafeMutableRawPointer(bitPattern: place))
        scanner.withNeedle("needle") { bytes in
            for (index, byte) in bytes.enumerated() {
                target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
            }
        }
        #expect(try scanner.scan().hits.map(\.address) == [place])
    }

    @Test("A needle above the limit is refused")
    func limit() throws {
        let scanner = try HeapScanner()
        let limit = HeapScanner.needleBytesMax
        try scanner.addNeedle("fits", byteCount: limit) { target in
            for index in target.indices { target[index] = UInt8(truncatingIfNeeded: index * 7) }
        }
        #expect(throws: MemoryScanFailure.tooLarge(limitBytes: limit)) {
            try scanner.addNeedle("too large", byteCount: limit + 1) { _ in }
        }
    }

    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var bits = 0
        var pending = 0
        for byte in bytes {
            pending = pending << 8 | Int(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[pending >> bits & 63])
            }
            pending &= (1 << bits) - 1
        }
        return text
    }
}
