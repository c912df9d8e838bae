// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import Destinations
import LeakIndex
import Testing

@Suite struct `A request to scan` {
    private static let bitmap = (0..<ScanRequest.bitmapBytes).map {
        UInt8(truncatingIfNeeded: $0 &* 31)
    }

    private static func request(
        address: UInt64 = 0x3a5f_1000_2010, length: Int = 1568, rules: [DestinationRule] = []
    ) throws -> ScanRequest {
        try ScanRequest(address: address, length: length, rules: rules, bitmap: bitmap)
    }

    private static func text(_ head: String, _ bitmap: [UInt8] = bitmap) -> [UInt8] {
        Array(head.utf8) + bitmap
    }

    private static func rules() throws -> [DestinationRule] {
        [
            DestinationRule(secret: 0, network: try NetworkPrefix("10.0.0.5"), port: 5432),
            DestinationRule(secret: nil, network: try NetworkPrefix("fd00::/8"), port: nil),
            DestinationRule(secret: 65_535, network: .everyVersion6, port: 65_535),
        ]
    }

    @Test func `has the form that is described`() throws {
        let text = """
            scan 2 3a5f10002010 1568 3
            allow 0 10.0.0.5/32 5432
            allow * fd00:0:0:0:0:0:0:0/8 0
            allow 65535 0:0:0:0:0:0:0:0/0 65535

            """
        let request = try Self.request(rules: try Self.rules())
        #expect(request.bytes == Self.text(text))
    }

    @Test func `is read as its own side writes it, and as nothing before its end`() throws {
        let request = try Self.request(rules: try Self.rules())
        let bytes = request.bytes
        for count in 0..<bytes.count {
            try #require(AgentRequest.read(bytes.prefix(count)) == .incomplete, "\(count)")
        }
        #expect(AgentRequest.read(bytes) == .complete(.scan(request)))
        #expect(AgentRequest.read(bytes + [0]) == .refused(.malformed))
    }

    @Test func `is told from a registration`() {
        let line = Array(Registration.request.utf8)
        #expect(AgentRequest.read(line) == .complete(.register))
        #expect(AgentRequest.read(line.dropLast()) == .incomplete)
        #expect(AgentRequest.read(line + [10]) == .refused(.malformed))
        #expect(AgentRequest.read(Array("register 1\n".utf8)) == .refused(.version))
        #expect(AgentRequest.read(Array("Register 2\n".utf8)) == .refused(.malformed))
    }

