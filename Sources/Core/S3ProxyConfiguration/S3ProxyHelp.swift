// SPDX-License-Identifier: Apache-2.0

package enum S3ProxyHelp {
    /// Each setting with its summary; the rest is around them.
    package static var text: String {
        var text = usage
        for (title, settings) in groups {
            text += "\n\(title):\n"
            for setting in settings { text += line(setting) }
        }
        return text + end
    }

    static let groups: [(title: String, settings: [S3ProxySetting])] = [
        (
            "Serving",
            [
                .listen, .healthListen, .tlsCertificate, .tlsKey, .plainHTTP, .region, .domain,
                .requestsMax, .objectBytesMax, .drainSeconds, .logLevel, .config,
            ]
        ),
        (
            "The upstream store",
            [
                .upstreamEndpoint, .upstreamRegion, .upstreamStyle, .upstreamDialect, .upstreamCA,
                .allowPlainHTTPUpstream, .upstreamCredentialsPath,
            ]
        ),
        (
            "Clients and keys",
            [
                .clientsPath, .credentialsSeconds, .transitMount, .transitKey, .tenant, .mode,
                .epochHours, .keyConfirmSeconds, .keyCacheSeconds, .keyCacheEntries, .passThrough,
            ]
        ),
        (
            "The vault",
            [
                .vaultAddress, .vaultCA, .vaultNamespace, .vaultAuthMethod, .vaultAuthMount,
                .vaultRole, .vaultTokenFile, .vaultSecretIDFile, .vaultSecretIDWrapped,
                .vaultJWTFile, .vaultClientCertificate, .vaultClientKey, .vaultAllowedOrigins,
                .minimumTier, .vaultThreads, .vaultSeconds,
            ]
        ),
    ]

    private static let usage = """
        Encrypt objects before they reach an S3 store; clients speak S3 as before.

        Usage: cloudtaser-s3-proxy [FLAG...]
               cloudtaser-s3-proxy rewrap|inspect --help
               cloudtaser-s3-proxy --help | --version

        Each setting is a flag, a variable of the environment (in brackets), or a line NAME VALUE of
        the file that --config names. The flag counts more than the variable, and the variable more
        than the file.

        """

    private static let end = """

        The vault needs: a transit key with derived=true; a KV secret whose fields are the clients
        (access key id = secret access key); a KV secret with access_key_id and secret_access_key
        for the upstream store; and a role that may encrypt and decrypt with the one and read the
        others. /healthz, /readyz and /metrics are served in plain text on --health-listen. SIGTERM
        ends it in good order: not ready first, then it answers what is under way.

        Examples:
          As a sidecar, with a token in a file:
            cloudtaser-s3-proxy --listen 127.0.0.1:9000 --plain-http \\
              --upstream-endpoint https://s3.eu-central-1.amazonaws.com \\
              --upstream-region eu-central-1 --vault-address https://vault.example.eu \\
              --vault-token-file /run/vault/token --transit-key s3-objects \\
              --clients-path secret/s3/clients --upstream-credentials-path secret/s3/upstream
          As a Deployment, with the pod's own identity and a file:
            cloudtaser-s3-proxy --config /etc/cloudtaser/s3-proxy.conf \\
              --vault-auth-method kubernetes --vault-role s3-proxy \\
              --tls-certificate /tls/tls.crt --tls-key /tls/tls.key

        Exit codes: 0 ended by a signal · 1 cannot run · 64 wrong usage.

        """

    /// Column at which summaries begin.
    private static let column = 34

    private static func line(_ setting: S3ProxySetting) -> String {
        let name = "  " + setting.flag + (setting.isSwitch ? "" : " " + setting.placeholder)
        let padding =
            name.count < column - 1
            ? String(repeating: " ", count: column - name.count)
            : "\n" + String(repeating: " ", count: column)
        let indent = "\n" + String(repeating: " ", count: column)
        let rows = setting.summary.split(separator: "\n").map(String.init)
        return name + padding + rows.joined(separator: indent) + indent
            + "[\(setting.variable)]\n"
    }
}

