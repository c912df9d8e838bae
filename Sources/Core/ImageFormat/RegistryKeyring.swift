// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// A user of a registry. Never described.
package struct RegistryCredential: Sendable, Hashable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    package let user: String
    package let password: String

    package init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// What stands behind `Basic` (RFC 7617).
    package var basic: String { Base64.encoded(Array("\(user):\(password)".utf8)) }

    package var description: String { "(registry credential)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// Why a file holds no credentials, without anything of its content.
package struct RegistryKeyringFailure: Error, Sendable, Equatable {
    package let reason: String
}

/// The credentials of `kubernetes.io/dockerconfigjson` files, matched to images as the kubelet
/// does: by host, whose parts may have `*`, and by a path before the repository's name
/// (https://kubernetes.io/docs/concepts/containers/images/#config-json).
package struct RegistryKeyring: Sendable, Equatable {
    private struct Entry: Sendable, Equatable {
        /// `host/path` without a scheme and without `/v1/` or `/v2/`.
        let key: String
        let credential: RegistryCredential
    }

    /// The most specific first.
    private let entries: [Entry]

    package static let empty = RegistryKeyring(entries: [])

    private init(entries: [Entry]) { self.entries = entries }

    /// - Parameter files: their content, in the order in which credentials are tried.
    package init(_ files: [[UInt8]]) throws(RegistryKeyringFailure) {
        var entries: [Entry] = []
        for file in files { entries += try Self.entries(of: file) }
        // Stable: those of one key stay in the order of the files.
        let ranked = entries.enumerated().sorted {
            $0.element.key == $1.element.key
                ? $0.offset < $1.offset : $0.element.key > $1.element.key
        }
        self.entries = ranked.map(\.element)
    }

    /// All that match, each once, in the order in which they are to be tried.
    ///
    /// - Parameter host: as an image's name has it, not the address that stands for it.
    package func credentials(host: String, repository: String) -> [RegistryCredential] {
        var found: [RegistryCredential] = []
        for entry in entries where Self.matches(entry.key, host, "/" + repository) {
            if !found.contains(entry.credential) { found.append(entry.credential) }
        }
        if found.isEmpty, host == ImageReference.hub {
            // What `docker login` writes.
            for entry in entries where entry.key == ImageReference.formerHub {
                if !found.contains(entry.credential) { found.append(entry.credential) }
            }
        }
        return found
    }

    // MARK: - Files

    private static func entries(of file: [UInt8]) throws(RegistryKeyringFailure) -> [Entry] {
        guard file.count <= ImageLimits.credentialBytesMax else {
            throw failure("is larger than \(ImageLimits.credentialBytesMax) bytes")
        }
        guard let root = try? JSONTree(file) else { throw failure("is no JSON") }
        guard let auths = root["auths"]?.members else {
            throw failure("has no object 'auths', as kubernetes.io/dockerconfigjson has")
        }
        guard auths.count <= ImageLimits.credentialEntriesMax else {
            throw failure("has more than \(ImageLimits.credentialEntriesMax) registries")
        }
        var entries: [Entry] = []
        for (index, member) in auths.enumerated() {
            guard let key = key(of: member.name) else {
                throw failure("has an entry (number \(index + 1)) that names no registry")
            }
            guard let credential = credential(member.value) else {
                throw failure(
                    "has an entry (number \(index + 1)) without auth, or user name and password")
            }
            entries.append(Entry(key: key, credential: credential))
        }
        return entries
    }

    private static func key(of location: String) -> String? {
        var rest = Substring(location)
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
        }
        let host = rest.prefix { $0 != "/" }
        var path = rest[host.endIndex...]
        for version in ["/v1/", "/v2/"] where path.hasPrefix(version) {
            path = path.dropFirst(version.count - 1)
        }
        guard !host.isEmpty else { return nil }
        return String(host) + (path == "/" ? "" : path)
    }

    private static func credential(_ entry: JSONTree) -> RegistryCredential? {
        if let auth = entry["auth"]?.text, !auth.isEmpty {
            // Some tools leave the padding out.
            let padding = String(repeating: "=", count: (4 - auth.utf8.count % 4) % 4)
            guard let bytes = Base64.decoded(auth + padding),
                let text = String(validating: bytes, as: UTF8.self),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            let password = text[text.index(after: colon)...].filter { $0 != "\0" }
            return RegistryCredential(user: String(text[..<colon]), password: password)
        }
        guard let user = entry["username"]?.text, let password = entry["password"]?.text,
            !user.isEmpty, !user.contains(":")
        else { return nil }
        return RegistryCredential(user: user, password: password)
    }

    private static func failure(_ reason: String) -> RegistryKeyringFailure {
        RegistryKeyringFailure(reason: reason)
    }

    // MARK: - Matching

    private static func matches(_ key: String, _ host: String, _ path: String) -> Bool {
        let wantedHost = key.prefix { $0 != "/" }
        guard path.hasPrefix(key[wantedHost.endIndex...]) else { return false }
        if wantedHost == host { return true }
        let (wantedName, wantedPort) = split(wantedHost)
        let (name, port) = split(Substring(host))
        let wantedParts = wantedName.split(separator: ".", omittingEmptySubsequences: false)
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return wantedPort == port && wantedParts.count == parts.count
            && zip(wantedParts, parts).allSatisfy { matchesPart($0, $1) }
    }

    private static func split(_ host: Substring) -> (name: Substring, port: Substring) {
        guard !host.hasPrefix("["), let colon = host.lastIndex(of: ":") else { return (host, "") }
        return (host[..<colon], host[host.index(after: colon)...])
    }

    /// `*` is whatever there is, also nothing.
    private static func matchesPart(_ pattern: Substring, _ part: Substring) -> Bool {
        let pieces = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard pieces.count > 1, let first = pieces.first, let last = pieces.last else {
            return pattern == part
        }
        guard part.hasPrefix(first) else { return false }
        var rest = part.dropFirst(first.count)
        for piece in pieces.dropFirst().dropLast() {
            guard let range = rest.firstRange(of: piece) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(last)
    }
}
