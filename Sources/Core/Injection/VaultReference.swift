// SPDX-License-Identifier: Apache-2.0

/// An environment entry's value that names a secret, as Bank-Vaults' webhook takes it:
/// `vault:PATH#KEY` or `vault:PATH#KEY#VERSION`.
package struct VaultReference: Sendable, Equatable {
    package let path: String
    package let key: String
    /// nil: the current one.
    package let version: Int?

    /// Why a text that looks like a reference is none that can be served.
    package enum Failure: Error, Sendable, Equatable {
        case noKey, emptyPath, emptyKey, badKey, template, badVersion, tooManyParts, writes, inline
        case login

        package var reason: String {
            switch self {
            case .noKey: "names no key of the secret"
            case .emptyPath: "names no path"
            case .emptyKey: "has an empty key"
            case .badKey: "has a key with a comma, a semicolon or a blank at an end"
            case .template: "has a template for a key"
            case .badVersion: "has a version that is no number from 1"
            case .tooManyParts: "has more than path, key and version"
            case .writes: "writes to the vault"
            case .inline: "has a reference inside a text"
            case .login: "asks for the vault's token"
            }
        }

        package var fix: String {
            switch self {
            case .noKey, .emptyPath, .emptyKey, .badVersion, .tooManyParts:
                "write vault:PATH#KEY, like vault:secret/app#password"
            case .badKey, .template:
                "map one plain field; templates are not evaluated"
            case .writes:
                "use \(PodAnnotation.secretPaths.rawValue) with parameters, like"
                    + " pki/issue/web?common_name=app.example"
            case .inline: "let the whole value be one reference"
            case .login: "name a secret; the token stays with the wrapper"
            }
        }
    }

    private static let schemes = ["vault:", "bao:"]

    /// nil when the text is no reference: an address like `vault:8200` is none.
    package init?(_ text: String) throws(Failure) {
        // Most values are none, and are seen to be none without a search.
        guard text.utf8.contains(UInt8(ascii: ":")) else { return nil }
        for scheme in Self.schemes {
            if text.hasPrefix(">>" + scheme) { throw .writes }
            let isInline =
                text.utf8.contains(UInt8(ascii: "$"))
                && (text.contains("${" + scheme) || text.contains("${>>" + scheme))
            if isInline { throw .inline }
        }
        guard let scheme = Self.schemes.first(where: { text.hasPrefix($0) }) else { return nil }
        let rest = text.dropFirst(scheme.count)
        if rest == "login" { throw .login }
        let parts = rest.split(separator: "#", omittingEmptySubsequences: false)
        guard parts.count > 1 else {
            // A host and port has no slash either.
            if rest.contains("/") { throw .noKey }
            return nil
        }
        if parts[1].contains("{") { throw .template }
        guard !parts[0].isEmpty else { throw .emptyPath }
        guard !parts[1].isEmpty else { throw .emptyKey }
        let ends = [parts[1].first, parts[1].last]
        guard !parts[1].contains(where: { ",;\n\r\t".contains($0) }), !ends.contains(" ") else {
            throw .badKey
        }
        guard parts.count <= 3 else { throw .tooManyParts }
        path = String(parts[0])
        key = String(parts[1])
        guard parts.count == 3 else {
            version = nil
            return
        }
        guard parts[2].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(parts[2]), number > 0
        else { throw .badVersion }
        version = number
    }
}
