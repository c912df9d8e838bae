// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import Protection
import Testing

private func workload(
    _ name: String = "web", kind: String = "Deployment", api: String = "apps/v1",
    uid: String? = "u1"
) -> ReportedWorkload {
    ReportedWorkload(namespace: "shop", apiVersion: api, kind: kind, name: name, uid: uid)
}

private func node(_ ids: [String: Bool]) -> [String: NodeAnswer] {
    ["n1": .told(NodeProtection(tier: .lsm, mode: .deny, scans: true, containers: ids))]
}

private let pods = [
    RunningPod(name: "web-1", node: "n1", wrapped: [.init(name: "web", id: container("a"))])
]
private let good = ProtectionVerdict(pods, node([container("a"): true]))
private let bad = ProtectionVerdict(pods, node([:]))
private let silent = ProtectionVerdict(pods, ["n1": .unreachable("x")])

/// As the API server applies it (RFC 7396), to what there was before.
private func merged(_ patch: JSONTree, into old: JSONTree?) -> JSONTree {
    guard let members = patch.members else { return patch }
    var result = old?.members == nil ? JSONTree.object([]) : old ?? .object([])
    for member in members {
        result[member.name] =
            member.value == .null ? nil : merged(member.value, into: result[member.name])
    }
    return result
}

private func stored(_ generation: JSONTree = 1) -> JSONTree {
    var report = ProtectionReport.document(of: workload(), named: "deployment-web")
    var metadata = report["metadata"] ?? [:]
    metadata["generation"] = generation
    metadata["resourceVersion"] = "7"
    report["metadata"] = metadata
    return report
}

private func ownCondition(_ report: JSONTree) -> JSONTree? {
    report.value(at: "status", "conditions")?.elements?.first { $0["type"] == "Protected" }
}

@Suite struct `A report's name` {
    @Test func `is the workload's kind and name`() {
        #expect(ProtectionReport.name(of: workload()) == "deployment-web")
        #expect(ProtectionReport.name(of: workload("a.b", kind: "CronJob")) == "cronjob-a.b")
    }

    @Test func `is cut where it would be too long, and stays the same`() {
        let max = ProtectionReport.nameBytesMax
        let fitting = String(repeating: "a", count: max - "pod-".count)
        #expect(ProtectionReport.name(of: workload(fitting, kind: "Pod")) == "pod-" + fitting)
        let long = ProtectionReport.name(of: workload(fitting + "b", kind: "Pod"))
        #expect(long.utf8.count == max && long.hasPrefix("pod-aaaa"))
        #expect(long == ProtectionReport.name(of: workload(fitting + "b", kind: "Pod", uid: "u2")))
        #expect(long != ProtectionReport.name(of: workload(fitting + "c", kind: "Pod")))
        // No label of it may begin or end with a dash.
        let dotted = String(repeating: "a", count: 230) + ".-" + String(repeating: "b", count: 20)
        let cut = ProtectionReport.name(of: workload(dotted, kind: "Pod"))
        #expect(cut.hasPrefix("pod-" + String(repeating: "a", count: 230) + "-"))
        #expect(!cut.contains(".") && cut.utf8.count < max)
    }

    @Test func `is another one where somebody else has it`() {
        let own = ProtectionReport.name(of: workload(api: "example.eu/v1"), isTaken: true)
        #expect(own.hasPrefix("deployment-web-") && own.utf8.count == "deployment-web-".count + 16)
        #expect(own != ProtectionReport.name(of: workload(), isTaken: true))
        #expect(own == ProtectionReport.name(of: workload(api: "example.eu/v2"), isTaken: true))
    }
}

@Suite struct `A report` {
    @Test func `names its workload and goes with it`() {
        let report = ProtectionReport.document(of: workload(), named: "deployment-web")
        #expect(report["kind"] == "ProtectionReport" && report["status"] == nil)
        let identity: JSONTree = ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"]
        #expect(report.value(at: "spec", "workload") == identity)
        var owner = identity
        owner["uid"] = "u1"
        #expect(report.value(at: "metadata", "ownerReferences") == [owner])
        #expect(ProtectionReport.workload(of: report)?.key == workload().key)
        #expect(ProtectionReport.workload(of: ["metadata": ["namespace": "shop"]]) == nil)
        let without = ProtectionReport.document(of: workload(uid: nil), named: "a")
        #expect(without.value(at: "metadata", "ownerReferences") == nil)
    }

