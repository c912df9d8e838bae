// SPDX-License-Identifier: Apache-2.0
import ImageFormat
import ImagePorts
import LoopbackPKI
import OCIRegistry
import ScriptedServer
import Synchronization
import Testing

let user = RegistryCredential(user: "user", password: "hunter2-of-user")
let manifestType = "application/vnd.oci.image.manifest.v1+json"

/// A registry and its token server, each on a port of its own, with answers by closures.
struct Servers {
    let pki: LoopbackPKI
    let registry: ScriptedServer
    let tokens: ScriptedServer

    /// - Parameters:
    ///   - registry: gets the token server's address.
    ///   - tokens: answers with its number in the token unless given.
    init(
        registry answer: @escaping @Sendable (SeenRequest, Int, String) -> ScriptedAnswer,
        tokens answerToken: @escaping @Sendable (SeenRequest, Int) -> ScriptedAnswer = {
            ScriptedAnswer(200, #"{"token": "token-\#($1)"}"#)
        }
    ) async throws {
        pki = try LoopbackPKI()
        let tokens = try await ScriptedServer(pki: pki, answer: answerToken)
        let address = tokens.address
        self.tokens = tokens
        registry = try await ScriptedServer(pki: pki) { answer($0, $1, address) }
    }

    var host: String { "127.0.0.1:\(registry.port)" }
    var repository: RegistryRepository { RegistryRepository(host: host, name: "team/app") }

    func client(
        _ change: (inout OCIRegistrySettings) -> Void = { _ in }
    ) throws -> OCIRegistry {
        var settings = OCIRegistrySettings()
        settings.authorities = Array(pki.authority.certificatePEM.utf8)
        // What takes long on a busy machine is no failure.
        settings.requestTime = .seconds(120)
        settings.connectTime = .seconds(120)
        settings.pause = .milliseconds(1)
        change(&settings)
        return try OCIRegistry(settings)
    }

    /// - Returns: what was sent as a manifest, or why nothing was.
    func manifest(
        _ client: OCIRegistry, _ credential: RegistryCredential? = nil
    ) async -> Result<RegistryManifest, RegistryFailure> {
        do throws(RegistryFailure) {
            return .success(try await client.manifest(repository, .tag("1"), credential))
        } catch { return .failure(error) }
    }
}

extension Result<RegistryManifest, RegistryFailure> {
    var text: String? {
        guard case .success(let manifest) = self else { return nil }
        return String(decoding: manifest.bytes, as: UTF8.self)
    }

    var reason: RegistryFailure? {
        guard case .failure(let failure) = self else { return nil }
        return failure
    }
}

extension ScriptedAnswer {
    static func content(_ text: String, type: String = manifestType) -> ScriptedAnswer {
        ScriptedAnswer(200, text, headers: [("Content-Type", type)])
    }

    /// - Parameter header: of `WWW-Authenticate`.
    static func challenge(_ header: String) -> ScriptedAnswer {
        ScriptedAnswer(401, "{}", headers: [("WWW-Authenticate", header)])
    }

    static func bearer(_ realm: String, scope: String = "repository:team/app:pull,push")
        -> ScriptedAnswer
    {
        .challenge(#"Bearer realm="\#(realm)",service="the registry",scope="\#(scope)""#)
    }

    static func moved(_ location: String) -> ScriptedAnswer {
        ScriptedAnswer(307, "", headers: [("Location", location)])
    }
}
