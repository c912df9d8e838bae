// SPDX-License-Identifier: Apache-2.0

/// Transit, with a toy cipher: it hides nothing from anybody who reads this file, but a changed
/// ciphertext, another key and another binding are refused as the real engine refuses them.
extension SimulatedVault {
    /// What a transit key may have that others have not.
    package struct TransitKeySettings: Sendable, Equatable {
        /// Its keys are made from the request's `context`, which has to be there. Without, the
        /// context is ignored, as the real engine ignores it.
        package var isDerived: Bool
        /// `min_decryption_version`
        package var versionMin: Int

        package init(isDerived: Bool = false, versionMin: Int = 1) {
            self.isDerived = isDerived
            self.versionMin = versionMin
        }
    }

    /// Adds a key in its first version to an engine, which is mounted as transit when there is
    /// none; or gives one that is there other settings.
    package mutating func setTransitKey(
        _ name: String, mount: String, _ settings: TransitKeySettings, namespace: String = ""
    ) {
        var keys: [String: Int] = [:]
        if case .transit(let known) = namespaces[namespace]?.mounts[mount] { keys = known }
        keys[name] = keys[name] ?? 1
        self.mount(.transit(keys), at: mount, namespace: namespace)
        transitSettings["\(namespace)/\(mount)/\(name)"] = settings
    }

    /// `transit/keys/<name>/rotate`
    package mutating func rotateTransitKey(
        _ name: String, mount: String, namespace: String = ""
    ) {
        guard case .transit(var keys) = namespaces[namespace]?.mounts[mount] else { return }
        keys[name] = (keys[name] ?? 0) + 1
        namespaces[namespace]?.mounts[mount] = .transit(keys)
    }

    /// `<transit>/encrypt/<key>`, `…/decrypt/<key>`, `…/rewrap/<key>` and `…/sign/<key>`
    mutating func transit(
        _ rest: String, mount: String, parameters: (String) -> String?, in namespace: String
    ) throws(Refusal) -> Answer {
        guard case .transit(var keys) = namespaces[namespace]?.mounts[mount] else {
            throw .nothingThere
        }
        let parts = rest.split(separator: "/").map(String.init)
        guard parts.count == 2 else { throw .nothingThere }
        let place = "\(namespace)/\(mount)/\(parts[1])"
        let context = parameters("context")
        var data = try Self.decoded(parameters("associated_data") ?? "")
        switch parts[0] {
        case "encrypt":
            let plaintext = try Self.decoded(parameters("plaintext") ?? "")
            keys[parts[1]] = keys[parts[1], default: 1]
            namespaces[namespace]?.mounts[mount] = .transit(keys)
            return try sealed(plaintext, place, keys[parts[1]] ?? 1, context, data)
        case "decrypt", "rewrap":
            guard let newest = keys[parts[1]] else { throw .transitKeyUnknown }
            // It does not know additional data.
            if parts[0] == "rewrap" { data = [] }
            let plaintext = try opened(
                parameters("ciphertext") ?? "", place, newest: newest, context, data)
            guard parts[0] == "decrypt" else {
                return try sealed(plaintext, place, newest, context, data)
            }
            return Answer(
                data: .object([("plaintext", .string(SimulatedBase64.encoded(plaintext)))]))
        case "sign":
            return try signed(
                Self.decoded(parameters("input") ?? ""), with: signingKeys[place])
        default: throw .nothingThere
        }
    }

    private mutating func sealed(
        _ plaintext: [UInt8], _ place: String, _ version: Int, _ context: String?, _ data: [UInt8]
    ) throws(Refusal) -> Answer {
        let box = try box(place, version, context, data)
        nonces += 1
        let sealed = SimulatedBase64.encoded(box.seal(plaintext, nonce: nonces))
        return Answer(
            data: .object([
                ("ciphertext", .string("vault:v\(version):\(sealed)")),
                ("key_version", .number(String(version))),
            ]))
    }

    private func opened(
        _ ciphertext: String, _ place: String, newest: Int, _ context: String?, _ data: [UInt8]
    ) throws(Refusal) -> [UInt8] {
        let (version, bytes) = try Self.parts(of: ciphertext)
        guard version <= newest else {
            throw .badRequest("invalid ciphertext: version is too new")
        }
        guard version >= transitSettings[place]?.versionMin ?? 1 else {
            throw .transitVersionExcluded
        }
        guard let plaintext = try box(place, version, context, data).open(bytes) else {
            throw .badRequest("cipher: message authentication failed")
        }
        return plaintext
    }

