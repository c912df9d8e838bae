// SPDX-License-Identifier: Apache-2.0
internal import Foundation
package import KubernetesPorts

/// How a pod reaches the API server of its own cluster
/// (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/).
package enum InClusterConfiguration {
    /// Where the kubelet projects `token`, `ca.crt` and `namespace`.
    package static let directory = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// - Parameter environment: of the process; `KUBERNETES_SERVICE_HOST` and `…_PORT` are read.
    /// - Throws: `configurationInvalid` outside of a cluster, `credentialUnavailable`.
    package static func load(
        environment: [String: String], directory: String = Self.directory
    ) throws(KubernetesFailure) -> (ClusterEndpoint, any ClusterCredentials) {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT"], UInt16(port) != nil
        else {
            throw .configurationInvalid(
                detail: "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is "
                    + "no pod of a cluster; name a kubeconfig")
        }
        let authorities = try CredentialFile.read(directory + "/ca.crt")
        // An IPv6 address stands in brackets before a port.
        let name = host.contains(":") ? "[\(host)]" : host
        let namespace = try CredentialFile.text(directory + "/namespace")
        let credentials = TokenFileCredentials(path: directory + "/token")
        _ = try credentials.read()
        return (
            ClusterEndpoint(
                server: "https://\(name):\(port)", authorities: authorities, namespace: namespace),
            credentials
        )
    }
}

/// A bearer token that somebody renews in a file. It is read before each call: the kubelet
/// replaces it long before it expires, and a read of a small file costs less than a call.
package struct TokenFileCredentials: ClusterCredentials {
    private let path: String

    package init(path: String) { self.path = path }

    package func current(isRefused: Bool) async throws(KubernetesFailure) -> ClusterCredential {
        try read()
    }

    func read() throws(KubernetesFailure) -> ClusterCredential {
        ClusterCredential(bearerToken: try CredentialFile.text(path))
    }
}

/// A credential that does not change.
package struct FixedCredentials: ClusterCredentials {
    private let credential: ClusterCredential

    package init(_ credential: ClusterCredential) { self.credential = credential }

    package func current(isRefused: Bool) async throws(KubernetesFailure) -> ClusterCredential {
        credential
    }
}

/// Small files whose content nobody prints.
enum CredentialFile {
    static let bytesMax = 1 << 20

    static func read(_ path: String) throws(KubernetesFailure) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .credentialUnavailable(detail: "\(path) cannot be read")
        }
        guard !data.isEmpty, data.count <= bytesMax else {
            throw .credentialUnavailable(detail: "\(path) is empty or larger than 1 MiB")
        }
        return Array(data)
    }

    /// One line of visible ASCII: anything else does not belong into a header.
    static func text(_ path: String) throws(KubernetesFailure) -> String {
        var bytes = try read(path)
        while let last = bytes.last, last == 0x0A || last == 0x0D || last == 0x20 {
            bytes.removeLast()
        }
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .credentialUnavailable(detail: "\(path) does not hold one line of text")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
