// SPDX-License-Identifier: Apache-2.0

/// Numbers of YAML 1.1 (https://yaml.org/type/int.html) as JSON writes them, as kubectl sends them:
/// `0644` is 420.
enum YAMLNumber {
    /// nil: JSON has no such number, as infinity.
    static func json(_ text: String) -> String? {
        if isJSON(text) { return text }
        var digits = Substring(text.filter { $0 != "_" })
        let isNegative = digits.first == "-"
        if let sign = digits.first, "+-".contains(sign) { digits = digits.dropFirst() }
        let magnitude: String
        if let radix = radix(of: &digits) {
            guard let number = UInt64(digits, radix: radix) else { return nil }
            magnitude = String(number)
        } else {
            guard digits.first.map({ $0.isNumber || $0 == "." }) == true,
                let number = Double(digits), number.isFinite
            else { return nil }
            magnitude = isJSON(String(digits)) ? String(digits) : "\(number)"
        }
        return isNegative ? "-" + magnitude : magnitude
    }

    private static func radix(of digits: inout Substring) -> Int? {
        for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] where digits.hasPrefix(prefix) {
            digits = digits.dropFirst(2)
            return radix
        }
        guard digits.first == "0", digits.count > 1, digits.allSatisfy({ ("0"..."7").contains($0) })
        else { return nil }
        return 8
    }

    /// RFC 8259, section 6.
    static func isJSON(_ text: String) -> Bool {
        var rest = Substring(text)
        func digits() -> Int {
            let run = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(run.count)
            return run.count
        }
        if rest.first == "-" { rest = rest.dropFirst() }
        let leadsWithZero = rest.first == "0"
        let whole = digits()
        guard whole > 0, whole == 1 || !leadsWithZero else { return false }
        if rest.first == "." {
            rest = rest.dropFirst()
            guard digits() > 0 else { return false }
        }
        if rest.first == "e" || rest.first == "E" {
            rest = rest.dropFirst()
            if rest.first == "+" || rest.first == "-" { rest = rest.dropFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }
}
