// SPDX-License-Identifier: Apache-2.0
internal import Destinations
package import Inventory
package import KubernetesFormat

/// What the policies that were read allow and deny of each pod, in both directions.
package struct PolicyCheck: Sendable {
    package struct Row: Sendable {
        package let workload: String
        package let direction: NetworkPolicy.Direction
        /// `vault 10.0.0.0/24 TCP 8200`.
        package let peer: String
        package let allowed: Extent
        /// Why: policies, or that there is none.
        package let reason: String
    }

    package let rows: [Row]
    package let unread: [UnreadObject]
    package let enforcement: PolicyEnforcement

    /// - Parameter settings: nil: vault, name servers and store are not asked about.
    package init(
        _ inventory: Inventory, _ objects: [ClusterObject], _ settings: EgressSettings?,
        protectedOnly: Bool = false
    ) {
        var policies: [NetworkPolicy] = []
        var unread = inventory.unread
        unread += objects.filter(Self.isOther).map { object in
            UnreadObject(
                source: object.place,
                reason: "\(object.reference) is a policy of another kind, which is not evaluated")
        }
        for object in objects where NetworkPolicy.isOne(object) {
            do throws(NetworkPolicy.Failure) { policies.append(try NetworkPolicy(object)) } catch {
                unread.append(UnreadObject(source: object.place, reason: error.reason))
            }
        }
        let evaluator = PolicyEvaluator(policies)
        let questions = Self.questions(
            settings, namespaces: NetworkSubject.namespaceLabels(in: objects))
        rows = NetworkSubject.all(of: inventory.running, in: objects)
            .filter { !protectedOnly || $0.workload.isProtected || $0.isProxy }
            .flatMap { Self.rows(of: $0, evaluator, questions) }
        self.unread = unread
        enforcement = PolicyEnforcement(objects)
    }

    /// Policies of network plugins and administrators, which may allow and deny as well.
    private static func isOther(_ object: ClusterObject) -> Bool {
        let groups = [
            "cilium.io", "crd.projectcalico.org", "projectcalico.org", "crd.antrea.io",
            "policy.networking.k8s.io",
        ]
        return groups.contains(object.group) && object.kind.hasSuffix("NetworkPolicy")
    }

    private static func rows(
        of subject: NetworkSubject, _ evaluator: PolicyEvaluator, _ questions: [Question]
    ) -> [Row] {
        let name = subject.workload.object.reference
        guard !subject.isOnHostNetwork else {
            return NetworkPolicy.Direction.allCases.map {
                Row(
                    workload: name, direction: $0, peer: "everything", allowed: .all,
                    reason: "on the node's network: policies do not apply")
            }
        }
        return questions.map { question in
            let verdict = evaluator.verdict(
                question.direction, of: subject.pod, with: question.peer, question.port,
                beyond: question.known)
            let names = verdict.policies.joined(separator: ", ")
            return Row(
                workload: name, direction: question.direction, peer: question.name,
                allowed: verdict.allowed,
                reason: verdict.isUnrestricted
                    ? "no policy selects it" : verdict.allowed == .none ? "by \(names)" : names)
        }
    }

    private struct Question {
        let direction: NetworkPolicy.Direction
        let name: String
        let peer: NetworkPeer
        let port: NetworkPort
        var known: [NetworkPrefix] = []
    }

    private static func questions(
        _ settings: EgressSettings?, namespaces: [String: [String: String]]
    ) -> [Question] {
        var found: [Question] = []
        var known: [NetworkPrefix] = []
        if let settings {
            for (word, networks, port) in [
                ("vault", settings.vault, settings.vaultPort),
                ("store", settings.upstream, settings.upstreamPort),
            ] {
                found += networks.map {
                    Question(
                        direction: .egress, name: "\(word) \($0.text) TCP \(port)",
                        peer: .addresses($0), port: NetworkPort(.tcp, port))
                }
            }
            let place = settings.names.place
            let server = NetworkPod(
                namespace: place.namespace,
                namespaceLabels: namespaces[place.namespace] ?? [:],
                labels: [place.label: place.value])
            for transport in [NetworkPolicy.TransportProtocol.udp, .tcp] {
                found.append(
                    Question(
                        direction: .egress,
                        name: "name servers \(transport.rawValue) \(place.port)",
                        peer: .pod(server), port: NetworkPort(transport, place.port)))
            }
            known = settings.vault + settings.upstream
            if let address = place.address, let prefix = try? NetworkPrefix(address) {
                known.append(prefix)
                found.append(
                    Question(
                        direction: .egress, name: "name server of the node UDP \(place.port)",
                        peer: .addresses(prefix), port: NetworkPort(.udp, place.port)))
            }
        }
        for direction in [NetworkPolicy.Direction.egress, .ingress] {
            let word = direction == .egress ? "to" : "from"
            for (family, prefix) in [
                ("IPv4", NetworkPrefix.everyVersion4), ("IPv6", .everyVersion6),
            ] {
                found.append(
                    Question(
                        direction: direction, name: "\(word) any other \(family) address, TCP",
                        peer: .addresses(prefix), port: NetworkPort(.tcp, nil),
                        known: direction == .egress ? known : []))
            }
            for (words, isOwn) in [("its namespace", true), ("other namespaces", false)] {
                found.append(
                    Question(
                        direction: direction, name: "\(word) any pod of \(words), TCP",
                        peer: .anyPod(inOwnNamespace: isOwn), port: NetworkPort(.tcp, nil)))
            }
        }
        return found
    }

    package var table: String {
        var lines: [String] = []
        if !rows.isEmpty {
            lines += TextTable.lines(
                ["WORKLOAD", "DIRECTION", "WITH", "ALLOWED", "WHY"],
                rows.map {
                    [
                        $0.workload, $0.direction.rawValue.lowercased(), $0.peer,
                        $0.allowed.rawValue, $0.reason,
                    ]
                })
            lines.append("")
        }
        lines += unread.map { "not read: \($0.source): \($0.reason)" }
        lines.append(enforcement.line)
        return TextTable.text(lines)
    }

    package var json: JSONTree {
        [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "NetworkPolicyCheck",
            "enforcement": .string(enforcement.line),
            "rows": .array(
                rows.map { row in
                    [
                        "workload": .string(row.workload),
                        "direction": .string(row.direction.rawValue), "with": .string(row.peer),
                        "allowed": .string(row.allowed.rawValue), "why": .string(row.reason),
                    ]
                }), "unread": .array(unread.map(\.json)),
        ]
    }
}
