// SPDX-License-Identifier: Apache-2.0

/// Why a text names no image that can be looked up.
package struct ImageReferenceFailure: Error, Sendable, Equatable {
    /// Without the text itself.
    package let reason: String
}

/// The name of an image, as a container has it. Short names become those of Docker Hub, as
/// container runtimes have it (https://github.com/distribution/reference, `ParseDockerRef`).
package struct ImageReference: Sendable, Hashable, CustomStringConvertible {
    /// Which of a repository's manifests.
    package enum Selector: Sendable, Hashable, CustomStringConvertible {
        case tag(String)
        case digest(ImageDigest)

        /// As a path of the registry's API has it.
        package var description: String {
            switch self {
            case .tag(let tag): tag
            case .digest(let digest): digest.description
            }
        }
    }

    /// `docker.io`, `registry.example.eu:5000`, `[::1]:5000`.
    package let host: String
    /// `library/debian`.
    package let repository: String
    /// The digest where there is one: a tag beside it does not count.
    package let selector: Selector

    package static let hub = "docker.io"
    static let formerHub = "index.docker.io"
    static let hubFolder = "library/"
    static let defaultTag = "latest"

    package init(_ text: String) throws(ImageReferenceFailure) {
        var rest = Substring(text)
        var digest: ImageDigest?
        if let mark = rest.firstIndex(of: "@") {
            digest = ImageDigest(rest[rest.index(after: mark)...])
            guard digest != nil else { throw Self.failure("its digest is no sha256") }
            rest = rest[..<mark]
        }
        let (host, name) = Self.split(rest)
        rest = name
        var tag: Substring?
        if let mark = rest.firstIndex(of: ":") {
            tag = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        if let tag, !Self.isTag(tag) { throw Self.failure("its tag is none") }
        let repository =
            host == Self.hub && !rest.contains("/") ? Self.hubFolder + rest : String(rest)
        guard repository.utf8.count <= ImageLimits.repositoryBytesMax else {
            throw Self.failure("its name is longer than \(ImageLimits.repositoryBytesMax) bytes")
        }
        guard Self.isRepository(repository) else {
            throw Self.failure("its name is not made of lower-case parts between slashes")
        }
        // A bare number of 64 digits is an image's ID, which no registry knows.
        guard text.utf8.count != ImageDigest.digitCount || ImageDigest("sha256:" + text) == nil
        else { throw Self.failure("it is an ID, not a name") }
        guard Self.isHost(host) else { throw Self.failure("its registry is no host") }
        self.host = host
        self.repository = repository
        selector = digest.map { .digest($0) } ?? .tag(tag.map { String($0) } ?? Self.defaultTag)
    }

    package var description: String {
        switch selector {
        case .tag(let tag): "\(host)/\(repository):\(tag)"
        case .digest(let digest): "\(host)/\(repository)@\(digest)"
        }
    }

    private static func failure(_ reason: String) -> ImageReferenceFailure {
        ImageReferenceFailure(reason: reason)
    }

    // MARK: - Grammar

    /// What is before the first slash is a host when it cannot be part of a name on Docker Hub.
    private static func split(_ text: Substring) -> (host: String, name: Substring) {
        guard let slash = text.firstIndex(of: "/") else { return (hub, text) }
        let first = text[..<slash]
        let name = text[text.index(after: slash)...]
        if first == formerHub { return (hub, name) }
        let isHost =
            first == "localhost" || first.contains(".") || first.contains(":")
            || first.utf8.contains { (0x41...0x5A).contains($0) }
        return isHost ? (String(first), name) : (hub, text)
    }

    static func isTag(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= ImageLimits.tagBytesMax else { return false }
        return (isLetterOrDigit(first) || first == UInt8(ascii: "_"))
            && bytes.allSatisfy { isLetterOrDigit($0) || "_.-".utf8.contains($0) }
    }

    /// Parts of lower-case letters and digits, between which stand `.`, `_`, `__` or dashes.
    package static func isRepository(_ text: some StringProtocol) -> Bool {
        text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
            var separator: [UInt8] = []
            var isEmpty = true
            for byte in part.utf8 {
                if isLetterOrDigit(byte), !(0x41...0x5A).contains(byte) {
                    guard isEmpty ? separator.isEmpty : isSeparator(separator) else {
                        return false
                    }
                    isEmpty = false
                    separator = []
                } else {
                    separator.append(byte)
                }
            }
            return !isEmpty && separator.isEmpty
        }
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        switch bytes {
        case [], [UInt8(ascii: ".")], [UInt8(ascii: "_")],
            [UInt8(ascii: "_"), UInt8(ascii: "_")]:
            true
        default: bytes.allSatisfy { $0 == UInt8(ascii: "-") }
        }
    }

    /// A name of DNS, an IPv4 address or an IPv6 address in brackets; a port behind it.
    package static func isHost(_ text: some StringProtocol) -> Bool {
        guard text.utf8.count <= ImageLimits.hostBytesMax else { return false }
        var name = text[...]
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return false }
            let address = name[..<end].dropFirst()
            let isAddress =
                address.contains(":")
                && address.utf8.allSatisfy { isHexDigit($0) || $0 == UInt8(ascii: ":") }
            let rest = name[name.index(after: end)...]
            return isAddress && (rest.isEmpty || (rest.first == ":" && isPort(rest.dropFirst())))
        }
        if let colon = name.firstIndex(of: ":") {
            guard isPort(name[name.index(after: colon)...]) else { return false }
            name = name[..<colon]
        }
        return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && part.first != "-" && part.last != "-"
                && part.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isPort(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt16(text).map { $0 > 0 } == true
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte)
            || (0x61...0x66).contains(byte)
    }
}
