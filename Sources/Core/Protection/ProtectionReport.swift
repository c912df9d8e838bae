// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// Whose pods a report is about.
package struct ReportedWorkload: Sendable, Hashable {
    package let namespace: String
    package let apiVersion: String
    package let kind: String
    package let name: String
    /// nil: it is known from an older report only.
    package let uid: String?

    package init(
        namespace: String, apiVersion: String, kind: String, name: String, uid: String?
    ) {
        self.namespace = namespace
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.uid = uid
    }

    /// What stays when the API's version changes or the workload is made anew.
    package struct Key: Sendable, Hashable, Comparable {
        package let namespace: String
        /// Empty: the core group.
        package let group: String
        package let kind: String
        package let name: String

        package static func < (left: Key, right: Key) -> Bool {
            (left.namespace, left.group, left.kind, left.name)
                < (right.namespace, right.group, right.kind, right.name)
        }
    }

    package var key: Key {
        let parts = apiVersion.split(separator: "/", maxSplits: 1)
        return Key(
            namespace: namespace, group: parts.count == 2 ? String(parts[0]) : "", kind: kind,
            name: name)
    }
}

/// `ProtectionReport` objects (deploy/helm/cloudtaser/templates/crd-protectionreport.yaml).
package enum ProtectionReport {
    package static let condition = "Protected"
    /// Of an object's name (a DNS subdomain, RFC 1123).
    package static let nameBytesMax = 253

    /// `deployment-web`; a longer name is cut and ends with a number that stays the same.
    ///
    /// - Parameter isTaken: somebody else's report has that name: it gets the number, too.
    package static func name(of workload: ReportedWorkload, isTaken: Bool = false) -> String {
        let whole = (workload.kind + "-" + workload.name).lowercased()
        guard isTaken || whole.utf8.count > nameBytesMax else { return whole }
        let key = workload.key
        let tail = "-" + StableHash.text("\(key.group)/\(key.kind)/\(key.name)")
        var head = Substring(whole)
        while head.utf8.count + tail.utf8.count > nameBytesMax || head.last == "."
            || head.last == "-"
        {
            head = head.dropLast()
        }
        return head + tail
    }

    /// nil: it names no workload.
    package static func workload(of report: JSONTree) -> ReportedWorkload? {
        guard let spec = report.value(at: "spec", "workload"),
            let namespace = report.value(at: "metadata", "namespace")?.text,
            let apiVersion = spec["apiVersion"]?.text, let kind = spec["kind"]?.text,
            let name = spec["name"]?.text
        else { return nil }
        return ReportedWorkload(
            namespace: namespace, apiVersion: apiVersion, kind: kind, name: name, uid: nil)
    }

    /// Whether it goes with a workload of that name that was there before: the garbage collector
    /// deletes it.
    package static func isOfAnEarlier(_ workload: ReportedWorkload, _ report: JSONTree) -> Bool {
        guard let uid = workload.uid else { return false }
        let owners = report.value(at: "metadata", "ownerReferences")?.elements ?? []
        return owners.contains { owner in
            owner["kind"]?.text == workload.kind && owner["name"]?.text == workload.name
                && owner["uid"]?.text != uid
        }
    }

    /// A new report, without a status: that is written at a path of its own.
    package static func document(
        of workload: ReportedWorkload, named name: String
    ) -> JSONTree {
        let identity: JSONTree = [
            "apiVersion": .string(workload.apiVersion), "kind": .string(workload.kind),
            "name": .string(workload.name),
        ]
        var metadata: JSONTree = [
            "name": .string(name), "namespace": .string(workload.namespace),
        ]
        if let uid = workload.uid {
            var owner = identity
            owner["uid"] = .string(uid)
            metadata["ownerReferences"] = .array([owner])
        }
        return [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "ProtectionReport",
            "metadata": metadata, "spec": ["workload": identity],
        ]
    }

    /// A merge patch (RFC 7396) of the status; nil: it says so already.
    ///
    /// - Parameters:
    ///   - report: as it is stored.
    ///   - now: seconds since 1970.
    package static func patch(
        of report: JSONTree, to verdict: ProtectionVerdict, at now: Int64
    ) -> JSONTree? {
        let all = report.value(at: "status", "conditions")?.elements ?? []
        let before = all.first { $0["type"]?.text == condition }
        let generation = report.value(at: "metadata", "generation") ?? 0
        let state = JSONTree.string(verdict.status.rawValue)
        let time = JSONTree.string(WallClockText.seconds(now))
        let isOfBefore = before?["status"] == state
        let wanted: JSONTree = [
            "type": .string(condition), "status": state,
            "reason": .string(verdict.reason.rawValue), "message": .string(verdict.message),
            "observedGeneration": generation,
            "lastTransitionTime": isOfBefore ? before?["lastTransitionTime"] ?? time : time,
        ]
        let facts = facts(verdict.facts)
        let hasFacts = facts.allSatisfy { member in
            (report.value(at: "status", "facts", member.name) ?? .null) == member.value
        }
        guard
            before != wanted || !hasFacts
                || report.value(at: "status", "observedGeneration") != generation
        else { return nil }
        let others = all.filter { $0["type"]?.text != condition }
        return [
            "metadata": [
                "resourceVersion": report.value(at: "metadata", "resourceVersion") ?? .null
            ],
            "status": [
                "observedGeneration": generation, "conditions": .array(others + [wanted]),
                "facts": .object(facts),
            ],
        ]
    }

    /// Null takes away what is not known any more. What somebody else has measured stays.
    private static func facts(_ facts: ProtectionFacts) -> [JSONTree.Member] {
        [
            .init("pods", .number(String(facts.pods))),
            .init("enrolledPods", .number(String(facts.enrolledPods))),
            .init("enforcementTier", facts.tier.map { .string($0.rawValue) } ?? .null),
            .init("mode", facts.mode.map { .string($0.rawValue) } ?? .null),
            .init("outputIsScanned", facts.isOutputScanned.map { .bool($0) } ?? .null),
        ]
    }
}
