// SPDX-License-Identifier: Apache-2.0
internal import Foundation
package import KubernetesPorts
internal import Yams

/// A kubeconfig file (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/), for tools
/// that run outside of a cluster.
package enum Kubeconfig {
    package static let bytesMax = 4 << 20

    /// - Parameters:
    ///   - context: nil: the file's `current-context`.
    ///   - environment: handed to credential plugins.
    /// - Throws: `configurationInvalid`, `credentialUnavailable`; the text names the file and what
    ///   to write instead, and quotes nothing of it.
    package static func load(
        path: String, context: String? = nil, environment: [String: String]
    ) throws(KubernetesFailure) -> (ClusterEndpoint, any ClusterCredentials) {
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        let files = RelativeFiles(
            folder: path.hasPrefix("/") ? "/" + folder : folder.isEmpty ? "." : folder)
        let document = try decode(try files.read(path, bytesMax), path)
        guard let name = context ?? document.currentContext, !name.isEmpty else {
            throw .configurationInvalid(
                detail: "\(path) has no current-context; name a context")
        }
        guard let chosen = document.contexts?.first(where: { $0.name == name })?.context else {
            throw .configurationInvalid(detail: "\(path) has no context \(name)")
        }
        guard let cluster = document.clusters?.first(where: { $0.name == chosen.cluster })?.cluster
        else {
            throw .configurationInvalid(
                detail: "\(path) has no cluster \(chosen.cluster), which context \(name) names")
        }
        let user = document.users?.first { $0.name == chosen.user }?.user
        guard chosen.user == nil || user != nil else {
            throw .configurationInvalid(
                detail: "\(path) has no user \(chosen.user ?? ""), which context \(name) names")
        }
        let endpoint = try endpoint(cluster, namespace: chosen.namespace, path, files)
        let credentials = try credentials(user ?? Document.User(), path, files, environment)
        return (endpoint, credentials)
    }

    private static func decode(
        _ bytes: [UInt8], _ path: String
    ) throws(KubernetesFailure) -> Document {
        do {
            return try YAMLDecoder().decode(Document.self, from: Data(bytes))
        } catch {
            // The error quotes the file, and the file holds keys.
            throw .configurationInvalid(detail: "\(path) is no kubeconfig in YAML or JSON")
        }
    }

    private static func endpoint(
        _ cluster: Document.Cluster, namespace: String?, _ path: String, _ files: RelativeFiles
    ) throws(KubernetesFailure) -> ClusterEndpoint {
        guard cluster.skipsVerification != true else {
            throw .configurationInvalid(
                detail: "\(path) sets insecure-skip-tls-verify; "
                    + "use certificate-authority(-data) instead")
        }
        guard cluster.proxy == nil else {
            throw .configurationInvalid(detail: "\(path) sets proxy-url, which is not supported")
        }
        return ClusterEndpoint(
            server: cluster.server,
            authorities: try files.content(
                cluster.authorityData, cluster.authorityFile, "certificate-authority"),
            serverName: cluster.serverName, namespace: namespace)
    }

    private static func credentials(
        _ user: Document.User, _ path: String, _ files: RelativeFiles,
        _ environment: [String: String]
    ) throws(KubernetesFailure) -> any ClusterCredentials {
        guard user.username == nil, user.provider == nil else {
            throw .configurationInvalid(
                detail: "\(path) uses username or auth-provider, which clusters no longer take; "
                    + "use a token, a client certificate or exec")
        }
        if let plugin = user.exec {
            return ExecCredentials(try ExecCommand(plugin, folder: files.folder, environment))
        }
        let certificate = try files.content(
            user.certificateData, user.certificateFile, "client-certificate")
        let key = try files.content(user.keyData, user.keyFile, "client-key")
        guard (certificate == nil) == (key == nil) else {
            throw .configurationInvalid(
                detail: "\(path) has only one of client-certificate and client-key")
        }
        return UserCredentials(
            certificate: certificate, privateKey: key, token: user.token,
            tokenFile: user.tokenFile.map(files.path), files: files)
    }
}

/// Certificates and tokens of the file itself, or of files that it names.
struct UserCredentials: ClusterCredentials {
    let certificate: [UInt8]?
    let privateKey: [UInt8]?
    let token: String?
    /// Read before each call; it goes before `token`.
    let tokenFile: String?
    let files: RelativeFiles

    func current(isRefused: Bool) async throws(KubernetesFailure) -> ClusterCredential {
        var token = token
        if let tokenFile {
            let text = String(decoding: try files.read(tokenFile, 1 << 20), as: UTF8.self)
            token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        if let token { try Self.check(token) }
        return ClusterCredential(
            bearerToken: token, certificate: certificate, privateKey: privateKey)
    }

    /// What would break the header is no token.
    static func check(_ token: String) throws(KubernetesFailure) {
        guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .credentialUnavailable(detail: "the token is not one line of text")
        }
    }
}

/// Files that are named relative to the kubeconfig.
struct RelativeFiles: Sendable {
    let folder: String

    func path(_ name: String) -> String { name.hasPrefix("/") ? name : folder + "/" + name }

    func read(_ path: String, _ limit: Int) throws(KubernetesFailure) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .credentialUnavailable(detail: "\(path) cannot be read")
        }
        guard data.count <= limit else {
            throw .credentialUnavailable(detail: "\(path) is larger than \(limit) bytes")
        }
        return Array(data)
    }

    /// Base64 in the file goes before a file's name.
    func content(
        _ data: String?, _ file: String?, _ what: String
    ) throws(KubernetesFailure) -> [UInt8]? {
        if let data, !data.isEmpty {
            guard let bytes = Data(base64Encoded: data) else {
                throw .configurationInvalid(detail: "\(what)-data is no base64")
            }
            return Array(bytes)
        }
        guard let file, !file.isEmpty else { return nil }
        return try read(path(file), Kubeconfig.bytesMax)
    }
}
