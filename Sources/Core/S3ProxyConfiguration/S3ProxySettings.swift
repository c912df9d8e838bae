// SPDX-License-Identifier: Apache-2.0
package import WrapperConfiguration

/// Everything that the proxy was told. Holds no secret.
package struct S3ProxySettings: Sendable, Equatable {
    package struct Place: Sendable, Equatable, CustomStringConvertible {
        /// Without brackets.
        package var host: String
        /// 0: any.
        package var port: UInt16

        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }

        package var description: String {
            host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    package enum Transport: Sendable, Equatable {
        case tls(certificateFile: String, keyFile: String)
        /// Only where somebody else has ended TLS, on the same machine.
        case plain
    }

    package enum Dialect: String, Sendable, CaseIterable {
        /// As Amazon's.
        case full
        /// Objects, lists and uploads only, and tags that do not tell parts: rclone's.
        case simple
    }

    package enum AddressStyle: String, Sendable, CaseIterable {
        case path
        case virtualHost = "virtual-host"
    }

    package struct Upstream: Sendable, Equatable {
        package var isPlain: Bool
        package var host: String
        package var port: UInt16
        package var region: String
        package var style: AddressStyle
        package var dialect: Dialect
        /// PEM file of authorities; nil: the system's.
        package var authorityFile: String?
    }

    /// Which keys wrap the keys of objects.
    package enum KeyMode: Sendable, Equatable {
        /// One of a bucket and some hours, kept in secret memory for a while.
        case epoch(hours: Int)
        /// The transit key itself, asked for each object.
        case object
    }

    package struct Keys: Sendable, Equatable {
        package var transitKey: String
        /// Part of every context: another tenant's objects cannot be opened.
        package var tenant: String
        package var mode: KeyMode
        /// How long new objects are wrapped without asking the vault again.
        package var confirmSeconds: Int
        package var cacheSeconds: Int
        package var cacheEntries: Int
    }

    package struct Credentials: Sendable, Equatable {
        package var clientsPath: String
        package var upstreamPath: String
        /// Between two readings.
        package var seconds: Int
    }

    /// Objects that are handed on as they are.
    package struct PassThrough: Sendable, Equatable {
        package var bucket: String
        /// Of keys; empty: all.
        package var prefix: String

        package init(bucket: String, prefix: String) {
            self.bucket = bucket
            self.prefix = prefix
        }
    }

    package enum LogLevel: String, Sendable, CaseIterable { case debug, notice, warning, error }

    package var listen: Place
    package var healthListen: Place
    package var transport: Transport
    /// That clients sign for.
    package var region: String
    /// Suffixes of `bucket.domain`.
    package var domains: [String]
    package var upstream: Upstream
    package var vault: VaultSettings
    package var vaultThreads: Int
    package var keys: Keys
    package var credentials: Credentials
    package var passThrough: [PassThrough]
    package var requestsMax: Int
    package var objectBytesMax: Int64
    package var drainSeconds: Int
    package var logLevel: LogLevel
}
