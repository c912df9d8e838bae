// SPDX-License-Identifier: Apache-2.0
package import KubernetesPorts

/// Asks a cluster for one object of each kind that a scan reads: who asks learns what a scan would
/// not be able to read.
package struct ReadingRights: Sendable {
    package struct Answer: Sendable, Equatable {
        /// As a rule of RBAC names it: `deployments.apps`.
        package let name: String
        /// nil: it may be listed, or the server does not know this custom kind.
        package let failure: KubernetesFailure?
    }

    private let reader: any KubernetesReading
    private let namespace: String?

    /// - Parameter namespace: the one to ask in; nil: all.
    package init(_ reader: any KubernetesReading, namespace: String? = nil) {
        self.reader = reader
        self.namespace = namespace
    }

    /// - Returns: an answer for each kind that the server has.
    /// - Throws: what keeps every question from being answered.
    package func answers(
        kinds: [ScannedKind] = ScannedKind.all
    ) async throws(KubernetesFailure) -> [Answer] {
        var found: [Answer] = []
        for kind in kinds {
            let failure = await failure(of: kind)
            if let failure, ClusterScan.concernsEverything(failure) { throw failure }
            guard kind.isBuiltIn || !ClusterScan.isUnknownKind(failure) else { continue }
            found.append(Answer(name: kind.name, failure: failure))
        }
        return found
    }

    private func failure(of kind: ScannedKind) async -> KubernetesFailure? {
        var last: KubernetesFailure?
        for version in kind.versions {
            do throws(KubernetesFailure) {
                _ = try await reader.list(
                    kind.collection(version, namespace), ObjectSelection(), limit: 1,
                    continuation: nil)
                return nil
            } catch {
                last = error
                guard ClusterScan.isUnknownKind(error) else { return error }
            }
        }
        return last
    }
}
