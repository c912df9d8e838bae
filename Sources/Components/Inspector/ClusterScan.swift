// SPDX-License-Identifier: Apache-2.0
package import Inventory
internal import KubernetesFormat
package import KubernetesPorts

/// Reads what a cluster's API server stores, page by page, and keeps what is looked at.
///
/// What cannot be read is told and never left out in silence: a scan with `unread` entries is not
/// complete. A custom kind that the server does not know is none that is missing.
package struct ClusterScan: Sendable {
    /// How often a list begins anew whose pages grew too old.
    static let attemptsMax = 3
    /// Of one kind. A server gives 500 objects on each, and may give fewer.
    package static let pagesMax = 20_000

    package struct Progress: Sendable, Equatable {
        package let kind: String
        /// Of this kind, so far.
        package let count: Int
        /// Of all kinds.
        package let done: Int
        package let all: Int
    }

    private let reader: any KubernetesReading
    private let kinds: [ScannedKind]
    private let namespace: String?
    private let pagesMax: Int
    private let objectsMax: Int

    /// - Parameters:
    ///   - namespace: the one to look at; nil: all. Kinds without namespaces are read in any case.
    ///   - pagesMax: of one kind.
    ///   - objectsMax: of all kinds; where one kind alone has more, no more of it is fetched.
    package init(
        _ reader: any KubernetesReading, kinds: [ScannedKind] = ScannedKind.all,
        namespace: String? = nil, pagesMax: Int = Self.pagesMax,
        objectsMax: Int = Inventory.objectsMax
    ) {
        self.reader = reader
        self.kinds = kinds
        self.namespace = namespace
        self.pagesMax = pagesMax
        self.objectsMax = objectsMax
    }

    package struct Outcome: Sendable {
        package fileprivate(set) var objects: [ClusterObject] = []
        package fileprivate(set) var unread: [UnreadObject] = []
    }

    /// - Parameter progress: after each page.
    /// - Throws: what keeps everything from being read: the server is not reached, or does not
    ///   know who asks.
    package func run(
        progress: (Progress) -> Void = { _ in }
    ) async throws(KubernetesFailure) -> Outcome {
        var outcome = Outcome()
        for (index, kind) in kinds.enumerated() {
            do throws(KubernetesFailure) {
                let found = try await objects(of: kind) { count in
                    progress(
                        Progress(kind: kind.kind, count: count, done: index, all: kinds.count))
                }
                outcome.unread += found.unread
                outcome.objects += found.objects
            } catch {
                if index == 0, Self.concernsEverything(error) { throw error }
                guard kind.isBuiltIn || !Self.isUnknownKind(error) else { continue }
                outcome.unread.append(
                    UnreadObject(source: "the cluster's \(kind.name)", reason: error.text))
            }
            guard outcome.objects.count <= objectsMax else {
                outcome.unread.append(
                    UnreadObject(
                        source: "the cluster",
                        reason: "has more than \(objectsMax) objects; "
                            + "look at one namespace after the other"))
                break
            }
        }
        return outcome
    }

    static func isUnknownKind(_ failure: KubernetesFailure?) -> Bool {
        if case .notFound = failure { return true }
        return false
    }

    static func concernsEverything(_ failure: KubernetesFailure) -> Bool {
        switch failure {
        case .unreachable, .timedOut, .tlsFailed, .credentialUnavailable, .configurationInvalid,
            .cancelled, .unauthorized:
            true
        default: false
        }
    }

    // MARK: - One kind

    private func objects(
        of kind: ScannedKind, _ tell: (Int) -> Void
    ) async throws(KubernetesFailure) -> Outcome {
        var attempt = 1
        var versions = kind.versions[...]
        while true {
            let version = versions.first ?? "v1"
            do throws(KubernetesFailure) {
                return try await objects(of: kind, version, tell)
            } catch {
                if Self.isUnknownKind(error), versions.count > 1 {
                    versions = versions.dropFirst()
                } else if error == .gone, attempt < Self.attemptsMax {
                    attempt += 1
                } else {
                    throw error
                }
            }
        }
    }

    private func objects(
        of kind: ScannedKind, _ version: String, _ tell: (Int) -> Void
    ) async throws(KubernetesFailure) -> Outcome {
        var outcome = Outcome()
        var continuation: String?
        var pages = 0
        repeat {
            pages += 1
            guard pages <= pagesMax else {
                outcome.unread.append(
                    UnreadObject(
                        source: "the cluster's \(kind.name)",
                        reason: "come on more than \(pagesMax) pages"))
                return outcome
            }
            let page = try await reader.list(
                kind.collection(version, namespace), ObjectSelection(),
                limit: KubernetesLimits.pageItemsMax, continuation: continuation)
            for item in page.items {
                switch Self.object(item, kind, version) {
                case .success(let object): outcome.objects.append(object)
                case .failure(let failure): outcome.unread.append(failure)
                }
            }
            tell(outcome.objects.count)
            continuation = page.continuation
            // Of one more than may be looked at, nothing more is fetched.
        } while continuation != nil && outcome.objects.count <= objectsMax
        return outcome
    }

    private static func object(
        _ item: [UInt8], _ kind: ScannedKind, _ version: String
    ) -> Result<ClusterObject, UnreadObject> {
        let source = "the cluster's \(kind.name)"
        guard var tree = try? JSONTree(item), tree.members != nil else {
            return .failure(UnreadObject(source: source, reason: "has an item that is no object"))
        }
        // Items of built-in kinds do not say what they are.
        tree["kind"] = tree["kind"] ?? .string(kind.kind)
        tree["apiVersion"] = tree["apiVersion"] ?? .string(kind.apiVersion(version))
        do throws(ClusterObject.Failure) {
            return .success(try ClusterObject(tree, source: "cluster"))
        } catch { return .failure(UnreadObject(source: source, reason: error.reason)) }
    }
}

extension KubernetesFailure {
    /// For whoever runs the scan: what to do about it.
    package var text: String {
        switch self {
        case .forbidden: "may not be listed by this user; see docs/how-to/find-what-is-exposed.md"
        case .unauthorized: "the server does not know who asks; renew the credential"
        case .notFound: "the server does not know this kind"
        case .timedOut(let host): "\(host) gave no answer in time"
        case .unreachable(let host, let detail): "\(host) is not reached: \(detail)"
        case .tlsFailed(let host, let detail):
            "the certificate of \(host) is not trusted: \(detail)"
        case .credentialUnavailable(let detail), .configurationInvalid(let detail): detail
        case .tooManyRequests: "the server has too many requests; try again later"
        case .serverError(let status, _): "the server failed (\(status))"
        case .responseTooLarge(_, let limit): "an answer is larger than \(limit) bytes"
        case .responseMalformed(_, let detail): "an answer is none: \(detail)"
        case .gone: "it changes faster than it can be read"
        case .cancelled: "it was given up"
        default: "\(self)"
        }
    }
}