    @Test func `is of another version with another number`() {
        #expect(
            AgentRequest.read(Self.text("scan 1 3a5f10002010 1568 0\n")) == .refused(.version))
        // What a later version says behind its number is not known here.
        #expect(AgentRequest.read(Array("scan 3 x\n".utf8)) == .refused(.version))
        #expect(
            AgentRequest.read(Self.text("scan 2 3a5f10002010 1568 0\n"))
                == .complete(.scan(try! Self.request())))
    }

    @Test(arguments: [
        "scan\n", "scan \n", "scan 2\n", "scan  2 10 416 0\n", "scan 2 10 416\n",
        "scan 2 10 416 0 0\n", "scan 2 0x10 416 0\n", "scan 2 010 416 0\n", "scan 2 +10 416 0\n",
        "scan 2 A0 416 0\n", "scan 2 10 +416 0\n", "scan 2 10 0416 0\n", "scan 2 10 416 00\n",
        "scan 2 10 416 -1\n", "scan 2 10 416 0\r\n", "scan 02 10 416 0\n", "scan two 10 416 0\n",
        "scan 2 10000000000000000 416 0\n", "scanning 2 17\n",
        "scan 2 10 416 1\nallow 0 10.0.0.5 5432\n", "scan 2 10 416 1\nallow 0 10.0.0.5/33 1\n",
        "scan 2 10 416 1\nallow 0 10.0.0.5/8 1\n", "scan 2 10 416 1\nallow -1 10.0.0.5/32 1\n",
        "scan 2 10 416 1\nallow 65536 10.0.0.5/32 1\n", "scan 2 10 416 1\nallow  10.0.0.5/32 1\n",
        "scan 2 10 416 1\nallow 0 10.0.0.5/32 65536\n", "scan 2 10 416 1\nallow 0 10.0.0.5/32 +1\n",
        "scan 2 10 416 1\nallow 0 10.0.0.5/32\n", "scan 2 10 416 1\ndeny 0 10.0.0.5/32 1\n",
        "scan 2 10 416 1\n\n", "scan 2 10 416 1\nallow 0 10.0.0.5/32 1 \n",
    ])
    func `is malformed with anything else`(_ head: String) {
        #expect(AgentRequest.read(Self.text(head)) == .refused(.malformed))
    }

    // MARK: - Limits

    @Test func `has an address in user space, at a multiple of 16`() throws {
        let end = ScanRequest.addressEnd
        for (address, isGood) in [
            (0, false), (16, true), (8, false), (24, false), (end - 416, true),
            (end - 400, false), (end, false), (UInt64.max & ~15, false),
        ] {
            let text = Self.text("scan 2 \(String(address, radix: 16)) 416 0\n")
            if isGood {
                let request = try Self.request(address: address, length: 416)
                #expect(AgentRequest.read(text) == .complete(.scan(request)))
            } else {
                #expect(AgentRequest.read(text) == .refused(.malformed), "\(address)")
                #expect(throws: ScanRequest.Refusal.address) {
                    try Self.request(address: address, length: 416)
                }
            }
        }
    }

    @Test func `has the length of an index`() throws {
        #expect(ScanRequest.lengthMin == LeakIndex.byteCount(slots: LeakIndex.slotsMin))
        #expect(ScanRequest.lengthMax == LeakIndex.byteCount(slots: LeakIndex.slotsMax))
        #expect(ScanRequest.bitmapBytes == LeakIndex.bitmapBytes)
        #expect(ScanRequest.alignmentBytes == UInt64(LeakIndex.alignmentBytes))
        for (length, isGood) in [(415, false), (416, true), (98_336, true), (98_337, false)] {
            let reading = AgentRequest.read(Self.text("scan 2 100 \(length) 0\n"))
            #expect((reading != .refused(.malformed)) == isGood)
            if !isGood {
                #expect(throws: ScanRequest.Refusal.length) {
                    try Self.request(length: length)
                }
            }
        }
    }

    @Test func `has 64 rules at most`() throws {
        let rule = DestinationRule(secret: 1, network: .everyVersion4, port: 1)
        let most = try Self.request(rules: Array(repeating: rule, count: 64))
        #expect(AgentRequest.read(most.bytes) == .complete(.scan(most)))
        #expect(throws: ScanRequest.Refusal.rules) {
            try Self.request(rules: Array(repeating: rule, count: 65))
        }
        let line = "allow 1 0.0.0.0/0 1\n"
        let text = Self.text("scan 2 100 416 65\n" + String(repeating: line, count: 65))
        #expect(AgentRequest.read(text) == .refused(.malformed))
    }

    @Test func `has a whole bitmap`() throws {
        for count in [0, 8191, 8193] {
            #expect(throws: ScanRequest.Refusal.bitmap) {
                try ScanRequest(
                    address: 16, length: 416, rules: [],
                    bitmap: [UInt8](repeating: 0, count: count))
            }
        }
    }

    @Test func `has no line longer than the limit, and ends within its own`() throws {
        let long = "scan 2 100 416 1\nallow 0 \(String(repeating: "1", count: 128))"
        #expect(AgentRequest.read(Array(long.utf8)) == .refused(.malformed))
        #expect(
            AgentRequest.read(Array(String(repeating: "s", count: 128).utf8))
                == .refused(.malformed))
        #expect(
            AgentRequest.read(Array(String(repeating: "s", count: 127).utf8)) == .incomplete)
        let widest = DestinationRule(
            secret: 65_535,
            network: try NetworkPrefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), port: 65_535)
        let request = try Self.request(
            address: ScanRequest.addressEnd - 98_336, length: 98_336,
            rules: Array(repeating: widest, count: 64))
        #expect(request.bytes.count <= AgentRequest.byteCountMax)
        let lines = request.bytes.prefix(request.bytes.count - 8192).split(separator: 10)
        #expect(lines.allSatisfy { $0.count < Registration.lineBytesMax })
        #expect(AgentRequest.read(request.bytes) == .complete(.scan(request)))
    }

    // MARK: - Answers

    @Test func `has a line for each answer, which the other side reads`() {
        for enrolment in [0, 17, UInt32.max] {
            let line = Registration.line(scanning: .success(enrolment))
            #expect(line == "scanning 2 \(enrolment)\n")
            #expect(Registration.scanAnswer(String(line.dropLast())) == .success(enrolment))
        }
        for refusal in Registration.Refusal.allCases {
            let line = Registration.line(scanning: .failure(refusal))
            #expect(Registration.scanAnswer(String(line.dropLast())) == .failure(refusal))
            #expect(line.utf8.count <= Registration.lineBytesMax)
        }
    }

    @Test(arguments: [
        "", "scanning", "scanning 2", "scanning 2 ", "scanning 2 17 x", "scanning 1 17",
        "scanning 2 017", "scanning 2 -1", "scanning 2 4294967296", "enrolled 2 17 lsm scan",
        "refused", "refused 2", "refused x traced",
    ])
    func `is not answered by any other line`(_ line: String) {
        #expect(Registration.scanAnswer(line) == nil)
    }
}
