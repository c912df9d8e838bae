// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import TestKit
import Testing

@Suite("Where the S3 proxy runs") struct ProxyPlacementTests {
    /// Without the chart's labels; a pod of the operator beside it is none.
    private func cluster(proxyImage: String?) throws -> Audit {
        func spec(_ image: String) -> JSONTree {
            ["containers": [["name": "app", "image": .string(image)]]]
        }
        let images = ["registry.example.eu/cloudtaser-operator:1"] + (proxyImage.map { [$0] } ?? [])
        return Audit(
            Inventory(
                try images.enumerated().map { try Objects.deployment("app-\($0)", spec($1)) }))
    }

    @Test(
        "where the S3 proxy runs is recorded, and in the cluster that is a limitation",
        .evidence(
            "SIM-S3-03",
            control: "the same cluster without the proxy has neither limitation nor finding"))
    func placement() throws {
        let labels: JSONTree = [
            "app.kubernetes.io/name": "cloudtaser", "app.kubernetes.io/component": "s3-proxy",
        ]
        let labelled = Audit(
            Inventory([
                try Objects.pod(
                    "proxy", ["containers": [["name": "app", "command": Objects.command]]],
                    labels: labels)
            ]))
        let named = try [
            "mirror.example.eu:5000/x/cloudtaser-s3-proxy@sha256:00",
            "cloudtaser-s3-proxy:1", "cloudtaser-s3-proxy",
        ].map { try cluster(proxyImage: $0) }
        for audit in named + [labelled] {
            #expect(audit.findings.map(\.id) == [.proxyInCluster])
            #expect(audit.json.value(at: "s3Proxy", "placement") == "inCluster")
            #expect(audit.json.value(at: "s3Proxy", "limitations") == ["L-PROXY"])
            #expect(audit.table.contains("limitation L-PROXY"))
        }
        let without = try cluster(proxyImage: nil)
        #expect(without.json.value(at: "s3Proxy", "placement") == "notSeen")
        #expect(without.table.contains("S3 proxy: not seen in the cluster"))
        Evidence.control(passed: without.findings.isEmpty && !without.proxy.isInCluster)
        Evidence.observe(
            "Of four clusters with the proxy, by labels or image, all had it recorded with "
                + "limitation L-PROXY and finding CT2005.")
    }

    @Test(arguments: ["cloudtaser-s3-proxy-tools:1", "cloudtaser-s3-proxy/other", ""])
    func `another image is not taken for the proxy`(image: String) throws {
        #expect(!(try cluster(proxyImage: image).proxy.isInCluster))
    }
}
