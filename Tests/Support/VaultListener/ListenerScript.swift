// SPDX-License-Identifier: Apache-2.0
package import LoopbackPKI
package import Simulation

/// What a listener is to serve, read from lines of text, so that shell scripts, the demo and the
/// guest of the VM tests can say it. Words are separated by single spaces; the last word of a
/// field takes the rest of its line, with `\n`, `\0` and `\\` as escapes.
///
///     port 8200                       listen here (default: a free port)
///     token-prefix PREFIX             start of issued tokens; stands before everything else
///     namespace NAME                  the lines after it are about this namespace
///     token TOKEN                     known, may read everything
///     expired-token TOKEN
///     kv1 MOUNT NAME FIELD=VALUE      one field; more lines add fields
///     kv2 MOUNT NAME FIELD=VALUE
///     kv2-deleted MOUNT NAME          marks the newest version
///     kv2-destroyed MOUNT NAME
///     filled MOUNT NAME FIELD BYTES   a KV v2 field of so many letters
///     approle ROLE-ID SECRET-ID       at auth/approle
///     kubernetes ROLE JWT             at auth/kubernetes
///     jwt ROLE JWT                    at auth/jwt
///     cert ROLE COMMON-NAME           at auth/cert; clients are asked for a certificate
///     wrapped ROLE-ID TOKEN           TOKEN stands for a new secret id of that AppRole role
///     login-life SECONDS SECONDS-MAX  of the tokens of logins that the lines after it describe
///     database MOUNT ROLE SECONDS SECONDS-MAX
///     pki MOUNT ROLE SECONDS SECONDS-MAX
///     transit MOUNT KEY
///     real-time                       the vault's time passes as the clock does
///     condition sealed|uninitialized|standby|rate-limited:SECONDS|rate-limited|failing:STATUS
///     condition redirecting:ORIGIN|invalid-json
///     fault only-tls11|truncated-body|short-body|silent|endless|closing
///     fault huge-body:BYTES|chunked:BYTES
///     certificate good|expired|other-host|other-authority
///     require-client-certificate
package struct ListenerScript: Sendable {
    /// Which certificate the server shows.
    package enum Certificate: String, Sendable {
        case good
        case expired
        case otherHost = "other-host"
        case otherAuthority = "other-authority"

        /// Makes it; the client is told to trust `pki`.
        package func identity(from pki: LoopbackPKI) throws -> Identity {
            switch self {
            case .good: try pki.server()
            case .expired: try pki.expiredServer()
            case .otherHost: try pki.otherHostServer()
            case .otherAuthority: try LoopbackPKI(commonName: "Another CA").server()
            }
        }
    }

    /// A line that says nothing known.
    package struct Failure: Error, CustomStringConvertible {
        /// From 1.
        package let line: Int
        package let text: String
        package var description: String { "line \(line): not understood: \(text)" }
    }

    package private(set) var vault = SimulatedVault()
    package private(set) var fault = TransportFault.none
    package private(set) var certificate = Certificate.good
    package private(set) var requiresClientCertificate = false
    package private(set) var asksForClientCertificate = false
    package private(set) var followsClock = false
    private var tokenLife: (seconds: Int, secondsMax: Int?) = (3600, nil)
    package private(set) var port: UInt16 = 0
    private var namespace = ""
    /// Fields gathered so far, by namespace, mount and name.
    private var fields: [String: [(name: String, value: SimulatedJSON)]] = [:]

    package init(_ text: String) throws(Failure) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let words = line.split(separator: " ", maxSplits: Self.hasFourWords(line) ? 4 : 3)
                .map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            guard apply(first, Array(words.dropFirst())) else {
                throw Failure(line: index + 1, text: first)
            }
        }
    }

    /// Starts the listener that the script describes.
    package func start() throws -> LoopbackVault {
        try LoopbackVault(
            vault: vault, fault: fault, requireClientCertificate: requiresClientCertificate,
            askForClientCertificate: asksForClientCertificate, followsClock: followsClock,
            port: port, identity: { try certificate.identity(from: $0) })
    }

    /// Returns whether the line was understood.
    private mutating func apply(_ keyword: String, _ words: [String]) -> Bool {
        switch (keyword, words.count) {
        case ("port", 1): return set(UInt16(words[0])) { $0.port = $1 }
        case ("token-prefix", 1): vault = SimulatedVault(tokenPrefix: words[0])
        case ("namespace", 1):
            namespace = words[0]
            if vault.namespaces[namespace] == nil { vault.namespaces[namespace] = .init() }
        case ("token", 1): vault.addToken(words[0], namespace: namespace)
        case ("expired-token", 1):
            vault.addToken(words[0], namespace: namespace, secondsToLive: 0)
        case ("kv1", 3), ("kv2", 3): return addField(keyword, words)
        case ("kv2-deleted", 2): mark(words, .deleted)
        case ("kv2-destroyed", 2): mark(words, .destroyed)
        case ("filled", 3): return addFilled(words)
        case ("approle", 2), ("kubernetes", 2), ("jwt", 2), ("cert", 2): addRole(keyword, words)
        case ("wrapped", 2):
            return vault.wrapSecretID(
                roleID: words[0], namespace: namespace, secondsToLive: 86_400, as: words[1])
                != nil
        case ("login-life", 2):
            guard let seconds = Int(words[0]) else { return false }
            tokenLife = (seconds, Int(words[1]))
        case ("database", 4), ("pki", 4): return addDynamic(keyword, words)
        case ("transit", 2): addTransit(words)
        case ("real-time", 0): followsClock = true
        case ("condition", 1): return set(Self.condition(words[0])) { $0.vault.condition = $1 }
        case ("fault", 1): return set(Self.fault(words[0])) { $0.fault = $1 }
        case ("certificate", 1):
            return set(Certificate(rawValue: words[0])) { $0.certificate = $1 }
        case ("require-client-certificate", 0): requiresClientCertificate = true
        default: return false
        }
        return true
    }

    private mutating func set<Value>(
        _ value: Value?, _ assign: (inout ListenerScript, Value) -> Void
    ) -> Bool {
        guard let value else { return false }
        assign(&self, value)
        return true
    }

    private mutating func addField(_ keyword: String, _ words: [String]) -> Bool {
        guard let equals = words[2].firstIndex(of: "=") else { return false }
        let value = words[2][words[2].index(after: equals)...]
        add(
            keyword, mount: words[0], name: words[1], field: String(words[2][..<equals]),
            value: Self.unescaped(value))
        return true
    }

    private mutating func addFilled(_ words: [String]) -> Bool {
        let parts = words[2].split(separator: " ")
        guard parts.count == 2, let count = Int(parts[1]), count >= 0 else { return false }
        add(
            "kv2", mount: words[0], name: words[1], field: String(parts[0]),
            value: String(repeating: "x", count: count))
        return true
    }

    private mutating func add(
        _ keyword: String, mount: String, name: String, field: String, value: String
    ) {
        if vault.namespaces[namespace]?.mounts[mount] == nil {
            vault.namespaces[namespace]?.mounts[mount] =
                keyword == "kv1" ? .keyValue1([:]) : .keyValue2([:])
        }
        let key = "\(namespace) \(mount) \(name)"
        fields[key, default: []].append((field, .string(value)))
        vault.put(mount: mount, name: name, fields: fields[key] ?? [], namespace: namespace)
    }

    private mutating func mark(_ words: [String], _ state: SimulatedVault.Version.State) {
        vault.mark(mount: words[0], name: words[1], state, namespace: namespace)
    }

    private mutating func addRole(_ keyword: String, _ words: [String]) {
        let role = SimulatedVault.Role(
            credentials: [words[1]], secondsToLive: tokenLife.seconds,
            maxSecondsToLive: tokenLife.secondsMax)
        let roles = [words[0]: role]
        asksForClientCertificate = asksForClientCertificate || keyword == "cert"
        let backend: SimulatedVault.AuthBackend =
            switch keyword {
            case "approle": .appRole(roles)
            case "kubernetes": .kubernetes(roles)
            case "cert": .certificate(roles)
            default: .jwt(roles)
            }
        vault.namespaces[namespace]?.authBackends[keyword] = backend
    }

    private mutating func addDynamic(_ keyword: String, _ words: [String]) -> Bool {
        guard let seconds = Int(words[2]), let secondsMax = Int(words[3]) else { return false }
        let role = SimulatedVault.DynamicRole(
            secondsToLive: seconds, maxSecondsToLive: secondsMax,
            grantsLease: keyword == "database")
        switch vault.namespaces[namespace]?.mounts[words[0]] {
        case .database(var roles):
            roles[words[1]] = role
            vault.mount(.database(roles), at: words[0], namespace: namespace)
        case .pki(var roles):
            roles[words[1]] = role
            vault.mount(.pki(roles), at: words[0], namespace: namespace)
        default:
            let roles = [words[1]: role]
            vault.mount(
                keyword == "pki" ? .pki(roles) : .database(roles), at: words[0],
                namespace: namespace)
        }
        return true
    }

    private mutating func addTransit(_ words: [String]) {
        var keys: [String: Int] = [:]
        if case .transit(let known) = vault.namespaces[namespace]?.mounts[words[0]] {
            keys = known
        }
        keys[words[1]] = 1
        vault.mount(.transit(keys), at: words[0], namespace: namespace)
    }

    private static func condition(_ word: String) -> SimulatedVault.Condition? {
        let (name, value) = split(word)
        switch (name, value) {
        case ("active", nil): return .active
        case ("sealed", nil): return .sealed
        case ("uninitialized", nil): return .uninitialized
        case ("standby", nil): return .standby
        case ("invalid-json", nil): return .invalidJSON
        case ("rate-limited", nil): return .rateLimited(retryAfterSeconds: nil)
        case ("rate-limited", let value?):
            return Int(value).map { .rateLimited(retryAfterSeconds: $0) }
        case ("failing", let value?): return Int(value).map { .failing(status: $0) }
        case ("redirecting", let value?): return .redirecting(origin: value)
        default: return nil
        }
    }

    private static func fault(_ word: String) -> TransportFault? {
        let (name, value) = split(word)
        switch (name, value) {
        case ("none", nil): return TransportFault.none
        case ("only-tls11", nil): return .onlyTLS11
        case ("truncated-body", nil): return .truncatedBody
        case ("short-body", nil): return .shortBody
        case ("silent", nil): return .silent
        case ("endless", nil): return .endless
        case ("closing", nil): return .closing
        case ("huge-body", let value?): return Int(value).map { .hugeBody(bytes: $0) }
        case ("chunked", let value?): return Int(value).map { .chunked(bytes: $0) }
        default: return nil
        }
    }

    /// Everywhere else the third word takes the rest of the line.
    private static func hasFourWords(_ line: Substring) -> Bool {
        line.hasPrefix("database ") || line.hasPrefix("pki ")
    }

    private static func split(_ word: String) -> (String, String?) {
        guard let colon = word.firstIndex(of: ":") else { return (word, nil) }
        return (String(word[..<colon]), String(word[word.index(after: colon)...]))
    }

    private static func unescaped(_ text: Substring) -> String {
        var result = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                switch character {
                case "n": result.append("\n")
                case "0": result.append("\0")
                default: result.append(character)
                }
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        return result
    }
}
