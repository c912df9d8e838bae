// SPDX-License-Identifier: Apache-2.0

/// Objects of JSON one after another, as jq and several calls of `kubectl get -o json` print them.
enum JSONStream {
    /// Where each begins and ends; nil: something else is between or behind them, or one is cut
    /// off. Whether each is JSON is not looked at.
    static func objects(in bytes: [UInt8]) -> [Range<Int>]? {
        var found: [Range<Int>] = []
        var (start, depth, isText, isEscaped) = (0, 0, false, false)
        for (index, byte) in bytes.enumerated() {
            if isText {
                isText = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "{"):
                if depth == 0 { start = index }
                depth += 1
            case UInt8(ascii: "}") where depth > 0:
                depth -= 1
                if depth == 0 { found.append(start..<index + 1) }
            case UInt8(ascii: "\"") where depth > 0: isText = true
            case 0x20, 0x09, 0x0A, 0x0D: continue
            default: if depth == 0 { return nil }
            }
        }
        return depth == 0 && !isText ? found : nil
    }
}
