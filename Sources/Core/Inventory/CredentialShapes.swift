// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Values that are credentials by their shape, whatever they are called. A guess, as all of
/// `CredentialNames`.
enum CredentialShapes {
    static func isCredential(_ value: String) -> Bool {
        hasPassword(inAddress: value) || isPrivateKey(value) || isIssued(value)
            || isConnection(value) || hasPassword(inQuery: value)
    }

    /// Only what something else fills in: `$(OTHER)`, `${OTHER}`, `$(A)$(B)`, `{{ .value }}`,
    /// `<your-password>`.
    static func isReference(_ value: some StringProtocol) -> Bool {
        if value.hasPrefix("<"), value.hasSuffix(">") { return true }
        var rest = Substring(value)
        guard !rest.isEmpty else { return false }
        while !rest.isEmpty {
            let ends = [("$(", ")"), ("${", "}"), ("{{", "}}")]
            guard let (start, end) = ends.first(where: { rest.hasPrefix($0.0) }),
                let close = rest.dropFirst(start.count).firstRange(of: end)
            else { return false }
            rest = rest[close.upperBound...]
        }
        return true
    }

    /// `scheme://user:password@host` (RFC 3986, section 3.2.1) with a password of its own.
    private static func hasPassword(inAddress value: String) -> Bool {
        guard let scheme = value.firstRange(of: "://") else { return false }
        let authority = value[scheme.upperBound...].prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@") else { return false }
        let user = authority[..<at]
        guard let colon = user.firstIndex(of: ":") else { return isIssued(String(user)) }
        let password = user[user.index(after: colon)...]
        return !password.isEmpty && !isReference(password)
    }

    private static func isPrivateKey(_ value: String) -> Bool {
        if value.contains("-----BEGIN "), value.contains("PRIVATE KEY-----") { return true }
        // "-----BEGIN" in base64; the words behind it are in the first 42 bytes.
        guard value.hasPrefix("LS0tLS1CRUdJTi"),
            let start = Base64.decoded(String(value.prefix(56)))
        else { return false }
        return String(decoding: start, as: UTF8.self).contains("PRIVATE KEY-----")
    }

    // MARK: - Tokens that their issuers mark

    /// What tokens begin with, and how many characters there are behind it at least. Of GitHub,
    /// GitLab, Slack, Stripe, Google, npm, PyPI, SendGrid, DigitalOcean, HashiCorp Vault, OpenBao.
    private static let prefixes: [(String, Int)] = [
        ("ghp_", 30), ("gho_", 30), ("ghu_", 30), ("ghs_", 30), ("ghr_", 30),
        ("github_pat_", 40), ("glpat-", 18), ("xoxb-", 20), ("xoxp-", 20), ("xoxa-", 20),
        ("xoxr-", 20), ("xoxs-", 20), ("sk_live_", 16), ("rk_live_", 16), ("AIza", 35),
        ("ya29.", 20), ("npm_", 30), ("pypi-AgE", 20), ("SG.", 40), ("dop_v1_", 60),
        ("hvs.", 20), ("hvb.", 20), ("sk-ant-", 20), ("sk-proj-", 20),
    ]

    private static func isIssued(_ value: String) -> Bool {
        let token = value.hasPrefix("Bearer ") ? String(value.dropFirst(7)) : value
        guard token.utf8.count < 10_000, token.utf8.allSatisfy(isTokenByte) else { return false }
        return isWebToken(token)
            || prefixes.contains { token.hasPrefix($0.0) && token.utf8.count >= $0.0.count + $0.1 }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte) || "-_.".utf8.contains(byte)
    }

    /// A signed JSON Web Token (RFC 7515): two objects and a signature, each in base64url.
    private static func isWebToken(_ token: String) -> Bool {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0].hasPrefix("eyJ") && parts[1].hasPrefix("eyJ")
            && parts[2].count >= 16
    }

    // MARK: - Settings in one value

    /// Names that hold a password in connection strings and queries, in lower case, letters alone.
    private static let secretNames: Set = [
        "password", "pwd", "passwd", "accountkey", "sharedaccesskey", "sharedaccesssignature",
        "sharedsecret", "accesstoken", "apikey", "clientsecret",
    ]

    private static func isSecret(_ pair: Substring) -> Bool {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return false }
        let name = parts[0].lowercased().filter(\.isLetter)
        let value = parts[1].filter { !"'\"".contains($0) }
        return secretNames.contains(name) && !value.isEmpty && !isReference(value)
            && !value.hasPrefix("$") && !value.hasPrefix("%")
    }

    /// `Server=…;User Id=…;Password=…` (ADO.NET, Azure), `host=… user=… password=…` (libpq).
    private static func isConnection(_ value: String) -> Bool {
        guard value.utf8.count < 10_000, value.contains("="), !value.contains("\n") else {
            return false
        }
        return [";", " "].contains { (separator: Character) in
            let pairs = value.split(separator: separator).filter { $0.contains("=") }
            return pairs.count > 1 && pairs.contains(where: isSecret)
        }
    }

    /// `jdbc:mysql://host/db?user=u&password=p`.
    private static func hasPassword(inQuery value: String) -> Bool {
        guard value.utf8.count < 10_000, value.contains("://"),
            let mark = value.firstIndex(of: "?")
        else { return false }
        return value[value.index(after: mark)...].split { "&;".contains($0) }
            .contains(where: isSecret)
    }
}

/// Files in ConfigMaps: properties, YAML, JSON, shell.
enum CredentialFiles {
    /// Lines that are looked at.
    static let linesMax = 20_000

    /// Whether a line sets something that is called like a credential, or holds one by its shape.
    static func haveCredential(_ text: String) -> Bool {
        guard text.contains("\n") || text.hasPrefix("{") else { return false }
        return text.split(whereSeparator: \.isNewline).prefix(linesMax)
            .contains { line in entries(of: line).contains(where: isCredential) }
    }

    private static func entries(of line: Substring) -> [Substring] {
        let start = line.drop { $0 == " " || $0 == "\t" }
        guard let first = start.first, !"#;".contains(first), !start.hasPrefix("//") else {
            return []
        }
        // Of JSON a line may be the whole of it.
        return start.contains("{") || start.first == "\""
            ? start.split { "{},".contains($0) } : [start]
    }

    private static func isCredential(_ entry: Substring) -> Bool {
        guard let mark = entry.firstIndex(where: { $0 == "=" || $0 == ":" }) else { return false }
        let name = plain(entry[..<mark])
        let value = plain(entry[entry.index(after: mark)...])
        // Prose has blanks; a path and a name with more than words are no settings.
        guard !value.isEmpty, !value.contains(" "), !name.isEmpty, name.utf8.count <= 100,
            !name.contains(" "), !value.hasPrefix("/"), !value.hasPrefix("$"),
            !value.hasPrefix("%"), !value.hasPrefix("[")
        else { return false }
        return CredentialNames.isCredential(name: name, value: value)
    }

    /// Without quotes, the mark of a list and `export`.
    private static func plain(_ text: Substring) -> String {
        let bare = text.filter { !"\"',".contains($0) }.drop { " -\t".contains($0) }
        let words = bare.split(separator: " ")
        return (words.first == "export" ? words.dropFirst() : words[...]).joined(separator: " ")
    }
}
