// SPDX-License-Identifier: Apache-2.0
package import Injection
internal import KubernetesFormat
package import KubernetesPorts

/// What is known of the cluster's policy.
package enum PolicyState: Sendable, Equatable {
    /// Nothing has been read yet.
    case unknown
    case absent
    case one(CloudTaserPolicy)
    /// Which of them counts is not decided: their names, sorted.
    case several([String])
    /// There is one, and it cannot be used: its name and why.
    case unusable(name: String, reason: String)

    /// Why nobody may be injected; nil: somebody may.
    package var obstacle: String? {
        switch self {
        case .one: nil
        case .unknown: "the operator has not read the CloudTaserPolicy yet; try again"
        case .absent: "the cluster has no CloudTaserPolicy; create one that grants the vault"
        case .several(let names):
            "the cluster has \(names.count) CloudTaserPolicies "
                + "(\(names.prefix(4).joined(separator: ", "))); keep one"
        case .unusable(let name, let reason): "the CloudTaserPolicy \(name) is no policy: \(reason)"
        }
    }
}

package protocol PolicySource: Sendable {
    var policyState: PolicyState { get }
}

/// A policy that does not change.
package struct FixedPolicy: PolicySource {
    package let policyState: PolicyState

    package init(_ policy: CloudTaserPolicy) { policyState = .one(policy) }
}

/// The policy that the cluster has, followed by a watch.
package struct ClusterPolicies: PolicySource {
    package static let collection = ResourceCollection(
        group: "cloudtaser.io", version: "v1alpha1", resource: "cloudtaserpolicies")

    package typealias Outcome = Result<CloudTaserPolicy, Refusal>
    package let mirror: ObjectMirror<Outcome>

    package init(
        api: any KubernetesAPI, clock: any AsyncTimeSource,
        report: @escaping @Sendable (KubernetesFailure) -> Void = { _ in }
    ) {
        mirror = ObjectMirror(
            api: api, clock: clock, collection: Self.collection, report: report
        ) { object in
            do throws(Refusal) {
                return .success(
                    try CloudTaserPolicy(spec: (object["spec"] ?? .object([])).rendered()))
            } catch { return .failure(error) }
        }
    }

    package var policyState: PolicyState {
        guard let policies = mirror.values else { return .unknown }
        guard let first = policies.first else { return .absent }
        guard policies.count == 1 else { return .several(policies.keys.sorted()) }
        switch first.value {
        case .success(let policy): return .one(policy)
        case .failure(let refusal):
            return .unusable(name: first.key, reason: "spec.\(refusal.message)")
        }
    }
}
