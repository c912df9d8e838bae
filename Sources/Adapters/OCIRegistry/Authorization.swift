// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import ImageFormat
internal import ImagePorts
internal import KubernetesFormat
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// What was good for a repository the last time.
final class AuthorizationCache: Sendable {
    struct Key: Hashable {
        let repository: RegistryRepository
        let credential: RegistryCredential?
    }

    private struct Entry {
        let header: String
        /// nil: it does not end.
        let end: NIODeadline?
    }

    /// Entries; beyond it all are forgotten, which costs a login each.
    static let countMax = 1024

    private let entries = Mutex<[Key: Entry]>([:])

    subscript(key: Key) -> String? {
        entries.withLock { entries in
            guard let entry = entries[key] else { return nil }
            guard let end = entry.end, end <= .now() else { return entry.header }
            entries[key] = nil
            return nil
        }
    }

    func set(_ key: Key, _ header: String, until end: NIODeadline?) {
        entries.withLock { entries in
            if entries.count >= Self.countMax { entries = [:] }
            entries[key] = Entry(header: header, end: end)
        }
    }

    func forget(_ key: Key) { entries.withLock { $0[key] = nil } }
}

/// Logins as registries ask for them
/// (https://distribution.github.io/distribution/spec/auth/token/, RFC 7617).
extension OCIRegistry {
    static let tokenAnswerBytesMax = 64 << 10
    static let tokenBytesMax = 32 << 10
    /// When a token server does not say: what the specification has.
    static let tokenSecondsDefault = 60
    static let tokenSecondsMax = 86_400
    /// A token is not used in its last moments.
    static let tokenReserve = 10

    /// With what was good before, or as the server then asks for it: once.
    func authorized(
        _ call: RegistryCall, _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> RegistryAnswer {
        let key = AuthorizationCache.Key(repository: call.repository, credential: credential)
        let known = authorizations[key]
        var answer = try await send(call, authorization: known)
        // A login is for the registry: where it sends others, nobody is asked for one.
        if answer.status == 401, answer.isOfRegistry {
            authorizations.forget(key)
            let (header, end) = try await authorization(key, answer.headers["WWW-Authenticate"])
            answer = try await send(call, authorization: header)
            if answer.status == 200 { authorizations.set(key, header, until: end) }
        }
        guard answer.status == 200 else { throw Self.refusal(answer) }
        return answer
    }

    private func authorization(
        _ key: AuthorizationCache.Key, _ headers: [String]
    ) async throws(RegistryFailure) -> (header: String, end: NIODeadline?) {
        let challenges = headers.flatMap { AuthenticationChallenge.parse($0) }
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            let (token, seconds) = try await token(key, bearer.parameters)
            let life = min(seconds, Self.tokenSecondsMax) - Self.tokenReserve
            return ("Bearer " + token, .now() + .seconds(Int64(life)))
        }
        guard challenges.contains(where: { $0.scheme == "basic" }),
            let credential = key.credential
        else { throw .unauthorized }
        return ("Basic " + credential.basic, nil)
    }

    private func token(
        _ key: AuthorizationCache.Key, _ parameters: [String: String]
    ) async throws(RegistryFailure) -> (token: String, seconds: Int) {
        let address = try tokenAddress(key.repository, parameters)
        var headers = HTTPHeaders()
        if let credential = key.credential {
            headers.add(name: "Authorization", value: "Basic " + credential.basic)
        }
        // A redirect is not followed: a login is for the server that was named.
        let answer = try await get(address, headers, limit: Self.tokenAnswerBytesMax)
        guard answer.status == 200 else {
            // What the token server does not know is no image that is missing.
            let refusal = Self.refusal(answer)
            throw refusal == .notFound
                ? .malformed(detail: "its token server has no such address") : refusal
        }
        guard let tree = try? JSONTree(answer.body),
            let token = [tree["token"], tree["access_token"]].compactMap({ $0?.text })
                .first(where: { !$0.isEmpty }),
            token.utf8.count <= Self.tokenBytesMax,
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw .malformed(detail: "its token server sent no token") }
        let seconds = tree["expires_in"]?.wholeNumber ?? Self.tokenSecondsDefault
        return (token, max(seconds, 0))
    }

    private func tokenAddress(
        _ repository: RegistryRepository, _ parameters: [String: String]
    ) throws(RegistryFailure) -> URL {
        guard let realm = parameters["realm"].flatMap({ URL(string: $0) }),
            var parts = URLComponents(url: realm, resolvingAgainstBaseURL: false),
            parts.fragment == nil, Origin(realm, insecureHosts: settings.insecureHosts) != nil
        else { throw .malformed(detail: "its token server has no https address") }
        // Reading is all that is wanted, whatever is offered. Scopes of other forms are the
        // server's own.
        let offered = parameters["scope"] ?? ""
        let isUsual = offered.isEmpty || offered.hasPrefix("repository:")
        let scope = isUsual ? "repository:\(repository.name):pull" : offered
        var query = [("scope", scope)]
        if let service = parameters["service"] { query.insert(("service", service), at: 0) }
        let own = parts.percentEncodedQuery.map { [$0] } ?? []
        parts.percentEncodedQuery =
            (own + query.map { "\($0.0)=\(Self.encoded($0.1))" }).joined(separator: "&")
        guard let address = parts.url else {
            throw .malformed(detail: "its token server has no https address")
        }
        return address
    }

    /// RFC 3986: everything but unreserved characters.
    private static func encoded(_ text: String) -> String {
        let plain = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }
}
