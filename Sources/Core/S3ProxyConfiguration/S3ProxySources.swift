// SPDX-License-Identifier: Apache-2.0

/// What was said, and where. Of a setting that is there in several places the command line counts,
/// then the environment, then the file; lists are not joined.
package struct S3ProxySources: Sendable, Equatable {
    /// Largest file (bytes).
    package static let fileBytesMax = 64 << 10
    /// Longest value (bytes).
    package static let valueBytesMax = 4096
    /// Most values of one list.
    package static let listMax = 256

    package typealias Values = [S3ProxySetting: [String]]

    package private(set) var commandLine: Values = [:]
    package private(set) var environment: Values = [:]
    package private(set) var file: Values = [:]

    /// - Parameters:
    ///   - words: of the command line, without the program's name.
    ///   - variables: of the environment.
    package init(
        words: [String], variables: [(name: String, value: String)]
    ) throws(S3ProxySettingsFailure) {
        commandLine = try Self.values(ofWords: words)
        environment = try Self.values(ofVariables: variables)
    }

    /// The file that is to be read; nil: none.
    package var configurationFile: String? { self[.config].last }

    /// Adds what the file says.
    package mutating func read(
        _ bytes: [UInt8], of path: String
    ) throws(S3ProxySettingsFailure) {
        do throws(S3ProxySettingsFailure) { file = try Self.values(ofFile: bytes) } catch {
            throw S3ProxySettingsFailure("\(path), \(error.text)")
        }
    }

    subscript(setting: S3ProxySetting) -> [String] {
        commandLine[setting] ?? environment[setting] ?? file[setting] ?? []
    }

    // MARK: - Reading

    private static func values(ofWords words: [String]) throws(S3ProxySettingsFailure) -> Values {
        var values: Values = [:]
        var rest = words[...]
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard word.hasPrefix("--"),
                let setting = S3ProxySetting(rawValue: String(parts[0].dropFirst(2)))
            else { throw S3ProxySettingsFailure("unknown flag '\(parts[0])'; see --help") }
            if setting.isSwitch {
                try add(parts.count == 2 ? String(parts[1]) : "true", for: setting, to: &values)
                continue
            }
            guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
                throw S3ProxySettingsFailure(setting, "needs a value; write \(setting.flag) VALUE")
            }
            try add(value, for: setting, to: &values)
        }
        return values
    }

    private static func values(
        ofVariables variables: [(name: String, value: String)]
    ) throws(S3ProxySettingsFailure) -> Values {
        var known: [String: S3ProxySetting] = [:]
        for setting in S3ProxySetting.allCases { known[setting.variable] = setting }
        var values: Values = [:]
        for (name, value) in variables {
            guard let setting = known[name] else {
                let isOurs = name.hasPrefix(S3ProxySetting.variablePrefix) && !isServiceLink(name)
                guard !isOurs else {
                    throw S3ProxySettingsFailure("\(name): no setting is called so; see --help")
                }
                continue
            }
            // As if it were not there.
            guard !value.isEmpty else { continue }
            guard setting.isList else {
                try add(value, for: setting, to: &values)
                continue
            }
            for part in value.split(separator: ",") {
                try add(trimmed(part), for: setting, to: &values)
            }
        }
        return values
    }

    /// Variables that Kubernetes sets for each Service of the namespace, which may well be called
    /// `cloudtaser-s3-proxy`.
    private static func isServiceLink(_ name: String) -> Bool {
        if name.hasSuffix("_SERVICE_HOST") || name.hasSuffix("_PORT") { return true }
        if name.contains("_SERVICE_PORT_") { return true }
        return ["_TCP", "_UDP", "_SCTP"].contains { kind in
            ["", "_PROTO", "_PORT", "_ADDR"].contains { name.hasSuffix(kind + $0) }
        }
    }

    /// One setting a line; lines that begin with `#` and empty lines say nothing.
    private static func values(ofFile bytes: [UInt8]) throws(S3ProxySettingsFailure) -> Values {
        guard bytes.count <= fileBytesMax else {
            throw S3ProxySettingsFailure("the file has more than \(fileBytesMax) bytes")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw S3ProxySettingsFailure("the file is no UTF-8")
        }
        var values: Values = [:]
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let words = trimmed(line)
            guard let first = words.first, first != "#" else { continue }
            do throws(S3ProxySettingsFailure) { try add(line: words, to: &values) } catch {
                throw S3ProxySettingsFailure("line \(index + 1): \(error.text)")
            }
        }
        return values
    }

    private static func add(
        line: String, to values: inout Values
    ) throws(S3ProxySettingsFailure) {
        let parts = line.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" })
        let name = parts[0].hasPrefix("--") ? String(parts[0].dropFirst(2)) : String(parts[0])
        guard let setting = S3ProxySetting(rawValue: name) else {
            throw S3ProxySettingsFailure("unknown setting '\(name)'; write NAME VALUE, see --help")
        }
        guard setting != .config else {
            throw S3ProxySettingsFailure("a file cannot name another one; remove 'config'")
        }
        guard parts.count == 2 || setting.isSwitch else {
            throw S3ProxySettingsFailure("'\(name)' needs a value; write \(name) VALUE")
        }
        try add(parts.count == 2 ? trimmed(parts[1]) : "true", for: setting, to: &values)
    }

    private static func add(
        _ value: String, for setting: S3ProxySetting, to values: inout Values
    ) throws(S3ProxySettingsFailure) {
        guard !value.isEmpty, value.utf8.count <= valueBytesMax else {
            throw S3ProxySettingsFailure(
                setting, "is empty or longer than \(valueBytesMax) bytes; give a value")
        }
        guard setting.isList || values[setting] == nil else {
            throw S3ProxySettingsFailure(setting, "is there twice; remove one")
        }
        values[setting, default: []].append(value)
        guard values[setting, default: []].count <= listMax else {
            throw S3ProxySettingsFailure(setting, "is there more than \(listMax) times")
        }
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var rest = Substring(text).drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(rest)
    }
}
