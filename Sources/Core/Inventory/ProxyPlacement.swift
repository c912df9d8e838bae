// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Where the S3 proxy runs, as far as stored objects tell it. One outside the cluster is not among
/// them, so that "not seen" says nothing of where it is or whether there is one.
package struct ProxyPlacement: Sendable {
    /// Where it runs in the cluster: content and keys are in the provider's memory then.
    package static let limitation = "L-PROXY"

    /// Workloads of the cluster that are the proxy; empty: none was seen.
    package let objects: [String]
    let findings: [Finding]

    private static let image = "cloudtaser-s3-proxy"

    init(_ inventory: Inventory) {
        let proxies = inventory.running.filter { !$0.isOver && Self.isProxy($0) }.map(\.object)
        objects = proxies.map(\.reference)
        findings = proxies.map { object in
            Finding(
                id: .proxyInCluster, object: object.reference, container: nil, path: "",
                message: FindingID.proxyInCluster.title, source: object.source)
        }
    }

    package var isInCluster: Bool { !objects.isEmpty }

    /// By the chart's labels, or by an image of that name from wherever it was pulled.
    package static func isProxy(_ workload: Workload) -> Bool {
        if workload.label(Coverage.partOf) == Coverage.product,
            workload.label(Coverage.label) == "s3-proxy"
        {
            return true
        }
        return workload.containers.contains { container in
            let reference = container.tree["image"]?.text ?? ""
            let last = reference.split(separator: "/").last ?? ""
            return last.prefix { $0 != ":" && $0 != "@" } == image
        }
    }

    package var line: String {
        guard isInCluster else {
            return "S3 proxy: not seen in the cluster; where one outside runs is not read here"
        }
        return "S3 proxy: in the cluster (\(objects.joined(separator: ", "))), limitation "
            + Self.limitation
    }

    var json: JSONTree {
        guard isInCluster else { return ["placement": "notSeen"] }
        return [
            "placement": "inCluster", "objects": .array(objects.map { .string($0) }),
            "limitations": [.string(Self.limitation)],
        ]
    }
}
