// SPDX-License-Identifier: Apache-2.0
package import Destinations

/// Where protected workloads are to get to.
package struct EgressSettings: Sendable {
    package enum NameService: String, Sendable, CaseIterable {
        case kubeDNS = "kube-dns"
        case nodeLocal = "node-local"
        case openShift = "openshift"
    }

    package enum Failure: Error, Sendable, Equatable {
        case address
        case needsNetwork(host: String)
        case network(String)
        /// Of every address there is: no policy would be left of it.
        case everything(String)

        package var message: String {
            switch self {
            case .address: "--vault-address is not https://host[:port]"
            case .needsNetwork(let host):
                "a NetworkPolicy cannot name the host \(host): give its network with --vault-cidr, "
                    + "an address in digits, or --cilium where Cilium enforces policies"
            case .network(let text): "\(text) is no network in digits, like 10.0.0.0/24"
            case .everything(let text): "\(text) is every address: name the vault's or the store's"
            }
        }
    }

    package let vaultPort: Int
    /// Addresses of the vault; empty only with `vaultHost`.
    package let vault: [NetworkPrefix]
    /// To be named in a policy of Cilium's; nil: none was asked for, or it is in digits.
    package let vaultHost: String?
    package let upstream: [NetworkPrefix]
    package let upstreamPort: Int
    package let names: NameService
    /// Whether policies of Cilium's are wanted.
    package let isForCilium: Bool

    package init(
        vaultAddress: String, vaultNetworks: [String] = [], upstreamNetworks: [String] = [],
        upstreamPort: Int = 443, names: NameService = .kubeDNS, isForCilium: Bool = false
    ) throws(Failure) {
        let (host, port) = try Self.parts(of: vaultAddress)
        var networks = try Self.networks(vaultNetworks)
        var name: String?
        if let address = try? NetworkPrefix(host) {
            networks = Self.ordered(networks + [address])
        } else {
            name = isForCilium ? host : nil
            guard isForCilium || !networks.isEmpty else { throw .needsNetwork(host: host) }
        }
        vault = networks
        vaultHost = name
        vaultPort = port
        upstream = try Self.networks(upstreamNetworks)
        self.upstreamPort = upstreamPort
        self.names = names
        self.isForCilium = isForCilium
    }

    private static func networks(_ texts: [String]) throws(Failure) -> [NetworkPrefix] {
        var found: [NetworkPrefix] = []
        for text in texts {
            guard let prefix = try? NetworkPrefix(text) else { throw .network(text) }
            guard prefix.length > 0 else { throw .everything(text) }
            found.append(prefix)
        }
        return ordered(found)
    }

    private static func ordered(_ networks: [NetworkPrefix]) -> [NetworkPrefix] {
        Set(networks).sorted { $0.text < $1.text }
    }

    /// `https://host[:port]` with an IPv6 address in brackets; a path behind it does not count.
    private static func parts(of address: String) throws(Failure) -> (host: String, port: Int) {
        let scheme = "https://"
        guard address.lowercased().hasPrefix(scheme) else { throw .address }
        let authority = address.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
        var host = authority
        var port = 443
        let colon: Substring.Index?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw .address }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":"), (try? NetworkPrefix(String(host))) != nil
            else { throw .address }
            colon = rest.isEmpty ? nil : rest.startIndex
        } else {
            colon = authority.lastIndex(of: ":")
            if let colon { host = authority[..<colon] }
        }
        if let colon {
            guard
                let number = Decimal.number(
                    authority[authority.index(after: colon)...], max: 65_535),
                number > 0
            else { throw .address }
            port = number
        }
        let isPlain = host.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte) || ".-:_".utf8.contains(byte)
        }
        guard !host.isEmpty, isPlain else { throw .address }
        return (host.lowercased(), port)
    }
}
