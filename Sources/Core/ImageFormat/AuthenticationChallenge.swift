// SPDX-License-Identifier: Apache-2.0

/// One challenge of `WWW-Authenticate` (RFC 9110, section 11.6.1).
package struct AuthenticationChallenge: Sendable, Equatable {
    /// In lower case: `basic`, `bearer`.
    package let scheme: String
    /// Names in lower case; of two alike the first counts.
    package let parameters: [String: String]

    package init(scheme: String, parameters: [String: String]) {
        self.scheme = scheme
        self.parameters = parameters
    }

    /// All that can be read; what follows something that cannot is left out.
    package static func parse(_ header: String) -> [AuthenticationChallenge] {
        guard header.utf8.count <= ImageLimits.challengeBytesMax else { return [] }
        var scanner = Scanner(bytes: Array(header.utf8))
        var challenges: [AuthenticationChallenge] = []
        while let challenge = scanner.challenge() { challenges.append(challenge) }
        return challenges
    }

    private struct Scanner {
        let bytes: [UInt8]
        var index = 0

        mutating func challenge() -> AuthenticationChallenge? {
            skip(" \t,")
            guard let scheme = token() else { return nil }
            var parameters: [String: String] = [:]
            skip(" \t")
            while true {
                let start = index
                guard let parameter = parameter() else {
                    // The next challenge's scheme, or a token68, which none of ours has.
                    index = start
                    break
                }
                let name = parameter.name.lowercased()
                if parameters[name] == nil { parameters[name] = parameter.value }
                let end = index
                skip(" \t")
                guard index < bytes.count, bytes[index] == UInt8(ascii: ",") else {
                    index = end
                    break
                }
                skip(" \t,")
            }
            return AuthenticationChallenge(scheme: scheme.lowercased(), parameters: parameters)
        }

        private mutating func parameter() -> (name: String, value: String)? {
            guard let name = token() else { return nil }
            skip(" \t")
            guard index < bytes.count, bytes[index] == UInt8(ascii: "=") else { return nil }
            index += 1
            skip(" \t")
            guard index < bytes.count else { return nil }
            let value = bytes[index] == UInt8(ascii: "\"") ? quoted() : token()
            return value.map { (name, $0) }
        }

        private mutating func quoted() -> String? {
            index += 1
            var content: [UInt8] = []
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: content, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard index < bytes.count else { return nil }
                    content.append(bytes[index])
                    index += 1
                default: content.append(byte)
                }
            }
            return nil
        }

        private mutating func token() -> String? {
            let start = index
            while index < bytes.count, Self.isTokenByte(bytes[index]) { index += 1 }
            guard index > start else { return nil }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }

        private mutating func skip(_ characters: String) {
            while index < bytes.count, characters.utf8.contains(bytes[index]) { index += 1 }
        }

        private static func isTokenByte(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
