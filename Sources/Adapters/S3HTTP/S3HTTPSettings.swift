// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
package import SecretMemory

/// What requests are signed with.
package struct S3Credential: Sendable {
    package let accessKeyID: String
    package let secret: SecretBlock
    /// Of temporary credentials.
    package let sessionToken: SecretBlock?

    package init(accessKeyID: String, secret: SecretBlock, sessionToken: SecretBlock? = nil) {
        self.accessKeyID = accessKeyID
        self.secret = secret
        self.sessionToken = sessionToken
    }
}

/// Why there is no credential, without anything of one.
package struct S3CredentialUnavailable: Error, Sendable, Equatable {
    package let detail: String

    package init(detail: String) { self.detail = detail }
}

/// Who has the credential. Asked before each attempt, so that one that was replaced is used no
/// longer.
package protocol S3Credentials: Sendable {
    func current() async throws(S3CredentialUnavailable) -> S3Credential
}

/// A credential that stays the same.
package struct FixedS3Credentials: S3Credentials {
    private let credential: S3Credential

    package init(_ credential: S3Credential) { self.credential = credential }

    package func current() -> S3Credential { credential }
}

/// Which server, whom it is trusted by, and how calls behave.
package struct S3HTTPSettings: Sendable, Equatable {
    /// Where a bucket's name stands.
    package enum Style: Sendable, Equatable {
        /// `https://host/bucket/key`
        case path
        /// `https://bucket.host/key`. A bucket with a point in its name stands in the path all the
        /// same where there is TLS: no certificate for `*.host` covers it.
        case virtualHost
    }

    /// `https://host` or `https://host:port`.
    package var endpoint: String
    package var region: String
    package var style = Style.path
    /// Whether `endpoint` may start with `http://`. Content, tags and keys then go as they are, and
    /// nobody knows who answers.
    package var allowsPlainHTTP = false
    /// PEM of the authorities; nil: those of the system.
    package var authorities: [UInt8]?
    /// Of connecting, TLS included.
    package var connectTime = Duration.seconds(10)
    /// At most `ObjectStoreLimits.callTime`.
    package var callTime = ObjectStoreLimits.callTime
    /// Of copies and of completing an upload; at most `ObjectStoreLimits.longCallTime`.
    package var longCallTime = ObjectStoreLimits.longCallTime
    /// At most `ObjectStoreLimits.silenceTime`.
    package var silenceTime = ObjectStoreLimits.silenceTime
    /// Of one call, the first included.
    package var attemptsMax = 5
    /// Before the second attempt; it doubles from then on.
    package var firstPause = Duration.milliseconds(50)
    package var pauseMax = Duration.seconds(5)
    /// Connections at the same time. Calls beyond wait for one.
    package var connectionsMax = 512
    /// How long a connection is kept for the next call. Servers close them too: one that is closed
    /// just when a write goes out costs that write, since a body is not sent twice.
    package var idleTime = Duration.seconds(4)

    package init(endpoint: String, region: String) {
        self.endpoint = endpoint
        self.region = region
    }
}

/// Why settings cannot be used.
package struct S3HTTPSettingsInvalid: Error, Sendable, Equatable {
    package let reason: String
}

/// The server's address, taken apart.
struct S3Endpoint: Sendable {
    let scheme: String
    /// In lower case; `[::1]` keeps its brackets.
    let host: String
    /// `:9000`, or nothing where it is the scheme's own.
    let port: String

    var isSecure: Bool { scheme == "https" }

    init(_ text: String, allowsPlainHTTP: Bool) throws(S3HTTPSettingsInvalid) {
        guard let colon = text.firstRange(of: "://") else {
            throw S3HTTPSettingsInvalid(reason: "the endpoint does not begin with https://")
        }
        scheme = text[..<colon.lowerBound].lowercased()
        guard scheme == "https" || scheme == "http" else {
            throw S3HTTPSettingsInvalid(reason: "the endpoint does not begin with https://")
        }
        guard scheme == "https" || allowsPlainHTTP else {
            throw S3HTTPSettingsInvalid(
                reason: "the endpoint begins with http://, which has to be allowed")
        }
        var rest = text[colon.upperBound...].lowercased()[...]
        if rest.last == "/" { rest = rest.dropLast() }
        let name: Substring
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            name = rest[...end]
        } else {
            name = rest.prefix { $0 != ":" }
        }
        let number = rest.dropFirst(name.count)
        let isPlain = name.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7F && !"/?#@\\%".utf8.contains(byte)
        }
        let hasPort = number.hasPrefix(":") && (UInt16(number.dropFirst()) ?? 0) > 0
        guard !name.isEmpty, isPlain, number.isEmpty || hasPort else {
            throw S3HTTPSettingsInvalid(reason: "the endpoint is not of the form https://host:port")
        }
        host = String(name)
        port = number == (scheme == "https" ? ":443" : ":80") ? "" : String(number)
    }

    /// - Parameter bucket: in front of the host; nil: it is in the path.
    func authority(_ bucket: String?) -> String { (bucket.map { $0 + "." } ?? "") + host + port }
}
