// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import CBPFPrograms
import Destinations
import LeakIndex
import Testing

@testable import LibbpfKernel

@Suite struct `A rule of the scan's programs` {
    private static func rule(
        _ network: String, port: UInt16 = 0, secret: Int? = nil
    ) throws -> cbpf_scan_rule {
        cbpf_scan_rule(
            DestinationRule(secret: secret, network: try NetworkPrefix(network), port: port))
    }

    private static func bytes<Tuple>(_ tuple: Tuple) -> [UInt8] {
        withUnsafeBytes(of: tuple) { Array($0) }
    }

    @Test func `has IPv4 mapped into IPv6`() throws {
        let rule = try Self.rule("10.1.0.0/16", port: 5432, secret: 3)
        #expect(
            Self.bytes(rule.address)
                == [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 10, 1, 0, 0])
        #expect(Self.bytes(rule.mask) == [UInt8](repeating: 0xff, count: 14) + [0, 0])
        #expect(rule.port == 5432 && rule.secret == 3)
    }

    @Test func `has a mask of as many bits as the prefix`() throws {
        let six = try Self.rule("fd00::/9")
        #expect(Self.bytes(six.mask) == [0xff, 0x80] + [UInt8](repeating: 0, count: 14))
        #expect(Self.bytes(six.address) == [0xfd] + [UInt8](repeating: 0, count: 15))
        let one = try Self.rule("fd00::1")
        #expect(Self.bytes(one.mask) == [UInt8](repeating: 0xff, count: 16))
        let every = try Self.rule("::/0")
        #expect(Self.bytes(every.mask) == [UInt8](repeating: 0, count: 16))
        // Every IPv4 address, and no IPv6 address.
        let four = try Self.rule("0.0.0.0/0")
        #expect(Self.bytes(four.mask) == [UInt8](repeating: 0xff, count: 12) + [0, 0, 0, 0])
        #expect(every.port == 0 && every.secret == UInt16(CBPF_SCAN_ANY_SECRET))
    }
}

@Suite struct `The programs and the wrapper` {
    @Test func `mean the same by a leak index`() {
        #expect(LeakIndex.magic == CBPF_LEAK_MAGIC)
        #expect(LeakIndex.slotsMax == Int(CBPF_LEAK_SLOTS_MAX))
        #expect(LeakIndex.probesMax == Int(CBPF_LEAK_PROBES))
        #expect(LeakIndex.windowBytesMax == Int(CBPF_LEAK_WINDOW_MAX))
        #expect(LeakIndex.windowBytesMin == Int(CBPF_LEAK_WINDOW_MIN))
        #expect(LeakIndex.bitmapBytes == Int(CBPF_SCAN_BITMAP_BYTES))
        #expect(DestinationRule.countMax == Int(CBPF_SCAN_RULES_MAX))
        #expect(ScanRequest.bitmapBytes == LeakIndex.bitmapBytes)
        #expect(LeakIndex.byteCount(slots: LeakIndex.slotsMax) == ScanRequest.lengthMax)
        #expect(LeakIndex.byteCount(slots: LeakIndex.slotsMin) == ScanRequest.lengthMin)
    }
}
