// SPDX-License-Identifier: Apache-2.0
internal import Destinations

/// Where an agent's observation port is: an address in digits, so that no name is looked up.
package struct NodeAddress: Sendable, Hashable, CustomStringConvertible {
    /// Of `cloudtaser-agent run --listen`.
    package static let usualPort = 9464
    private static let ports = 1...65_535

    /// As it was given: IPv4, or IPv6 without brackets and zone.
    package let host: String
    package let port: Int

    /// nil: no address in digits, or no port.
    package init?(_ host: String, port: Int = Self.usualPort) {
        guard Self.ports.contains(port), !host.contains("/"),
            (try? NetworkPrefix(host)) != nil
        else { return nil }
        self.host = host
        self.port = port
    }

    /// As the authority of a URL (RFC 3986, section 3.2).
    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
