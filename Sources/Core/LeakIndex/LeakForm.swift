// SPDX-License-Identifier: Apache-2.0

/// How a value may be written when it leaves the process.
package enum LeakForm: UInt8, Sendable, CaseIterable {
    case raw = 0
    /// RFC 4648 §4.
    case base64 = 1
    /// RFC 4648 §5.
    case base64URL = 2
    case hexLower = 3
    case hexUpper = 4
    /// RFC 3986 §2.1: all but unreserved characters, with upper-case digits.
    case percent = 5
    /// RFC 8259 §7: quote, backslash and control characters, these by their short form where there
    /// is one and with lower-case digits otherwise.
    case json = 6
}

/// Gives windows over one form of a value: those that begin or end at a place of the value.
/// Nothing but the window holds bytes of the form.
struct LeakFormReader {
    let value: UnsafeRawBufferPointer
    let form: LeakForm
    /// Bytes that precede the value in what is encoded with it, modulo 3; for base64.
    let alignment: Int

    /// Writes the form's first bytes from `start` on into `window`.
    ///
    /// - Returns: the bytes of the value that it covers; nil for none.
    func read(from start: Int, to end: Int, into window: inout LeakWindow) -> Range<Int>? {
        window.forget()
        switch form {
        case .base64, .base64URL:
            let digits = determinedDigits(start..<end)
            let used = digits.prefix(LeakIndex.windowBytesMax)
            push(digits: used, into: &window)
            return covered(digits: used, within: start..<end)
        default:
            var index = start
            while index < end, !window.isFull {
                // An escape may be cut by the window's end: what stands there is still text of
                // the form.
                escape(value[index]) { if !window.isFull { window.push($0) } }
                index += 1
            }
            return start..<index
        }
    }

    /// The same with the form's last bytes before `end`.
    func read(upTo end: Int, from start: Int, into window: inout LeakWindow) -> Range<Int>? {
        window.forget()
        switch form {
        case .base64, .base64URL:
            let digits = determinedDigits(start..<end)
            let used = digits.suffix(LeakIndex.windowBytesMax)
            push(digits: used, into: &window)
            return covered(digits: used, within: start..<end)
        default:
            var (from, written) = (end, 0)
            while from > start, written < LeakIndex.windowBytesMax {
                from -= 1
                escape(value[from]) { _ in written += 1 }
            }
            for index in from..<end { escape(value[index]) { window.push($0) } }
            return from..<end
        }
    }

    // MARK: - One byte after the other

    private func escape(_ byte: UInt8, _ push: (UInt8) -> Void) {
        switch form {
        case .raw, .base64, .base64URL: push(byte)
        case .hexLower: Self.hex(byte, Self.lowerDigits, push)
        case .hexUpper: Self.hex(byte, Self.upperDigits, push)
        case .percent:
            if Self.isUnreserved(byte) { return push(byte) }
            push(UInt8(ascii: "%"))
            Self.hex(byte, Self.upperDigits, push)
        case .json: Self.json(byte, push)
        }
    }

    private static func hex(_ byte: UInt8, _ digits: StaticString, _ push: (UInt8) -> Void) {
        push(digits.utf8Start[Int(byte >> 4)])
        push(digits.utf8Start[Int(byte & 15)])
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func json(_ byte: UInt8, _ push: (UInt8) -> Void) {
        let short: UInt8? =
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): byte
            case 0x08: UInt8(ascii: "b")
            case 0x09: UInt8(ascii: "t")
            case 0x0a: UInt8(ascii: "n")
            case 0x0c: UInt8(ascii: "f")
            case 0x0d: UInt8(ascii: "r")
            default: nil
            }
        guard short != nil || byte < 0x20 else { return push(byte) }
        push(UInt8(ascii: "\\"))
        if let short { return push(short) }
        push(UInt8(ascii: "u"))
        push(UInt8(ascii: "0"))
        push(UInt8(ascii: "0"))
        hex(byte, lowerDigits, push)
    }

    private static let lowerDigits: StaticString = "0123456789abcdef"
    private static let upperDigits: StaticString = "0123456789ABCDEF"

    // MARK: - Base64

    /// Digit n holds bits 6n..<6n+6 of a stream in which the value begins at bit 8 * `alignment`.
    /// Digits that a part of the value alone determines.
    private func determinedDigits(_ part: Range<Int>) -> Range<Int> {
        let lower = (8 * (alignment + part.lowerBound) + 5) / 6
        let upper = 8 * (alignment + part.upperBound) / 6
        return lower..<max(lower, upper)
    }

    private func push(digits: Range<Int>, into window: inout LeakWindow) {
        let alphabet: StaticString = form == .base64URL ? Self.urlAlphabet : Self.alphabet
        for digit in digits {
            let bit = 6 * digit - 8 * alignment
            let (index, shift) = (bit / 8, bit % 8)
            // Two bytes hold the digit; the second is there whenever bits of it are needed.
            let next = index + 1 < value.count ? value[index + 1] : 0
            let pair = UInt16(value[index]) << 8 | UInt16(next)
            window.push(alphabet.utf8Start[Int(pair >> UInt16(10 - shift) & 63)])
        }
    }

    private func covered(digits: Range<Int>, within part: Range<Int>) -> Range<Int>? {
        guard !digits.isEmpty else { return nil }
        let lower = (6 * digits.lowerBound - 8 * alignment) / 8
        let upper = (6 * digits.upperBound - 8 * alignment + 7) / 8
        return lower..<min(upper, part.upperBound)
    }

    private static let alphabet: StaticString =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    private static let urlAlphabet: StaticString =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
}
