// SPDX-License-Identifier: Apache-2.0
internal import S3Format
internal import WrapperConfiguration

extension S3ProxySettings {
    /// 5 TiB, the largest object of S3.
    package static let objectBytesMax: Int64 = 5 << 40
    /// A key in the cache takes a block of an arena of at most 64 MiB.
    package static let cacheEntriesMax = 1_000_000

    package init(_ sources: S3ProxySources) throws(S3ProxySettingsFailure) {
        let reader = SettingReader(sources: sources)
        listen = try reader.place(.listen) ?? Place(host: "0.0.0.0", port: 8443)
        healthListen = try reader.place(.healthListen) ?? Place(host: "0.0.0.0", port: 8081)
        transport = try Self.transport(reader)
        upstream = try Self.upstream(reader)
        region = try reader.region(.region) ?? upstream.region
        domains = try reader.all(.domain) { text in
            let name = text.lowercased()
            return SettingReader.isHost(name) ? name : nil
        } remedy: {
            "'\($0)' is no domain; write s3.example.eu"
        }
        vault = try reader.vault()
        vault.transitMount = try reader.path(.transitMount) ?? "transit"
        vault.requestSecondsMax = try reader.number(.vaultSeconds, 1...300) ?? 10
        vaultThreads = try reader.number(.vaultThreads, 1...4) ?? 2
        keys = try Self.keys(reader)
        credentials = Credentials(
            clientsPath: try reader.secretPath(.clientsPath, like: "secret/s3/clients"),
            upstreamPath: try reader.secretPath(
                .upstreamCredentialsPath, like: "secret/s3/upstream"),
            seconds: try reader.number(.credentialsSeconds, 5...86_400) ?? 60)
        passThrough = try reader.all(.passThrough, Self.passThrough) {
            "'\($0)' is no bucket and prefix; write bucket or bucket/prefix"
        }
        requestsMax = try reader.number(.requestsMax, 1...65_536) ?? 256
        objectBytesMax = Int64(
            try reader.number(.objectBytesMax, 1...Int(Self.objectBytesMax))
                ?? Int(Self.objectBytesMax))
        drainSeconds = try reader.number(.drainSeconds, 0...3600) ?? 5
        logLevel = try reader.choice(.logLevel) ?? .notice
    }

    private static func transport(
        _ reader: SettingReader
    ) throws(S3ProxySettingsFailure) -> Transport {
        let files = (try reader.file(.tlsCertificate), try reader.file(.tlsKey))
        let isPlain = try reader.flag(.plainHTTP)
        switch files {
        case (let certificate?, let key?):
            guard !isPlain else {
                throw S3ProxySettingsFailure(
                    .plainHTTP, "there is a certificate as well; remove one of the two")
            }
            return .tls(certificateFile: certificate, keyFile: key)
        case (nil, nil):
            guard isPlain else {
                throw S3ProxySettingsFailure(
                    .tlsCertificate,
                    "is not set; give it and --tls-key, or --plain-http where TLS ends before")
            }
            return .plain
        case (_?, nil), (nil, _?):
            throw S3ProxySettingsFailure(
                .tlsCertificate, "needs --tls-key, and the other way round; give both")
        }
    }

    private static func upstream(
        _ reader: SettingReader
    ) throws(S3ProxySettingsFailure) -> Upstream {
        let text = try reader.required(.upstreamEndpoint, "https://s3.eu-central-1.example.com")
        let isPlain = text.lowercased().hasPrefix("http://")
        let mayBePlain = try reader.flag(.allowPlainHTTPUpstream)
        guard !isPlain || mayBePlain else {
            throw S3ProxySettingsFailure(
                .upstreamEndpoint,
                "is plain http; write https://, or --allow-plain-http-upstream for a test")
        }
        guard isPlain || text.lowercased().hasPrefix("https://") else {
            throw S3ProxySettingsFailure(
                .upstreamEndpoint, "begins with neither https:// nor http://; write https://HOST")
        }
        let rest = text.dropFirst(isPlain ? "http://".count : "https://".count)
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        guard
            let place = SettingReader.place(
                authority, portIfNone: isPlain ? 80 : 443), place.port > 0
        else {
            throw S3ProxySettingsFailure(
                .upstreamEndpoint, "is not https://HOST or https://HOST:PORT without a path")
        }
        return Upstream(
            isPlain: isPlain, host: place.host.lowercased(), port: place.port,
            region: try reader.region(.upstreamRegion) ?? "us-east-1",
            style: try reader.choice(.upstreamStyle) ?? .path,
            dialect: try reader.choice(.upstreamDialect) ?? .full,
            authorityFile: try reader.file(.upstreamCA))
    }

    private static func keys(_ reader: SettingReader) throws(S3ProxySettingsFailure) -> Keys {
        let hours = try reader.number(.epochHours, 1...720)
        let mode: KeyMode
        switch try reader.choice(.mode) ?? KeyModeName.epoch {
        case .epoch: mode = .epoch(hours: hours ?? 1)
        case .object:
            guard hours == nil else {
                throw S3ProxySettingsFailure(.epochHours, "needs --mode epoch; remove one")
            }
            mode = .object
        }
        return Keys(
            transitKey: try reader.name(.transitKey, like: "s3-objects"),
            tenant: try reader.optionalName(.tenant) ?? "default", mode: mode,
            confirmSeconds: try reader.number(.keyConfirmSeconds, 1...3600) ?? 300,
            cacheSeconds: try reader.number(.keyCacheSeconds, 0...604_800) ?? 3600,
            cacheEntries: try reader.number(.keyCacheEntries, 1...cacheEntriesMax) ?? 10_000)
    }

    private static func passThrough(_ text: String) -> PassThrough? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bucket = S3Bucket(parts[0]) else { return nil }
        return PassThrough(bucket: bucket.name, prefix: parts.count == 2 ? String(parts[1]) : "")
    }
}

private enum KeyModeName: String, CaseIterable { case epoch, object }
