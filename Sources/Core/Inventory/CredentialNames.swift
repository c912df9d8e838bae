// SPDX-License-Identifier: Apache-2.0

/// Whether an entry looks like a credential, by its name and by the shape of its value. A guess:
/// it misses what is called otherwise, and may take a harmless entry for one.
package enum CredentialNames {
    /// Words of a name, in upper case, that are about credentials.
    private static let words: Set = [
        "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "PWD", "SECRET", "SECRETS", "TOKEN", "APIKEY",
        "CREDENTIAL", "CREDENTIALS", "SECRETKEY", "ACCESSKEY", "PRIVATEKEY", "APITOKEN",
        "AUTHTOKEN", "ACCESSTOKEN", "PGPASS", "DBPASS", "DBPWD", "PASSWORT", "KENNWORT", "PSWD",
    ]
    /// What such words end in when they are written together with another: `DBPASSWORD`.
    private static let endings = ["PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY"]
    /// Two words that are about credentials together.
    private static let pairs: Set = [
        "API KEY", "ACCESS KEY", "PRIVATE KEY", "SIGNING KEY", "ENCRYPTION KEY", "AUTH KEY",
        "ACCOUNT KEY", "LICENSE KEY", "SAS KEY", "APP KEY", "MASTER KEY", "STORAGE KEY",
        "SHARED KEY", "SUBSCRIPTION KEY", "SSH KEY", "ERLANG COOKIE", "BASIC AUTH",
    ]
    /// What a name ends in that says where a credential is, and not what it is.
    private static let pointers: Set = [
        "FILE", "PATH", "DIR", "NAME", "URL", "URI", "HOST", "ENABLED", "TTL", "SECONDS", "LENGTH",
        "TYPE", "ID", "ROLE", "ISSUER", "ENDPOINT", "VERSION", "POLICY", "HEADER", "ALGORITHM",
        "EXPIRY", "MINUTES", "HOURS", "DAYS", "SIZE", "COUNT", "REF",
        "STDIN", "ENV", "PATHS", "FILES", "NAMES", "NAMESPACE", "LIMIT", "MIN", "MAX", "EXPIRES",
        "EXPIRATION", "TIMEOUT", "LIFETIME", "DURATION", "INTERVAL", "AGE", "ALGO", "LOCATION",
        "AUDIENCE", "SCOPE", "SCOPES", "PREFIX", "SUFFIX", "FORMAT", "MODE", "PROVIDER", "BACKEND",
        "MOUNT", "DIRECTORY", "FOLDER", "REGEX", "PATTERN", "CLASS", "KIND", "LABEL", "FIELD",
        "COMMAND", "CMD", "SCRIPT", "REQUIRED", "DISABLED", "ADDRESS", "ADDR", "SERVER", "PORT",
        "STRENGTH", "ROUNDS", "RETRIES",
    ]
    /// Values that no credential is.
    private static let placeholders: Set = [
        "", "true", "false", "none", "null", "0", "1", "yes", "no", "on", "off", "enabled",
        "disabled", "required", "optional",
    ]
    /// Words of names that count something: their digits are no credential.
    private static let counts: Set = ["MAX", "MIN", "NUM", "COUNT", "LIMIT"]

    package static func isCredential(name: String, value: String) -> Bool {
        // What a vault fills in, or another variable.
        if value.hasPrefix("vault:") || value.hasPrefix("bao:") { return false }
        if CredentialShapes.isCredential(value) { return true }
        guard value.utf8.count > longest || !placeholders.contains(value.lowercased()),
            !CredentialShapes.isReference(value), isAboutCredentials(name)
        else { return false }
        let parts = words(of: name)
        // A shell's working directory.
        if ["PWD", "OLDPWD"].contains(parts.first), parts.count == 1 {
            return !value.hasPrefix("/")
        }
        return !(parts.contains(where: counts.contains) && value.allSatisfy(\.isNumber))
    }

    package static func isAboutCredentials(_ name: String) -> Bool {
        let parts = words(of: name)
        guard let last = parts.last, !pointers.contains(last) else { return false }
        // EXISTING_SECRET, pullSecret: the name of one.
        if parts.count > 1, last == "SECRET", namers.contains(parts[parts.count - 2]) {
            return false
        }
        if parts.contains(where: isWord) { return true }
        return zip(parts, parts.dropFirst()).contains { pairs.contains("\($0) \($1)") }
    }

    private static let namers: Set = ["EXISTING", "PULL"]
    /// Bytes of the longest of the placeholders.
    private static let longest = 8

    /// Numbers behind it do not count: `PASSWORD2`.
    private static func isWord(_ part: String) -> Bool {
        var part = part[...]
        while part.last?.isNumber == true { part.removeLast() }
        return words.contains(String(part)) || endings.contains { part.hasSuffix($0) }
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
}