    @Test func `is known again when the API's version is another`() {
        #expect(workload(api: "apps/v2").key == workload().key)
        #expect(workload(api: "example.eu/v1").key != workload().key)
        #expect(workload(kind: "Pod", api: "v1").key.group == "")
    }

    @Test func `of a workload that was there before is not written`() {
        let report = ProtectionReport.document(of: workload(), named: "deployment-web")
        #expect(!ProtectionReport.isOfAnEarlier(workload(), report))
        #expect(ProtectionReport.isOfAnEarlier(workload(uid: "u2"), report))
        #expect(!ProtectionReport.isOfAnEarlier(workload("other", uid: "u2"), report))
        #expect(!ProtectionReport.isOfAnEarlier(workload(uid: nil), report))
    }
}

@Suite struct `A report's status` {
    @Test func `says what is known`() throws {
        let report = merged(
            try #require(ProtectionReport.patch(of: stored(), to: good, at: 0)), into: stored())
        #expect(
            report.value(at: "status", "facts")
                == [
                    "pods": 1, "enrolledPods": 1, "enforcementTier": "lsm", "mode": "deny",
                    "outputIsScanned": true,
                ])
        #expect(report.value(at: "status", "observedGeneration") == 1)
        let condition = try #require(ownCondition(report))
        #expect(condition["status"] == "True" && condition["reason"] == "AllEnrolled")
        #expect(condition["observedGeneration"] == 1)
        #expect(condition["lastTransitionTime"] == "1970-01-01T00:00:00Z")
    }

    @Test func `is written of the state that was seen`() throws {
        let patch = try #require(ProtectionReport.patch(of: stored(), to: good, at: 0))
        #expect(patch.value(at: "metadata", "resourceVersion") == "7")
        #expect(patch["spec"] == nil)
    }

    @Test func `is not written when it says so already`() throws {
        var report = stored()
        for verdict in [good, bad, silent] {
            let patch = try #require(ProtectionReport.patch(of: report, to: verdict, at: 5))
            report = merged(patch, into: report)
            #expect(ProtectionReport.patch(of: report, to: verdict, at: 9) == nil)
        }
        // Each of these is a change.
        var other = merged(
            try #require(ProtectionReport.patch(of: stored(), to: good, at: 0)),
            into: stored())
        other["status"] = merged(["facts": ["pods": 2]], into: other["status"])
        #expect(ProtectionReport.patch(of: other, to: good, at: 0) != nil)
        #expect(ProtectionReport.patch(of: stored(2), to: good, at: 0) != nil)
    }

    @Test func `keeps the time of a condition that stays, and drops facts that nobody knows`()
        throws
    {
        var report = merged(
            try #require(ProtectionReport.patch(of: stored(), to: bad, at: 0)), into: stored())
        let more = ProtectionVerdict(
            pods + [RunningPod(name: "web-2", node: "n1", wrapped: [.init(name: "a", id: nil)])],
            node([:]))
        report = merged(
            try #require(ProtectionReport.patch(of: report, to: more, at: 60)), into: report)
        #expect(ownCondition(report)?["lastTransitionTime"] == "1970-01-01T00:00:00Z")
        report = merged(
            try #require(ProtectionReport.patch(of: report, to: silent, at: 120)), into: report)
        #expect(ownCondition(report)?["lastTransitionTime"] == "1970-01-01T00:02:00Z")
        #expect(report.value(at: "status", "facts") == ["pods": 1, "enrolledPods": 0])
    }

    @Test func `leaves what others have written`() throws {
        var report = stored()
        report["status"] = [
            "score": 50, "facts": ["memoryTier": "locked"],
            "conditions": [["type": "Other", "status": "True"]],
        ]
        report = merged(
            try #require(ProtectionReport.patch(of: report, to: good, at: 0)), into: report)
        #expect(report.value(at: "status", "score") == 50)
        #expect(report.value(at: "status", "facts", "memoryTier") == "locked")
        let types = (report.value(at: "status", "conditions")?.elements ?? []).map { $0["type"] }
        #expect(types == ["Other", "Protected"])
    }
}
