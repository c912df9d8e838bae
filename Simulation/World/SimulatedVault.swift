// SPDX-License-Identifier: Apache-2.0

/// A deterministic vault with Vault's HTTP semantics: a request and the state give a response.
///
/// Time is `now`, moved by `advance`; what is issued is numbered, not drawn. Statuses and bodies
/// follow what OpenBao 2.7.2 answers (PortConformanceTests holds both to the same suite).
package struct SimulatedVault: Sendable {
    /// What the server as a whole is doing.
    package enum Condition: Sendable, Equatable {
        case active
        case sealed
        case uninitialized
        /// Answers as a standby that forwards nothing: every request but health gets 429, as
        /// `sys/health` of a standby does.
        case standby
        /// Every request is refused with 429 and, if given, `Retry-After` (seconds).
        case rateLimited(retryAfterSeconds: Int?)
        /// Every request fails with this status (5xx).
        case failing(status: Int)
        /// Every request is sent elsewhere: `origin` + the request's path.
        case redirecting(origin: String)
        /// Reads of secrets answer 200 with a body that is no JSON.
        case invalidJSON
    }

    /// Something secret that this vault made up and gave out.
    package struct Issued: Sendable, Equatable {
        package enum Kind: String, Sendable, CaseIterable {
            case token, wrappingToken, secretID, password, privateKey
        }
        package let kind: Kind
        package let text: String

        package init(kind: Kind, text: String) {
            self.kind = kind
            self.text = text
        }
    }

    /// The token of the first administrator. May do everything.
    package static let rootToken = "s.simulated-root"
    /// The wall clock when a vault is made, unless told otherwise (POSIX seconds).
    package static let startSeconds: Int64 = 1_800_000_000

    package var condition = Condition.active
    /// Seconds since the vault was made.
    package private(set) var now = 0
    /// The wall clock when the vault was made (POSIX seconds).
    package var startedAt = SimulatedVault.startSeconds
    /// By name without slashes at the ends; the root namespace is the empty string.
    package var namespaces: [String: Namespace]
    /// Every request's method and path, in order: what was asked how often.
    package internal(set) var log: [String] = []
    /// Every secret made up here, in order. Stored secrets are whoever stored them's to know.
    package private(set) var issued: [Issued] = []
    /// Every lease ever granted, in order, with what became of it.
    package internal(set) var leases: [Lease] = []
    var tokens: [String: Token] = [:]
    var wrappings: [String: Wrapping] = [:]
    /// Numbers used by transit so far: none is used twice.
    var nonces: UInt64 = 0
    /// Transit keys that sign, by `NAMESPACE/MOUNT/KEY`.
    var signingKeys: [String: SigningKey] = [:]
    /// Settings of transit keys other than the usual ones, likewise.
    var transitSettings: [String: TransitKeySettings] = [:]
    private let makeSecret: @Sendable (Issued.Kind, Int) -> String

    /// - Parameters:
    ///   - tokenPrefix: start of every token issued; the rest is a running number.
    ///     A test that scans memory for tokens gives a random one.
    ///   - makeSecret: makes what is issued, from its kind and a running number that is different
    ///     for each; nil: the prefix and the number.
    package init(
        tokenPrefix: String = "s.simulated-",
        makeSecret: (@Sendable (Issued.Kind, Int) -> String)? = nil
    ) {
        self.makeSecret =
            makeSecret
            ?? { kind, number in
                kind == .token || kind == .wrappingToken
                    ? tokenPrefix + String(number) : "\(tokenPrefix)\(kind.rawValue)-\(number)"
            }
        namespaces = ["": Namespace()]
        tokens[Self.rootToken] = Token(namespace: "", readable: nil, expiresAt: nil)
    }

    /// Lets time pass: tokens and leases end.
    package mutating func advance(seconds: Int) {
        now += seconds
        endWhatIsOver()
    }

    /// The wall clock (POSIX seconds).
    package var secondsSince1970: Int64 { startedAt + Int64(now) }

    /// Makes the next secret and remembers it.
    mutating func issue(_ kind: Issued.Kind) -> String {
        let text = makeSecret(kind, issued.count + 1)
        issued.append(Issued(kind: kind, text: text))
        return text
    }

    /// Without slashes at the ends and without doubled ones.
    static func trimmed(_ path: String) -> String {
        path.split(separator: "/").joined(separator: "/")
    }
}

extension SimulatedVault {
    /// Why a request is refused, for the HTTP side to word and for the store to report.
    package enum Refusal: Error, Sendable, Equatable {
        /// The token is unknown, expired, or of another namespace.
        case tokenUnknown
        /// The token's policy leaves the path out.
        case forbidden
        /// No mount there, or none that the token may know of.
        case mountHidden(path: String)
        case noRoute(path: String)
        case namespaceUnknown
        case nothingThere
        /// KV v2: the newest version is deleted or destroyed.
        case versionGone(Version, number: Int)
        case operationUnsupported
        case roleUnknown(String)
        /// Transit has no such key to decrypt with.
        case transitKeyUnknown
        /// The key's settings exclude the version that a ciphertext was made with.
        case transitVersionExcluded
        /// Something about the request's own fields, in the server's words.
        case badRequest(String)
        case loginRefused(status: Int, text: String)
        case wrappingTokenInvalid
        case leaseUnknown
        case leaseNotRenewable
    }

    /// What a path answered.
    struct Answer {
        var data: SimulatedJSON
        var lease: Lease?
    }
}
