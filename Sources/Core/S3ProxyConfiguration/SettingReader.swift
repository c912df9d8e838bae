// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import WrapperConfiguration

/// Reads values of one kind or another; what is wrong is said with the setting's name.
struct SettingReader {
    let sources: S3ProxySources

    func text(_ setting: S3ProxySetting) -> String? { sources[setting].last }

    func required(
        _ setting: S3ProxySetting, _ example: String
    ) throws(S3ProxySettingsFailure) -> String {
        guard let text = text(setting) else {
            throw S3ProxySettingsFailure(setting, "is not set; set it, for example to \(example)")
        }
        return text
    }

    func flag(_ setting: S3ProxySetting) throws(S3ProxySettingsFailure) -> Bool {
        switch text(setting) {
        case nil, "false": return false
        case "true": return true
        default: throw S3ProxySettingsFailure(setting, "is neither true nor false; write one")
        }
    }

    func number(
        _ setting: S3ProxySetting, _ range: ClosedRange<Int>
    ) throws(S3ProxySettingsFailure) -> Int? {
        guard let text = text(setting) else { return nil }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text),
            range.contains(number)
        else {
            throw S3ProxySettingsFailure(
                setting, "'\(text)' is no number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ setting: S3ProxySetting
    ) throws(S3ProxySettingsFailure) -> Choice? where Choice.RawValue == String {
        guard let text = text(setting) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw S3ProxySettingsFailure(setting, "'\(text)' is not one of \(words)")
        }
        return choice
    }

    /// Of a list.
    func all<Value>(
        _ setting: S3ProxySetting, _ read: (String) -> Value?, remedy: (String) -> String
    ) throws(S3ProxySettingsFailure) -> [Value] {
        var values: [Value] = []
        for text in sources[setting] {
            guard let value = read(text) else {
                throw S3ProxySettingsFailure(setting, remedy(text))
            }
            values.append(value)
        }
        return values
    }

    func place(
        _ setting: S3ProxySetting
    ) throws(S3ProxySettingsFailure) -> S3ProxySettings.Place? {
        guard let text = text(setting) else { return nil }
        guard let place = Self.place(text[...], portIfNone: nil) else {
            throw S3ProxySettingsFailure(
                setting, "'\(text)' is not ADDRESS:PORT or [ADDRESS]:PORT, like 0.0.0.0:8443")
        }
        return place
    }

    /// An absolute path.
    func file(_ setting: S3ProxySetting) throws(S3ProxySettingsFailure) -> String? {
        guard let text = text(setting) else { return nil }
        guard text.hasPrefix("/"), text.utf8.allSatisfy({ $0 >= 0x20 }) else {
            throw S3ProxySettingsFailure(setting, "is no absolute path; write /PATH/TO/FILE")
        }
        return text
    }

    func region(_ setting: S3ProxySetting) throws(S3ProxySettingsFailure) -> String? {
        guard let text = text(setting) else { return nil }
        guard (1...64).contains(text.utf8.count),
            text.utf8.allSatisfy({ Self.isNameByte($0) && $0 != UInt8(ascii: ".") })
        else {
            throw S3ProxySettingsFailure(setting, "'\(text)' is no region; write eu-central-1")
        }
        return text
    }

    func optionalName(
        _ setting: S3ProxySetting
    ) throws(S3ProxySettingsFailure) -> String? {
        guard let text = text(setting) else { return nil }
        guard Self.isName(text) else {
            throw S3ProxySettingsFailure(
                setting, "'\(text)' is not of letters, digits, '-', '_' and '.', at most 128")
        }
        return text
    }

    func name(
        _ setting: S3ProxySetting, like example: String
    ) throws(S3ProxySettingsFailure) -> String {
        _ = try required(setting, example)
        return try optionalName(setting) ?? ""
    }

    /// Segments with a slash between them.
    func path(_ setting: S3ProxySetting) throws(S3ProxySettingsFailure) -> String? {
        guard let text = text(setting) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ Self.isName(String($0)) }) else {
            throw S3ProxySettingsFailure(
                setting, "'\(text)' is no path; write names with a slash between, none at the ends")
        }
        return text
    }

    func secretPath(
        _ setting: S3ProxySetting, like example: String
    ) throws(S3ProxySettingsFailure) -> String {
        let text = try required(setting, example)
        guard try path(setting)?.contains("/") == true else {
            throw S3ProxySettingsFailure(
                setting, "'\(text)' is not mount and path; write \(example)")
        }
        return text
    }

    /// The wrapper's variables, and its rules. Credentials come from files: command lines and
    /// environments are shown to others.
    func vault() throws(S3ProxySettingsFailure) -> VaultSettings {
        for (method, file) in [
            ("token", S3ProxySetting.vaultTokenFile), ("approle", .vaultSecretIDFile),
        ]
        where (text(.vaultAuthMethod) ?? "token") == method && text(file) == nil {
            throw S3ProxySettingsFailure(
                file, "is not set; name the credential's file, or another --vault-auth-method")
        }
        var values: [ControlVariable: String] = [:]
        for setting in S3ProxySetting.allCases {
            guard let variable = setting.vaultVariable else { continue }
            values[variable] = text(setting)
        }
        do throws(ConfigurationFailure) {
            return try SettingsParser(
                defaultFollow: FollowStrategy.standard, hasCredential: { _ in false },
                lookUp: { values[$0] }
            ).parseVault()
        } catch {
            let name = error.variable
            let setting = S3ProxySetting.allCases.first { $0.vaultVariable?.rawValue == name }
            guard let setting else { throw S3ProxySettingsFailure(error.message) }
            throw S3ProxySettingsFailure(setting, error.reason)
        }
    }

    // MARK: - Forms

    /// - Parameter portIfNone: nil: there has to be one.
    static func place(_ text: Substring, portIfNone: UInt16?) -> S3ProxySettings.Place? {
        var host = text
        var port = portIfNone
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let tail = text[text.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":"), host.contains(":"),
                host.utf8.allSatisfy({
                    isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
                })
            else { return nil }
            if !tail.isEmpty { port = self.port(tail.dropFirst()) }
        } else {
            if let colon = text.firstIndex(of: ":") {
                host = text[..<colon]
                port = self.port(text[text.index(after: colon)...])
            }
            guard isHost(String(host)) else { return nil }
        }
        guard let port else { return nil }
        return S3ProxySettings.Place(host: String(host), port: port)
    }

    private static func port(_ text: Substring) -> UInt16? {
        guard let number = UInt16(text), String(number) == text else { return nil }
        return number
    }

    /// A name or an IPv4 address.
    static func isHost(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return text.utf8.count <= 253
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && !label.hasPrefix("-")
                    && !label.hasSuffix("-")
                    && label.utf8.allSatisfy { isNameByte($0) && $0 != UInt8(ascii: ".") }
            }
    }

    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy(isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte) || "-_.".utf8.contains(byte)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte)
            || (0x61...0x66).contains(byte)
    }
}
