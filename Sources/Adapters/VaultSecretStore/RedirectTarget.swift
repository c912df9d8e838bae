// SPDX-License-Identifier: Apache-2.0
internal import WrapperConfiguration

/// A `Location` taken apart: `https://host:port/path` or `/path` (RFC 9110, section 10.2.2).
struct RedirectTarget: Equatable {
    let origin: Origin
    /// Decoded, without query and fragment.
    let path: String

    init?(_ location: String, from origin: Origin) {
        if location.hasPrefix("/"), !location.hasPrefix("//") {
            guard let path = Self.decodedPath(location[...]) else { return nil }
            self.origin = origin
            self.path = path
            return
        }
        guard let mark = Self.endOfScheme(in: location) else { return nil }
        let scheme = location[..<mark.lowerBound].lowercased()
        let rest = location[mark.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let (host, port) = Self.hostAndPort(authority, scheme: scheme),
            let path = Self.decodedPath(rest[authority.endIndex...])
        else { return nil }
        self.origin = Origin(scheme: scheme, host: host, port: port)
        self.path = path
    }

    private static func endOfScheme(in text: String) -> Range<String.Index>? {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
            return nil
        }
        return colon..<text.index(colon, offsetBy: 3)
    }

    /// User information (`user@`) is refused: it only serves to mislead.
    private static func hostAndPort(
        _ authority: Substring, scheme: String
    ) -> (String, UInt16)? {
        guard !authority.contains("@"), !authority.isEmpty else { return nil }
        var host = authority
        var portText: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.first == ":" else { return nil }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { return nil }
        let standard: UInt16 = scheme == "http" ? 80 : 443
        guard let portText else { return (host.lowercased(), standard) }
        guard let port = UInt16(portText), port > 0 else { return nil }
        return (host.lowercased(), port)
    }

    private static func decodedPath(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.prefix { $0 != "?" && $0 != "#" }.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = Substring(rest.prefix(2))
            guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes.isEmpty ? "/" : String(validating: bytes, as: UTF8.self)
    }
}
