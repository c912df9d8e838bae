// SPDX-License-Identifier: Apache-2.0
internal import Injection
internal import KubernetesFormat
package import KubernetesPorts
internal import Ports

/// Writes into each `CloudTaserPolicy` whether it is in force, and if not, what to do: condition
/// `InForce`. Several policies stand in each other's way, and each of them says so.
package struct PolicyStatus: Sendable {
    package static let condition = "InForce"
    package static let lookEvery = Duration.seconds(10)
    /// Names that a message has at most.
    static let namesMax = 4
    /// Policies that are told of: more are certainly a mistake.
    static let policiesMax = 100

    private let api: any KubernetesAPI
    private let clock: any AsyncTimeSource
    private let report: @Sendable (KubernetesFailure) -> Void

    package init(
        api: any KubernetesAPI, clock: any AsyncTimeSource,
        report: @escaping @Sendable (KubernetesFailure) -> Void = { _ in }
    ) {
        self.api = api
        self.clock = clock
        self.report = report
    }

    /// While `isCurrent` and until the task is cancelled.
    package func run(while isCurrent: @escaping @Sendable () -> Bool) async {
        while isCurrent(), !Task.isCancelled {
            do throws(KubernetesFailure) {
                try await look(while: isCurrent)
            } catch { report(error) }
            await clock.sleep(for: Self.lookEvery)
        }
    }

    private func look(
        while isCurrent: @Sendable () -> Bool
    ) async throws(KubernetesFailure) {
        let page = try await api.list(
            ClusterPolicies.collection, ObjectSelection(), limit: Self.policiesMax,
            continuation: nil)
        let policies = page.items.compactMap { try? JSONTree($0) }
        let names = policies.compactMap { $0.value(at: "metadata", "name")?.text }.sorted()
        for policy in policies {
            guard isCurrent(), !Task.isCancelled else { return }
            guard let name = policy.value(at: "metadata", "name")?.text,
                let status = wantedStatus(of: policy, Self.verdict(on: policy, among: names))
            else { continue }
            let version = policy.value(at: "metadata", "resourceVersion") ?? .null
            let patch: JSONTree = ["metadata": ["resourceVersion": version], "status": status]
            do throws(KubernetesFailure) {
                _ = try await api.patch(
                    ClusterPolicies.collection.object(name).status, .merge, patch.rendered(),
                    WriteOptions())
            } catch {
                // Somebody has changed or deleted it: the next look sees that.
                switch error {
                case .conflict, .notFound: continue
                default: throw error
                }
            }
        }
    }

    private struct Verdict {
        let holds: Bool
        let reason: String
        let message: String
    }

    private static func verdict(on policy: JSONTree, among names: [String]) -> Verdict {
        guard names.count == 1 else {
            let shown = names.prefix(namesMax).joined(separator: ", ")
            let more = names.count > namesMax ? ", …" : ""
            return Verdict(
                holds: false, reason: "SeveralPolicies",
                message: "the cluster has \(names.count) CloudTaserPolicies (\(shown)\(more)), so "
                    + "that none counts and every pod that asks is refused; delete all but one")
        }
        do throws(Refusal) {
            _ = try CloudTaserPolicy(spec: (policy["spec"] ?? .object([])).rendered())
        } catch {
            return Verdict(
                holds: false, reason: "Unusable",
                message: "spec.\(error.message); every pod that asks is refused until then")
        }
        return Verdict(
            holds: true, reason: "Applied", message: "pods that ask are injected by this policy")
    }

    /// nil: it stands there already.
    private func wantedStatus(of policy: JSONTree, _ verdict: Verdict) -> JSONTree? {
        let all = policy.value(at: "status", "conditions")?.elements ?? []
        let before = all.first { $0["type"]?.text == Self.condition }
        let generation = policy.value(at: "metadata", "generation") ?? 0
        let state: JSONTree = verdict.holds ? "True" : "False"
        let isOfBefore = before?["status"] == state
        let now = JSONTree.string(WallClockText.seconds(clock.secondsSince1970()))
        let condition: JSONTree = [
            "type": .string(Self.condition), "status": state, "reason": .string(verdict.reason),
            "message": .string(verdict.message), "observedGeneration": generation,
            "lastTransitionTime": isOfBefore ? before?["lastTransitionTime"] ?? now : now,
        ]
        let isThere = ["status", "reason", "message", "observedGeneration"].allSatisfy {
            before?[$0] == condition[$0]
        }
        guard !isThere || policy.value(at: "status", "observedGeneration") != generation else {
            return nil
        }
        let others = all.filter { $0["type"]?.text != Self.condition }
        return ["observedGeneration": generation, "conditions": .array(others + [condition])]
    }
}
