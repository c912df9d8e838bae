// SPDX-License-Identifier: Apache-2.0
import LeakIndex
import Testing

@Suite("Leak index")
struct LeakIndexTests {

    /// Values whose every form differs from every other.
    private static func awkwardValue(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
        let parts: [[UInt8]] = [
            Array("a\"".utf8), Array("\\k".utf8), Array("?>".utf8), Array("\u{1f}Z".utf8),
            Array("\n+".utf8), Array("~/".utf8), Array("\t%".utf8), Array("\u{08}\u{0c}".utf8),
            Array("\r&".utf8),
        ]
        var value: [UInt8] = []
        while value.count < count {
            value += parts.randomElement(using: &random) ?? []
            value += random.bytes(1, from: 0x21...0x7e)
        }
        return Array(value.prefix(count))
    }

    @Test(
        "A value is found in every form, between whatever stands around it",
        arguments: Encoding.allCases, [8, 9, 15, 16, 17, 40, 4096])
    func everyForm(encoding: Encoding, count: Int) {
        var random = SplitMix64(state: UInt64(count))
        for _ in 0..<50 {
            let value = Self.awkwardValue(count, &random)
            // Of letters: what the awkward values are made of occurs in each of them.
            let other = random.bytes(count, from: 0x61...0x7a)
            let index = BuiltIndex([other, value])
            let text = encoding.text(value)
            let around = (random.bytes(37), random.bytes(41))
            #expect(index.finds(1, in: around.0 + text + around.1), "\(value)")
            #expect(!index.finds(0, in: around.0 + text + around.1))
            #expect(index.hits(in: around.0 + around.1).isEmpty, "found where it is not")
        }
    }

    @Test("Each form is needed: the first window of it is no text of another form")
    func formsAreTheirOwn() {
        var random = SplitMix64(state: 3)
        var seen: Set<UInt8> = []
        for _ in 0..<40 {
            let value = Self.awkwardValue(64, &random)
            let index = BuiltIndex([value])
            for encoding in Encoding.allCases {
                seen.formUnion(index.hits(in: encoding.text(value)).map(\.form))
            }
        }
        #expect(seen == Set(LeakForm.allCases.map(\.rawValue)))
    }

    @Test(
        "Base64 is found at each alignment, whatever is encoded with the value",
        arguments: [Encoding.base64, .base64URL], 0...5)
    func alignments(encoding: Encoding, before: Int) {
        var random = SplitMix64(state: UInt64(before) + 100)
        for count in [8, 9, 10, 11, 12, 15, 16, 17, 30, 31, 32, 4096] {
            for after in 0...3 {
                let value = random.bytes(count)
                let index = BuiltIndex([value])
                let whole = random.bytes(before) + value + random.bytes(after)
                #expect(index.finds(0, in: encoding.text(whole)), "\(count) \(after)")
            }
        }
        // The control: the same text with one bit of the value's encoding changed everywhere.
        let value = random.bytes(30)
        let index = BuiltIndex([value])
        #expect(!index.finds(0, in: encoding.text(value.map { $0 ^ 1 })))
    }

    @Test("The last bytes of a value are enough, and so are its first and those between")
    func partsOfValue() {
        var random = SplitMix64(state: 9)
        let value = random.bytes(400)
        let index = BuiltIndex([value])
        let windows = Set(index.hits(in: value).filter { $0.form == 0 }.map(\.end))
        #expect(windows == [16, 144, 272, 400])
        for end in windows { #expect(index.finds(0, in: value[(end - 16)..<end])) }
        #expect(!index.finds(0, in: value[1..<127]))
    }

    // MARK: - What is not scanned

    @Test("A value of 7 bytes has no window and is reported, one of 8 is found")
    func shortest() {
        let index = BuiltIndex([Array("1234567".utf8), Array("12345678".utf8), []])
        #expect(
            index.report.unscanned == [
                .init(secret: 0, reason: .tooShort), .init(secret: 2, reason: .tooShort),
            ])
        #expect(index.finds(1, in: Array("xx12345678yy".utf8)))
        #expect(!index.finds(0, in: Array("xx1234567yy".utf8)))
    }

