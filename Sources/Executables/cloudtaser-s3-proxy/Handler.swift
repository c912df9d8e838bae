// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import CryptoObjectCipher
import Foundation
import KubernetesPorts
import ObjectKeyPorts
import S3Format
import S3HTTP
import S3Proxy
import S3ProxyConfiguration
import SecretMemory
import ServerProcess
import VaultCustody

/// What requests are answered with.
struct ProxyParts: Sendable {
    let settings: S3ProxySettings
    let custodian: any KeyCustodian
    let salts: any SaltSource
    let clients: any ClientCredentials
    /// For the upstream store, as they were read last; nil: not yet.
    let upstreamCredentials: @Sendable () -> StoredCredentials?
    let keyMemory: SecretArena
    let clock: any AsyncTimeSource
    let log: ProgramLog
}

typealias Proxy = S3Proxy<CryptoObjectCipher>

func upstreamStore(_ parts: ProxyParts) throws(StartFailure) -> S3HTTP {
    let upstream = try upstream(parts.settings)
    do throws(S3HTTPSettingsInvalid) {
        return try S3HTTP(
            upstream, credentials: UpstreamCredentials(parts), CryptoHasher(),
            keyMemory: parts.keyMemory)
    } catch {
        throw StartFailure(text: "the upstream store cannot be used: \(error.reason)")
    }
}

func makeHandler(_ parts: ProxyParts) throws(StartFailure) -> Proxy {
    let store = try upstreamStore(parts)
    var built = S3ProxyParts(
        store: store, custodian: parts.custodian, credentials: parts.clients, salts: parts.salts,
        clock: parts.clock, digests: CryptoHasher(),
        cipher: CryptoObjectCipher(keyMemory: parts.keyMemory), keyMemory: parts.keyMemory)
    let log = parts.log
    built.report = { log.request($0) }
    return Proxy(built, try policy(parts.settings))
}

private func upstream(_ settings: S3ProxySettings) throws(StartFailure) -> S3HTTPSettings {
    let upstream = settings.upstream
    let isAddress = upstream.host.utf8.contains(UInt8(ascii: ":"))
    let host = isAddress ? "[\(upstream.host)]" : upstream.host
    var made = S3HTTPSettings(
        endpoint: "\(upstream.isPlain ? "http" : "https")://\(host):\(upstream.port)",
        region: upstream.region)
    made.allowsPlainHTTP = upstream.isPlain
    // A request may hold one connection while it waits for another.
    made.connectionsMax = max(made.connectionsMax, 4 * settings.requestsMax)
    made.style = upstream.style == .path ? .path : .virtualHost
    if let path = upstream.authorityFile {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartFailure(text: "\(path) cannot be read; name a PEM file of authorities")
        }
        made.authorities = Array(data)
    }
    return made
}

private func policy(_ settings: S3ProxySettings) throws(StartFailure) -> S3ProxyPolicy {
    var keys = KeyRingSettings(transitKey: settings.keys.transitKey)
    switch settings.keys.mode {
    case .epoch(let hours): keys.epochTime = .seconds(3600 * hours)
    case .object: keys.mode = .object
    }
    keys.lifetime = .seconds(settings.keys.cacheSeconds)
    keys.confirmationTime = .seconds(settings.keys.confirmSeconds)
    keys.entriesMax = settings.keys.cacheEntries
    var policy = S3ProxyPolicy(region: settings.region, keys: keys)
    policy.rules.domains = settings.domains
    policy.dialect = settings.upstream.dialect == .full ? .full : .simple
    policy.tenant = settings.keys.tenant
    policy.bodyBytesMax = min(settings.objectBytesMax, policy.bodyBytesMax)
    policy.requestsMax = settings.requestsMax
    policy.passThrough = settings.passThrough.compactMap { pass in
        guard let bucket = S3Bucket(pass.bucket), let prefix = S3Key(pass.prefix) else {
            return nil
        }
        return PassThrough(bucket: bucket, prefix: prefix)
    }
    guard policy.passThrough.count == settings.passThrough.count else {
        throw StartFailure(text: "--pass-through names no bucket, or no prefix of keys")
    }
    return policy
}

/// What the store is asked with: what the vault said last.
private struct UpstreamCredentials: S3Credentials {
    let last: @Sendable () -> StoredCredentials?

    init(_ parts: ProxyParts) { last = parts.upstreamCredentials }

    func current() async throws(S3CredentialUnavailable) -> S3Credential {
        guard let found = last() else {
            throw S3CredentialUnavailable(detail: "the vault has not given any yet")
        }
        return S3Credential(
            accessKeyID: found.accessKeyID, secret: found.secret,
            sessionToken: found.sessionCredential)
    }
}