extension S3ProxySetting {
    var placeholder: String {
        switch self {
        case .listen, .healthListen: "ADDRESS:PORT"
        case .tlsCertificate, .tlsKey, .upstreamCA, .vaultCA, .vaultTokenFile, .vaultSecretIDFile,
            .vaultJWTFile, .vaultClientCertificate, .vaultClientKey, .config:
            "FILE"
        case .upstreamEndpoint, .vaultAddress, .vaultAllowedOrigins: "URL"
        case .upstreamStyle: "path|virtual-host"
        case .upstreamDialect: "full|simple"
        case .mode: "epoch|object"
        case .logLevel: "LEVEL"
        case .clientsPath, .upstreamCredentialsPath, .transitMount, .vaultAuthMount,
            .vaultNamespace:
            "PATH"
        case .passThrough: "BUCKET[/PREFIX]"
        case .domain, .region, .upstreamRegion, .transitKey, .tenant, .vaultRole: "NAME"
        case .vaultAuthMethod: "METHOD"
        case .minimumTier: "TIER"
        case .plainHTTP, .allowPlainHTTPUpstream, .vaultSecretIDWrapped: ""
        case .requestsMax, .objectBytesMax, .drainSeconds, .credentialsSeconds, .epochHours,
            .keyConfirmSeconds, .keyCacheSeconds, .keyCacheEntries, .vaultThreads, .vaultSeconds:
            "N"
        }
    }

    var summary: String {
        switch self {
        case .listen: "where clients come (0.0.0.0:8443)"
        case .healthListen: "/healthz, /readyz, /metrics (0.0.0.0:8081)"
        case .tlsCertificate: "PEM chain that is served; read again when it\nchanges"
        case .tlsKey: "PEM private key of it"
        case .plainHTTP: "no TLS: only where somebody else ends it before"
        case .region: "that clients sign for (the upstream's)"
        case .domain: "clients may ask for BUCKET.NAME; may be repeated"
        case .requestsMax: "requests under way at once (256)"
        case .objectBytesMax: "largest body of one request, at most 5 GiB (5 GiB)"
        case .drainSeconds: "between SIGTERM and the last new connection (5)"
        case .logLevel: "debug, notice, warning or error (notice)"
        case .config: "further settings"
        case .upstreamEndpoint: "https://HOST[:PORT] (required)"
        case .upstreamRegion: "that the proxy signs for (us-east-1)"
        case .upstreamStyle: "how buckets are named to it (path)"
        case .upstreamDialect: "what it knows of S3; simple for rclone serve s3 (full)"
        case .upstreamCA: "PEM file of its authorities (the system's)"
        case .allowPlainHTTPUpstream: "http:// endpoints too; objects are encrypted, names\nare not"
        case .upstreamCredentialsPath: "KV secret of its credentials (required)"
        case .clientsPath: "KV secret of the clients (required)"
        case .credentialsSeconds: "between two readings of both (60)"
        case .transitMount: "of the transit engine (transit)"
        case .transitKey: "key with derived=true (required)"
        case .tenant: "part of what every key is bound to (default)"
        case .mode:
            "epoch: keys of a bucket and some hours, kept in\nsecret memory; object: the vault "
                + "for each object (epoch)"
        case .epochHours: "length of an epoch (1)"
        case .keyConfirmSeconds: "writes go on for so long without the vault (300)"
        case .keyCacheSeconds: "a key is used for so long without the vault (3600)"
        case .keyCacheEntries: "most keys that are kept (10000)"
        case .passThrough:
            "objects that may be there unsealed, and are read as\nthey are; may be "
                + "repeated (none)"
        case .vaultAddress: "https URL (required)"
        case .vaultCA: "PEM file of its authorities (the system's)"
        case .vaultNamespace: "namespace"
        case .vaultAuthMethod: "token, approle, kubernetes, jwt or cert (token)"
        case .vaultAuthMount: "mount of the method (the method's name)"
        case .vaultRole: "role to log in as (approle: the role id)"
        case .vaultTokenFile: "file of the token, for token"
        case .vaultSecretIDFile: "file of the secret id, for approle"
        case .vaultSecretIDWrapped: "the file holds a wrapping token for the secret id"
        case .vaultJWTFile: "file of the JWT, for kubernetes and jwt"
        case .vaultClientCertificate: "PEM client certificate (mTLS; method cert)"
        case .vaultClientKey: "PEM key of it"
        case .vaultAllowedOrigins: "origins that redirects may lead to, with commas"
        case .minimumTier:
            "memfd_secret, locked or ordinary: the weakest\nmemory for secrets "
                + "(memfd_secret)"
        case .vaultThreads: "connections to it, 1 to 4 (2)"
        case .vaultSeconds: "for one call, retries included (10)"
        }
    }
}