    @Test("A value of two different bytes says too little, one of three is found")
    func variety() {
        let two = Array(String(repeating: "ab", count: 20).utf8)
        let three = Array(String(repeating: "abc", count: 20).utf8)
        let index = BuiltIndex([two, three, [UInt8](repeating: 0x30, count: 1 << 20)])
        #expect(
            index.report.unscanned == [
                .init(secret: 0, reason: .tooUniform), .init(secret: 2, reason: .tooUniform),
            ])
        #expect(index.finds(1, in: three))
    }

    @Test("A window is moved inward from a run of one byte")
    func movedInward() {
        var random = SplitMix64(state: 4)
        let run = [UInt8](repeating: 0x41, count: 100)
        let core = random.bytes(40)
        let index = BuiltIndex([run + core + run])
        for encoding in [Encoding.raw, .hexLower, .hexUpper, .base64] {
            #expect(index.finds(0, in: encoding.text(run + core + run)))
            #expect(!index.finds(0, in: encoding.text(run + run)), "\(encoding)")
        }
    }

    @Test("Armour and the first line of a PEM text are no windows, its other lines are")
    func armour() {
        var random = SplitMix64(state: 5)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        func line() -> String {
            String(
                decoding: (0..<64).map { _ in alphabet.randomElement(using: &random) ?? 0 },
                as: UTF8.self)
        }
        let header = line()
        func pem(_ body: [String]) -> [UInt8] {
            Array(
                """
                -----BEGIN RSA PRIVATE KEY-----
                \(([header] + body).joined(separator: "\n"))
                -----END RSA PRIVATE KEY-----

                """.utf8)
        }
        let body = [line(), line(), line()]
        let index = BuiltIndex([pem(body)])
        #expect(index.report.unscanned.isEmpty)
        for encoding in Encoding.allCases {
            #expect(index.finds(0, in: encoding.text(pem(body))))
            // Another key of the same kind, with the same first line.
            #expect(!index.finds(0, in: encoding.text(pem([line(), line()]))), "\(encoding)")
        }
        #expect(index.finds(0, in: Array(body[0].utf8)))
        #expect(index.finds(0, in: Array(body[2].utf8)))
    }

    @Test("A value that is there twice is found as the first, and that is reported")
    func sameValues() {
        var random = SplitMix64(state: 6)
        let value = random.bytes(32)
        // Begins alike and ends otherwise: it has entries of its own.
        let alike = Array(value.prefix(16)) + random.bytes(16)
        let index = BuiltIndex([value, value, alike] + Array(repeating: value, count: 20))
        #expect(index.report.dropped == 0)
        #expect(index.report.unscanned.map(\.secret) == [1] + Array(3...22))
        #expect(index.report.unscanned.allSatisfy { $0.reason == .foundAs(0) })
        #expect(index.finds(0, in: value))
        #expect(index.finds(2, in: alike))
    }

    // MARK: - False positives

    @Test("Over 1 MiB of random bytes and of text nothing is found")
    func falsePositives() {
        var random = SplitMix64(state: 7)
        let values = (0..<32).map { _ in random.bytes(48) }
        let index = BuiltIndex(values)
        let bits = index.bitmap.reduce(0) { $0 + $1.nonzeroBitCount }
        let noise = random.bytes(1 << 20, from: 0...255)
        let words = ["connection", "accepted", "password", "query", "\"id\":", "0x7f", "user\n"]
        var text: [UInt8] = []
        while text.count < 1 << 20 {
            text += Array("\(words.randomElement(using: &random) ?? "") \(random.next()) ".utf8)
        }
        for bytes in [noise, text] {
            var scanner = index.scanner
            #expect(scanner.scan(bytes).isEmpty)
            // The bitmap lets through what its bits' share says.
            let expected = Double(bytes.count) * Double(bits) / 65_536
            #expect(Double(scanner.candidates) < 1.5 * expected, "\(bits) bits")
            #expect(Double(scanner.candidates) > 0.5 * expected)
        }
        // The control: the same bytes with a value in their midst.
        var scanner = index.scanner
        #expect(!scanner.scan(noise[..<500_000] + values[17] + noise[500_000...]).isEmpty)
    }

    @Test("Another multiplier gives another table, of the same values")
    func multiplier() {
        var random = SplitMix64(state: 8)
        let value = random.bytes(48)
        let (one, other) = (
            BuiltIndex([value], multiplier: 3), BuiltIndex([value], multiplier: .max)
        )
        #expect(one.bytes != other.bytes)
        #expect(one.bitmap != other.bitmap)
        #expect(one.finds(0, in: value))
        #expect(other.finds(0, in: value))
    }
}
