// SPDX-License-Identifier: Apache-2.0

/// Where requests go.
package struct ServerAddress: Sendable {
    /// `https://host:port` and a path, without a slash at the end.
    package let origin: String
    /// For failures.
    package let host: String
    /// Where a name that only the certificate has leads to.
    package let nameOverride: [String: String]

    package init(_ endpoint: ClusterEndpoint) throws(KubernetesFailure) {
        let scheme = "https://"
        guard endpoint.server.hasPrefix(scheme) else {
            throw .configurationInvalid(
                detail: "the API server's address does not begin with https://")
        }
        var rest = endpoint.server.dropFirst(scheme.count)
        while rest.last == "/" { rest = rest.dropLast() }
        let authority = rest.prefix { $0 != "/" }
        let isPlain = rest.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7F && !"?#@\\".utf8.contains(byte)
        }
        guard !authority.isEmpty, isPlain else {
            throw .configurationInvalid(
                detail: "the API server's address is not of the form https://host:port")
        }
        let name = Self.host(of: authority)
        host = name
        guard let serverName = endpoint.serverName, serverName != name else {
            origin = scheme + rest
            nameOverride = [:]
            return
        }
        origin = scheme + serverName + rest.dropFirst(name.count)
        nameOverride = [serverName: name]
    }

    /// Without the port; `[::1]` keeps its brackets.
    private static func host(of authority: Substring) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[...end])
        }
        return String(authority.prefix { $0 != ":" })
    }
}
