// SPDX-License-Identifier: Apache-2.0

/// Whether an entry looks like a credential, by its name and by the shape of its value. A guess:
/// it misses what is called otherwise, and may take a harmless entry for one.
package enum CredentialNames {
    /// Words of a name, in upper case, that are about credentials.
    private static let words: Set = [
        "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "PWD", "SECRET", "SECRETS", "TOKEN", "APIKEY",
        "CREDENTIAL", "CREDENTIALS",
    ]
    /// Two words that are about credentials together.
    private static let pairs: Set = [
        "API KEY", "ACCESS KEY", "PRIVATE KEY", "SIGNING KEY", "ENCRYPTION KEY", "AUTH KEY",
        "ACCOUNT KEY", "LICENSE KEY", "SAS KEY",
    ]
    /// What a name ends in that says where a credential is, and not what it is.
    private static let pointers: Set = [
        "FILE", "PATH", "DIR", "NAME", "URL", "URI", "HOST", "ENABLED", "TTL", "SECONDS", "LENGTH",
        "TYPE", "ID", "ROLE", "ISSUER", "ENDPOINT", "VERSION", "POLICY", "HEADER", "ALGORITHM",
        "EXPIRY", "MINUTES", "HOURS", "DAYS", "SIZE", "COUNT", "REF",
        "STDIN", "ENV", "PATHS", "FILES", "NAMES",
    ]
    /// Values that no credential is.
    private static let placeholders: Set = ["", "true", "false", "none", "null", "0", "1"]

    package static func isCredential(name: String, value: String) -> Bool {
        // What a vault fills in, or another variable.
        if value.hasPrefix("vault:") || value.hasPrefix("bao:") { return false }
        if hasPassword(inAddress: value) || isPrivateKey(value) { return true }
        guard !placeholders.contains(value.lowercased()), !isReference(value) else {
            return false
        }
        return isAboutCredentials(name)
    }

    package static func isAboutCredentials(_ name: String) -> Bool {
        let parts = words(of: name)
        guard let last = parts.last, !pointers.contains(last) else { return false }
        if parts.contains(where: words.contains) { return true }
        return zip(parts, parts.dropFirst()).contains { pairs.contains("\($0) \($1)") }
    }

    /// `DB_PASSWORD`, `db.password`, `dbPassword` and `db-password` are DB and PASSWORD.
    private static func words(of name: String) -> [String] {
        var found: [String] = []
        var current = ""
        var wasLower = false
        for character in name {
            let isWord = character.isASCII && (character.isLetter || character.isNumber)
            if !isWord || character.isUppercase && wasLower {
                if !current.isEmpty { found.append(current) }
                current = ""
            }
            if isWord { current.append(contentsOf: character.uppercased()) }
            wasLower = character.isLowercase
        }
        return current.isEmpty ? found : found + [current]
    }

    /// `$(OTHER)` and nothing else.
    private static func isReference(_ value: String) -> Bool {
        value.hasPrefix("$(") && value.hasSuffix(")")
            && !value.dropFirst(2).dropLast().contains("(")
    }

    /// `scheme://user:password@host` (RFC 3986, section 3.2.1) with a password of its own.
    private static func hasPassword(inAddress value: String) -> Bool {
        guard let scheme = value.firstRange(of: "://") else { return false }
        let authority = value[scheme.upperBound...].prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@") else { return false }
        let user = authority[..<at]
        guard let colon = user.firstIndex(of: ":") else { return false }
        let password = String(user[user.index(after: colon)...])
        return !password.isEmpty && !isReference(password)
    }

    private static func isPrivateKey(_ value: String) -> Bool {
        value.contains("-----BEGIN ") && value.contains("PRIVATE KEY-----")
    }
}
