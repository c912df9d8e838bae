// SPDX-License-Identifier: Apache-2.0

/// A repository at a server, by the server's own name.
package struct RegistryRepository: Sendable, Hashable {
    /// `host` or `host:port`.
    package let host: String
    package let name: String

    package init(host: String, name: String) {
        self.host = host
        self.name = name
    }
}

/// A server that has the images of a registry.
package struct RegistryMirror: Sendable, Hashable {
    package let host: String
    /// Before the names of repositories; empty: nothing.
    package let folder: String
    /// Without TLS, as its address says.
    package let isInsecure: Bool
}

/// Which servers are asked for the images of a registry, before the registry itself.
package struct RegistryMirrors: Sendable, Equatable {
    package struct Failure: Error, Sendable, Equatable {
        package let reason: String
    }

    /// Where an image is looked for.
    package struct Place: Sendable, Hashable {
        package let repository: RegistryRepository
        /// By what name credentials for it are found.
        package let credentialHost: String
    }

    private var byHost: [String: [RegistryMirror]] = [:]
    /// Docker Hub's registry has another address than its images have in their names.
    private static let addresses = [ImageReference.hub: "registry-1.docker.io"]

    package init() {}

    /// - Parameter rules: `docker.io=https://mirror.example.eu/hub`; several for one host are asked
    ///   in their order.
    package init(_ rules: [String]) throws(Failure) {
        guard rules.count <= ImageLimits.mirrorsMax else {
            throw Failure(reason: "there are more than \(ImageLimits.mirrorsMax) mirrors")
        }
        for rule in rules {
            let parts = rule.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, ImageReference.isHost(parts[0]),
                let mirror = Self.mirror(parts[1])
            else {
                throw Failure(
                    reason: "'\(rule)' is no mirror; write HOST=https://MIRROR or "
                        + "HOST=https://MIRROR/FOLDER")
            }
            byHost[String(parts[0]), default: []].append(mirror)
        }
    }

    private static func mirror(_ address: Substring) -> RegistryMirror? {
        let isInsecure = address.hasPrefix("http://")
        guard isInsecure || address.hasPrefix("https://") else { return nil }
        var rest = address.dropFirst(isInsecure ? 7 : 8)
        if rest.last == "/" { rest = rest.dropLast() }
        let host = rest.prefix { $0 != "/" }
        let folder = rest.dropFirst(host.count + 1)
        guard ImageReference.isHost(host), folder.isEmpty || ImageReference.isRepository(folder)
        else { return nil }
        return RegistryMirror(
            host: String(host), folder: folder.isEmpty ? "" : folder + "/", isInsecure: isInsecure)
    }

    /// Where to ask, in this order.
    package func places(of image: ImageReference) -> [Place] {
        var places = (byHost[image.host] ?? []).map { mirror in
            Place(
                repository: RegistryRepository(
                    host: mirror.host, name: mirror.folder + image.repository),
                credentialHost: mirror.host)
        }
        places.append(
            Place(
                repository: RegistryRepository(
                    host: Self.addresses[image.host] ?? image.host, name: image.repository),
                credentialHost: image.host))
        return places
    }

    /// Hosts that their address names without TLS.
    package var insecureHosts: Set<String> {
        Set(byHost.values.joined().filter(\.isInsecure).map(\.host))
    }
}
