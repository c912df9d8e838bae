// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A form, encoded by somebody else.
enum Encoding: CaseIterable {
    case raw, base64, base64URL, hexLower, hexUpper, percent, json

    func text(_ value: [UInt8]) -> [UInt8] {
        let text: String
        switch self {
        case .raw: return value
        case .base64: text = Data(value).base64EncodedString()
        case .base64URL:
            text = Data(value).base64EncodedString().replacingOccurrences(of: "+", with: "-")
                .replacingOccurrences(of: "/", with: "_")
        case .hexLower: text = value.map { String(format: "%02x", $0) }.joined()
        case .hexUpper: text = value.map { String(format: "%02X", $0) }.joined()
        case .percent:
            let unreserved = CharacterSet(
                charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                    + "0123456789-._~")
            text =
                String(decoding: value, as: UTF8.self)
                .addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = .withoutEscapingSlashes
            let data = try? encoder.encode(String(decoding: value, as: UTF8.self))
            // Without the quotes around it.
            return Array((data ?? Data()).dropFirst().dropLast())
        }
        return Array(text.utf8)
    }
}
