// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Who is at the top of each workload: pods come and go, their Deployment stays.
struct Owners: Sendable {
    /// From pod to ReplicaSet to Deployment is 2; operators put their own kinds above.
    private static let depthMax = 8

    private let workloads: [String: Workload]

    init(_ workloads: [Workload]) {
        self.workloads = Dictionary(
            workloads.filter { !$0.isPod }.map { ($0.place, $0) },
            uniquingKeysWith: { first, _ in first })
    }

    /// `Deployment shop/web`; the object itself where nothing made it.
    func owner(of workload: Workload) -> String {
        var current = workload
        for _ in 0..<Self.depthMax {
            guard let controller = current.controller else { return current.object.reference }
            guard let next = workloads["\(current.object.namespace)/\(controller)"] else {
                return Self.unread(controller, above: current)
            }
            current = next
        }
        return current.object.reference
    }

    /// Of a controller that was not read. A ReplicaSet of a Deployment carries the hash of its
    /// template behind the Deployment's name, and its pods carry the hash as a label
    /// (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/).
    private static func unread(_ controller: String, above workload: Workload) -> String {
        let parts = controller.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return workload.object.reference }
        let place = workload.object.namespace
        if parts[0] == "ReplicaSet", let hash = workload.label("pod-template-hash"),
            parts[1].hasSuffix("-\(hash)")
        {
            return "Deployment \(place)/\(parts[1].dropLast(hash.count + 1))"
        }
        return "\(parts[0]) \(place)/\(parts[1])"
    }
}

extension Workload {
    /// `ReplicaSet/web-5d4f`; nil when nothing made it.
    fileprivate var controller: String? {
        controllerPlace.map { String($0.dropFirst(object.namespace.count + 1)) }
    }
}
