// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import Testing

@Suite struct `Text that an attacker chose` {
    private func text(_ bytes: [UInt8], bytesMax: Int = 64) -> String {
        EventText(bytes, bytesMax: bytesMax).text
    }

    @Test func `stays as it is where it prints`() {
        #expect(EventText("wörk ☃ 😀 \"quoted\"", bytesMax: 64).text == "wörk ☃ 😀 \"quoted\"")
    }

    @Test(arguments: [
        ("a\nb", "a\\x0ab"), ("\u{1b}[2J", "\\x1b[2J"), ("a\0b", "a\\x00b"), ("\u{7f}", "\\x7f"),
        ("\u{85}", "\\xc2\\x85"), ("\u{202e}exe", "\\xe2\\x80\\xaeexe"),
        ("\u{2028}", "\\xe2\\x80\\xa8"), ("\u{feff}", "\\xef\\xbb\\xbf"),
        ("\u{e0041}", "\\xf3\\xa0\\x81\\x81"), ("\\", "\\\\"), ("\\x41", "\\\\x41"),
    ])
    func `escapes what moves, turns or hides`(given: String, wanted: String) {
        #expect(EventText(given, bytesMax: 64).text == wanted)
    }

    @Test(
        arguments: [
            ([0xff], "\\xff"), ([0xc0, 0x80], "\\xc0\\x80"), ([0xc3], "\\xc3"),
            ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"),
            ([0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"),
            ([0xe2, 0x82, 0x41], "\\xe2\\x82A"), ([0xe0, 0x9f, 0xbf], "\\xe0\\x9f\\xbf"),
            ([0xf0, 0x8f, 0xbf, 0xbf], "\\xf0\\x8f\\xbf\\xbf"),
        ] as [([UInt8], String)])
    func `shows bytes that are no UTF-8`(given: [UInt8], wanted: String) {
        #expect(text(given) == wanted)
    }

    @Test func `accepts just what the standard library takes for UTF-8`() {
        var generator = Generator(state: 7)
        for _ in 0..<5_000 {
            // Mostly lead and continuation bytes, or hardly anything would be well formed.
            let bytes = (0..<4).map { _ -> UInt8 in
                let drawn = generator.next()
                return drawn & 0x100 == 0 ? UInt8(drawn & 0x3f) | 0x80 : UInt8(drawn & 0xff)
            }
            let repaired = String(decoding: bytes, as: UTF8.self)
            let isWellFormed = String(validating: bytes, as: UTF8.self) != nil
            let shown = text(bytes)
            #expect(!shown.contains("\u{fffd}"))
            if isWellFormed, repaired.unicodeScalars.allSatisfy({ $0.properties.isAlphabetic }) {
                #expect(shown == repaired)
            }
            if !isWellFormed { #expect(shown.contains("\\x"), "\(bytes)") }
            #expect(Unescaped(shown).bytes == bytes)
        }
    }

    @Test func `is cut at its limit, never inside a character, and says by how much`() {
        #expect(text(Array("abcd".utf8), bytesMax: 4) == "abcd")
        #expect(text(Array("abcde".utf8), bytesMax: 4) == "abcd\\+1")
        #expect(text(Array("abcé".utf8), bytesMax: 4) == "abc\\+2")
        #expect(text(Array("ab".utf8), bytesMax: 0) == "\\+2")
        #expect(text([0xff, 0xff], bytesMax: 1) == "\\xff\\+1")
    }

    @Test func `is never longer than it says`() {
        for bytesMax in [0, 1, 15, 512] {
            let worst = text([UInt8](repeating: 0xff, count: bytesMax + 9), bytesMax: bytesMax)
            #expect(worst.count <= EventText.charactersMax(bytesMax: bytesMax))
        }
    }
}

/// The original of an `EventText` that was not cut.
private struct Unescaped {
    private(set) var bytes: [UInt8] = []

    init(_ text: String) {
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let next = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            if next == UInt8(ascii: "\\") {
                bytes.append(next)
            } else {
                bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
                rest = rest.dropFirst(2)
            }
        }
    }
}

/// SplitMix64.
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
