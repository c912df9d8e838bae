// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import Ports
internal import SocketAddresses

/// Resolves host names without the C library's resolver, which in a static binary would load
/// modules of whatever system it runs on: numeric addresses, the hosts file, then DNS as
/// resolv.conf(5) says. Works in an empty chroot for numeric addresses.
package struct NameResolver: Sendable {
    /// Inputs, so that tests can give their own.
    package struct Sources: Sendable {
        package var hostsFile = "/etc/hosts"
        package var configurationFile = "/etc/resolv.conf"
        /// Where name servers listen.
        package var port: UInt16 = 53

        package init() {}
    }

    private let sources: Sources

    package init(sources: Sources = Sources()) { self.sources = sources }

    /// Addresses of `host`, in the order to try them; not empty.
    func addresses(
        of host: String, port: UInt16, deadline: Deadline
    ) throws(SecretStoreFailure) -> [SocketAddress] {
        if let numeric = SocketAddress(numeric: host, port: port) { return [numeric] }
        var found = HostsFile.addresses(
            of: host, port: port, in: SmallTextFile.lines(sources.hostsFile))
        if found.isEmpty {
            let configuration = ResolverConfiguration(
                lines: SmallTextFile.lines(sources.configurationFile))
            found = try DNSClient(configuration: configuration, serverPort: sources.port)
                .addresses(of: host, port: port, deadline: deadline)
        }
        guard !found.isEmpty else { throw .nameNotResolved(host: host) }
        return found
    }
}

/// hosts(5).
enum HostsFile {
    static func addresses(of host: String, port: UInt16, in lines: [String]) -> [SocketAddress] {
        let wanted = normalized(host[...])
        return lines.compactMap { line in
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
            guard let first = words.first,
                words.dropFirst().contains(where: { normalized($0) == wanted })
            else { return nil }
            return SocketAddress(numeric: String(first), port: port)
        }
    }

    private static func normalized(_ name: Substring) -> String {
        var lower = name.lowercased()
        if lower.hasSuffix(".") { lower.removeLast() }
        return lower
    }
}

/// Reads small public files.
enum SmallTextFile {
    private static let bytesMax = 1 << 20

    /// Empty when the file is missing or unreadable: a container may have none.
    static func lines(_ path: String) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while bytes.count < bytesMax {
            let count = read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes.append(contentsOf: part.prefix(count))
        }
        return String(decoding: bytes, as: UTF8.self)
            .split(whereSeparator: \.isNewline).map(String.init)
    }
}
