// SPDX-License-Identifier: Apache-2.0
import CBPFPrograms
import Glibc
import LeakIndex
import Testing

/// The scan's program with a leak index of random values, on this machine's kernel. A machine that
/// refuses BPF to this process leaves it to the guest suite `leaks`, and says so.
@Suite(.serialized) struct `The scan's program` {
    private final class Scanner {
        static let valueBytes = 24
        static let values = 12
        private let scanner: OpaquePointer
        private let region = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 1 << 18, alignment: 4096)
        /// Stands for an open file; each address is another one.
        private var file = 1
        let secrets: [[UInt8]]

        /// Nil, and a line, where bpf(2) is refused.
        init?() {
            var opened: OpaquePointer?
            let result = cbpf_scanner_open(&opened)
            guard result == 0, let opened else {
                print("The scan's program was not run here: bpf(2) answers \(-result).")
                return nil
            }
            scanner = opened
            // Pages that nobody touched cannot be read by a program that may not sleep.
            region.initializeMemory(as: UInt8.self, repeating: 0)
            secrets = (0..<Self.values).map { _ in
                (0..<Self.valueBytes).map { _ in UInt8.random(in: 33...126) }
            }
            let kept = secrets.map { secret in
                let place = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: secret.count, alignment: 16)
                place.copyBytes(from: secret)
                return UnsafeRawBufferPointer(place)
            }
            var bitmap = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)
            let slots = LeakIndex.slots(forValuesOf: secrets.map(\.count))
            let index = UnsafeMutableRawBufferPointer(
                rebasing: region[..<LeakIndex.byteCount(slots: slots)])
            let report = LeakIndex.build(
                kept, multiplier: UInt64.random(in: 0 ... .max) | 1, into: index, bitmap: &bitmap)
            for place in kept { place.deallocate() }
            guard report.unscanned.isEmpty else { return nil }
            let scan = UnsafeMutablePointer<cbpf_scan>.allocate(capacity: 1)
            defer { scan.deallocate() }
            scan.initialize(to: cbpf_scan())
            scan.pointee.address = UInt64(UInt(bitPattern: index.baseAddress))
            scan.pointee.bytes = UInt64(index.count)
            UnsafeMutableRawBufferPointer(start: scan, count: MemoryLayout<cbpf_scan>.size)
                .suffix(LeakIndex.bitmapBytes).copyBytes(from: bitmap)
            guard cbpf_scanner_set(scanner, scan) == 0 else { return nil }
        }

        deinit {
            cbpf_scanner_close(scanner)
            region.deallocate()
        }

        func openFile() { file += 1 }

        /// Reason and position of the value; 0 and 0 for nothing.
        func write(_ bytes: [UInt8]) -> (reason: UInt32, secret: Int) {
            var outcome: UInt32 = 0
            let result = bytes.withUnsafeBytes {
                cbpf_scanner_run(
                    scanner, UnsafeRawPointer(bitPattern: file), $0.baseAddress, $0.count,
                    &outcome)
            }
            #expect(result == 0)
            return (outcome >> 24, Int(outcome & 0xFFFF))
        }

        func finds(_ secret: Int, in bytes: [UInt8]) -> Bool {
            openFile()
            let found = write(bytes)
            return found.reason == CBPF_SCAN_FOUND.rawValue && found.secret == secret
        }
    }

    private static func dots(_ count: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(ascii: "."), count: count)
    }

    @Test func `finds each value at each place, and nothing where there is none`() {
        guard let scanner = Scanner() else { return }
        for (number, secret) in scanner.secrets.enumerated() {
            for before in 0..<140 {
                let bytes = Self.dots(before) + secret + Self.dots(before * 7 % 90)
                #expect(scanner.finds(number, in: bytes), "value \(number) after \(before)")
            }
            // Without its windows: pieces of 15 bytes.
            scanner.openFile()
            #expect(scanner.write(Array(secret.prefix(15))).reason == 0)
            scanner.openFile()
            #expect(scanner.write(secret.reversed()).reason == 0)
        }
    }

    @Test func `finds a value that is split at any place over two writes, or written by bytes`() {
        guard let scanner = Scanner() else { return }
        for (number, secret) in scanner.secrets.enumerated() {
            for split in 1..<secret.count {
                scanner.openFile()
                let first = scanner.write(Self.dots(50) + secret[..<split])
                let second = scanner.write(secret[split...] + Self.dots(50))
                #expect(
                    first.reason == CBPF_SCAN_FOUND.rawValue
                        || second.reason == CBPF_SCAN_FOUND.rawValue && second.secret == number,
                    "value \(number) split at \(split)")
            }
            scanner.openFile()
            let outcomes = secret.map { scanner.write([$0]).reason }
            #expect(outcomes.contains(CBPF_SCAN_FOUND.rawValue))
            // Another file's bytes do not complete it.
            scanner.openFile()
            #expect(scanner.write(Array(secret[..<12])).reason == 0)
            scanner.openFile()
            #expect(scanner.write(Array(secret[12...])).reason == 0)
        }
    }

    @Test func `takes 16 MiB at once and refuses a byte more`() {
        guard let scanner = Scanner() else { return }
        let limit = Int(CBPF_SCAN_BYTES_MAX)
        #expect(scanner.write(Self.dots(limit)).reason == 0)
        #expect(scanner.write(Self.dots(limit + 1)).reason == CBPF_SCAN_TOO_LARGE.rawValue)
        let last = scanner.secrets[3]
        #expect(scanner.finds(3, in: Self.dots(limit - last.count) + last))
    }

    @Test func `finds nothing in a million random bytes`() {
        guard let scanner = Scanner() else { return }
        for _ in 0..<4 {
            scanner.openFile()
            let bytes = (0..<250_000).map { _ in UInt8.random(in: 0...255) }
            #expect(scanner.write(bytes).reason == 0)
        }
    }
}