    private func box(
        _ place: String, _ version: Int, _ context: String?, _ data: [UInt8]
    ) throws(Refusal) -> ToyCipher {
        guard transitSettings[place]?.isDerived == true else {
            return ToyCipher(key: "\(place)/\(version)", context: data)
        }
        guard let context, !context.isEmpty else {
            throw .badRequest("missing 'context' for key derivation")
        }
        return ToyCipher(key: "\(place)/\(version)/\(context)", context: data)
    }

    /// `vault:vN:base64` taken apart.
    private static func parts(of ciphertext: String) throws(Refusal) -> (Int, [UInt8]) {
        let parts = ciphertext.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "vault", parts[1].hasPrefix("v"),
            let version = Int(parts[1].dropFirst()), version > 0
        else { throw .badRequest("invalid ciphertext: no prefix") }
        guard let bytes = SimulatedBase64.decoded(String(parts[2])) else {
            throw .badRequest("invalid ciphertext: could not decode base64")
        }
        return (version, bytes)
    }

    private static func decoded(_ text: String) throws(Refusal) -> [UInt8] {
        guard let bytes = SimulatedBase64.decoded(text) else {
            throw .badRequest("failed to base64-decode plaintext")
        }
        return bytes
    }
}

/// A keyed stream and a keyed sum of 64 bits, from a small mixing function.
package struct ToyCipher: Sendable {
    private let seed: UInt64
    private static let numberBytes = 8

    package init(key: String, context: [UInt8]) {
        seed = Self.mix(Self.sum(Array(key.utf8), from: 1) ^ Self.sum(context, from: 2))
    }

    /// Nonce, bytes, sum.
    package func seal(_ bytes: [UInt8], nonce: UInt64) -> [UInt8] {
        let hidden = stream(over: bytes, nonce: nonce)
        let sum = Self.sum(hidden, from: seed ^ Self.mix(nonce))
        return Self.bytes(nonce) + hidden + Self.bytes(sum)
    }

    /// nil when anything about it was changed.
    package func open(_ sealed: [UInt8]) -> [UInt8]? {
        guard sealed.count >= 2 * Self.numberBytes else { return nil }
        let nonce = Self.number(sealed.prefix(Self.numberBytes))
        let hidden = Array(sealed.dropFirst(Self.numberBytes).dropLast(Self.numberBytes))
        let sum = Self.number(sealed.suffix(Self.numberBytes))
        guard sum == Self.sum(hidden, from: seed ^ Self.mix(nonce)) else { return nil }
        return stream(over: hidden, nonce: nonce)
    }

    private func stream(over bytes: [UInt8], nonce: UInt64) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let block = Self.mix(seed ^ Self.mix(nonce &+ UInt64(index / 8) &* 0x9E37))
            return byte ^ UInt8(truncatingIfNeeded: block >> UInt64(index % 8 * 8))
        }
    }

    private static func sum(_ bytes: [UInt8], from start: UInt64) -> UInt64 {
        bytes.reduce(mix(start ^ UInt64(bytes.count))) { mix($0 ^ UInt64($1)) }
    }

    /// The finalizer of SplitMix64: every bit of the input moves every bit of the output.
    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        (0..<UInt64(numberBytes)).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Base64 with padding (RFC 4648, section 4).
package enum SimulatedBase64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encoded(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let value = (0..<3).reduce(0) { sum, index in
                sum << 8 | (index < group.count ? Int(group[start + index]) : 0)
            }
            for index in 0..<4 {
                let digit = alphabet[value >> (18 - 6 * index) & 63]
                text.append(index <= group.count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// nil: not base64.
    package static func decoded(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 4 == 0 else { return nil }
        let padding = digits.suffix(2).filter { $0 == UInt8(ascii: "=") }.count
        var bytes: [UInt8] = []
        var value = 0
        for (index, digit) in digits.enumerated() {
            let isPadding = index >= digits.count - padding
            guard let number = isPadding ? 0 : alphabet.firstIndex(of: digit) else { return nil }
            value = value << 6 | number
            guard index % 4 == 3 else { continue }
            for shift in [16, 8, 0] { bytes.append(UInt8(value >> shift & 255)) }
            value = 0
        }
        return Array(bytes.dropLast(padding))
    }
}
