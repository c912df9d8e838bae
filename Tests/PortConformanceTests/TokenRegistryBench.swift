// SPDX-License-Identifier: Apache-2.0
import Foundation
import ImageFormat
import ImagePorts
import LoopbackPKI
import OCIRegistry
import RegistryServer
import ScriptedServer

/// The adapter on a real server that takes tokens, which a scripted server gives out.
final class TokenRegistryBench: RegistryBench {
    /// One server for all checks.
    static let shared = Task { try await TokenRegistryBench() }

    let server: RegistryServer
    let registry: any ImageRegistry
    private let tokens: ScriptedServer
    private let signer: CertificateTokenSigner

    init() async throws {
        let pki = try LoopbackPKI()
        let signer = try CertificateTokenSigner(pki.server())
        let login = RegistryCredential(
            user: RegistryServer.user, password: RegistryServer.password)
        tokens = try await ScriptedServer(pki: pki) { request, _ in
            Self.answer(request, login: login, signer)
        }
        server = try RegistryServer(
            pki: pki,
            .tokens(
                realm: tokens.address + "/token", rootCertificate: pki.authority.certificatePEM))
        registry = try OCIRegistry(.patient(pki))
        self.signer = signer
    }

    var host: String { server.host }

    func pushBlob(_ bytes: [UInt8], to name: String) async throws {
        try await upload(to: name).pushBlob(bytes, to: name)
    }

    func pushManifest(_ bytes: [UInt8], type: String, tag: String?, to name: String) async throws {
        try await upload(to: name).pushManifest(bytes, type: type, tag: tag, to: name)
    }

    private func upload(to name: String) throws -> RegistryUpload {
        let token = try signer.sign(claims: Self.claims(name, #""pull","push""#))
        return try RegistryUpload(
            host: host, pki: server.pki, authorization: "Bearer " + token)
    }

    // MARK: - The token server

    /// Whoever does not say who he is gets a token without rights; whoever says it wrong gets none.
    private static func answer(
        _ request: SeenRequest, login: RegistryCredential, _ signer: CertificateTokenSigner
    ) -> ScriptedAnswer {
        let header = request.header("Authorization")
        guard header == nil || header == "Basic " + login.basic else {
            return ScriptedAnswer(401, "{}")
        }
        let query = URLComponents(string: request.target)?.queryItems ?? []
        let scope = query.first { $0.name == "scope" }?.value ?? ""
        let parts = scope.split(separator: ":")
        // Only for this service, only for reading.
        let isAsked =
            query.contains { $0.name == "service" && $0.value == "registry" }
            && parts.count == 3 && parts[0] == "repository" && parts[2] == "pull"
        guard isAsked,
            let token = try? signer.sign(
                claims: claims(String(parts[1]), header == nil ? "" : #""pull""#))
        else { return ScriptedAnswer(400, "{}") }
        return ScriptedAnswer(200, #"{"token": "\#(token)", "expires_in": 300}"#)
    }

    private static func claims(_ repository: String, _ actions: String) -> String {
        let now = Int(Date().timeIntervalSince1970)
        return """
            {"iss":"tokens","sub":"user","aud":"registry","exp":\(now + 3600),"nbf":\(now - 60),
             "iat":\(now),"jti":"\(UUID().uuidString)","access":[{"type":"repository",
             "name":"\(repository)","actions":[\(actions)]}]}
            """
    }
}
