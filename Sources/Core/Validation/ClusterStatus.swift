// SPDX-License-Identifier: Apache-2.0
internal import Injection
internal import Inventory
package import KubernetesFormat
internal import Reporting

/// How the product does in a cluster, on one screen: for somebody who was woken by it.
package struct ClusterStatus: Sendable {
    package struct Line: Sendable, Equatable {
        package enum State: String, Sendable, CaseIterable {
            case ok, degraded, down
            /// It was not read, or cannot be.
            case unknown
        }

        package let name: String
        package let state: State
        package let detail: String
        /// A page of docs/runbooks; empty where all is well.
        package let runbook: String

        init(_ name: String, _ state: State, _ detail: String, runbook: String = "") {
            self.name = name
            self.state = state
            self.detail = detail
            self.runbook = state == .ok || runbook.isEmpty ? "" : "docs/runbooks/\(runbook).md"
        }

        var json: JSONTree {
            var tree: JSONTree = [
                "name": .string(name), "state": .string(state.rawValue),
                "detail": .string(detail),
            ]
            if !runbook.isEmpty { tree["runbook"] = .string(runbook) }
            return tree
        }
    }

    /// Pods that are named in a line; further ones are counted.
    static let namedMax = 3

    package let lines: [Line]

    /// - Parameter withVaults: false: nobody wanted them to be looked at.
    package init(_ input: ValidationInput, withVaults: Bool = true) {
        let installation = Installation(input.inventory)
        let reading = PolicyReading(input.inventory)
        lines =
            [
                Self.operators(input, installation), Self.webhook(input),
                Self.policy(input, reading),
                Self.agents(input, installation, reading), Self.pods(input), Self.reports(input),
                Self.proxies(input, installation),
            ] + (withVaults ? [Self.vaults(input)] : [])
    }

    package func has(_ state: Line.State) -> Bool { lines.contains { $0.state == state } }

    package var text: String {
        let rows = lines.map { [$0.state.rawValue, $0.name, $0.detail, $0.runbook] }
        return TextTable.lines(["STATE", "WHAT", "DETAIL", "RUNBOOK"], rows).map { line in
            var line = Substring(line)
            while line.last == " " { line = line.dropLast() }
            return String(line)
        }.joined(separator: "\n")
    }

    package var json: JSONTree {
        let worst: Line.State =
            [.down, .degraded, .unknown].first { has($0) } ?? .ok
        return [
            "schemaVersion": "1", "state": .string(worst.rawValue),
            "lines": .array(lines.map(\.json)),
        ]
    }

    // MARK: - Lines

    private static func operators(_ input: ValidationInput, _ there: Installation) -> Line {
        let runbook = "operator-down"
        guard !there.operators.isEmpty else {
            let isMeant = input.isMissingInNamespacesMeant("deployments.apps")
            return Line(
                "operator", isMeant ? .down : .unknown,
                isMeant ? "no Deployment of the operator" : "its Deployment was not read",
                runbook: runbook)
        }
        let text = there.operators.map { "\($0.object.reference): \($0.text)" }
            .joined(separator: "; ")
        let isDown = there.operators.allSatisfy { ($0.ready ?? 0) == 0 }
        let isWhole = there.operators.allSatisfy { $0.isWhole && $0.ready != nil }
        return Line(
            "operator", isDown ? .down : isWhole ? .ok : .degraded, text, runbook: runbook)
    }

    private static func webhook(_ input: ValidationInput) -> Line {
        let webhook = WebhookView(input.inventory)
        let resource = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        guard !webhook.webhooks.isEmpty else {
            let isMeant = input.isMissingMeant(resource)
            return Line(
                "webhook", isMeant ? .down : .unknown,
                isMeant
                    ? "no configuration: no pod is wrapped"
                    : "its configuration was not read",
                runbook: "pods-not-injected")
        }
        guard webhook.webhooks.allSatisfy(\.failsClosed) else {
            return Line(
                "webhook", .degraded, "fails open: while the operator is away, no pod is wrapped",
                runbook: "webhook-failing")
        }
        guard webhook.faults.isEmpty else {
            return Line(
                "webhook", .down, webhook.faults.map(\.text).joined(separator: "; "),
                runbook: "webhook-failing")
        }
        let lives = CertificateLife.all(inPEM: webhook.webhooks[0].bundle).compactMap { $0 }
        let until = lives.map(\.notAfter).max() ?? input.now
        let standings = lives.map { $0.standing(at: input.now) }
        // After a rotation an older authority may be over while a newer one is in force.
        guard standings.contains(.valid) else {
            let text = "its authority ends at \(WallClockText.seconds(until))"
            let isOver = !standings.isEmpty && !standings.contains(.ending)
            return Line(
                "webhook", lives.isEmpty ? .unknown : isOver ? .down : .degraded,
                lives.isEmpty ? "its caBundle cannot be read" : text,
                runbook: "certificate-expiring")
        }
        return Line("webhook", .ok, "fails closed; authority until \(WallClockText.seconds(until))")
    }

    private static func policy(_ input: ValidationInput, _ reading: PolicyReading) -> Line {
        guard reading.count > 0 else {
            let isMeant = input.isMissingMeant("cloudtaserpolicies.cloudtaser.io")
            return Line(
                "policy", isMeant ? .down : .unknown,
                isMeant ? "none: pods that ask are refused" : "none was read",
                runbook: "no-policy-in-force")
        }
        guard let first = reading.readable.first, reading.policy != nil else {
            let text = reading.findings.map(\.message).joined(separator: "; ")
            return Line("policy", .down, text, runbook: "no-policy-in-force")
        }
        return Line(
            "policy", .ok,
            "\(first.object.name): \(first.policy.vaults.count) vaults, "
                + "\(first.policy.grants.count) grants")
    }

    private static func agents(
        _ input: ValidationInput, _ there: Installation, _ reading: PolicyReading
    ) -> Line {
        let hasPods = input.inventory.workloads.contains(where: \.isPod)
        guard !there.nodes.isEmpty, input.scope == .cluster || hasPods else {
            return Line("agents", .unknown, "no Node and Pod was read", runbook: "agent-missing")
        }
        if there.covered == 0, reading.wantsNoAgent {
            return Line("agents", .ok, "none, as the policy says: \(Installation.kernelAlone)")
        }
        let bare = there.nodes.filter { !$0.hasAgent }.map(\.name)
        let text = "ready on \(there.covered) of \(there.nodes.count) nodes"
        guard !bare.isEmpty else { return Line("agents", .ok, text) }
        return Line(
            "agents", there.covered == 0 ? .down : .degraded, "\(text); not on \(named(bare))",
            runbook: "agent-missing")
    }

    private static func pods(_ input: ValidationInput) -> Line {
        let pods = input.inventory.workloads.filter { $0.isPod && !$0.isOver }
        guard !pods.isEmpty || input.scope == .cluster else {
            return Line("pods", .unknown, "none was read", runbook: "pods-not-injected")
        }
        let bare = pods.filter { !$0.bareContainers.isEmpty }
        let wrapped = pods.count { $0.bareContainers.isEmpty && $0.isProtected }
        let text = "\(wrapped) protected, \(bare.count) ask and are not wrapped"
        guard !bare.isEmpty else { return Line("pods", .ok, text) }
        let names = bare.map { "\($0.object.namespace)/\($0.object.name)" }
        return Line(
            "pods", .degraded, "\(text): \(named(names))", runbook: "pods-not-injected")
    }

    private static func reports(_ input: ValidationInput) -> Line {
        let reports = input.objects.filter { $0.kind == "ProtectionReport" }
        let runbook = "workloads-unprotected"
        guard !reports.isEmpty else {
            let isMeant = input.isMissingInNamespacesMeant("protectionreports.cloudtaser.io")
            return Line(
                "reports", isMeant ? .ok : .unknown,
                isMeant ? "none: no workload asks, or none was looked at" : "none was read",
                runbook: runbook)
        }
        var counts = ["True": 0, "False": 0, "Unknown": 0]
        var bad: [String] = []
        for report in reports {
            let conditions = report.tree.value(at: "status", "conditions")?.elements ?? []
            let status = conditions.first { $0["type"]?.text == "Protected" }?["status"]?.text
            let known = status.flatMap { counts[$0] == nil ? nil : $0 } ?? "Unknown"
            counts[known, default: 0] += 1
            if known == "False" { bad.append("\(report.namespace)/\(report.name)") }
        }
        let text = ["True", "False", "Unknown"].map { "\(counts[$0] ?? 0) \($0)" }
            .joined(separator: ", ")
        guard bad.isEmpty, counts["Unknown"] == 0 else {
            let suffix = bad.isEmpty ? "" : ": \(named(bad))"
            return Line("reports", .degraded, "Protected: \(text)\(suffix)", runbook: runbook)
        }
        return Line("reports", .ok, "Protected: \(text)")
    }

    private static func proxies(_ input: ValidationInput, _ there: Installation) -> Line {
        guard !there.proxies.isEmpty else {
            return Line("s3 proxy", .ok, "none in the cluster; one outside is not seen from here")
        }
        let text = there.proxies.map { "\($0.object.reference): \($0.text)" }
            .joined(separator: "; ")
        let isDown = there.proxies.contains { ($0.ready ?? 0) == 0 }
        let isWhole = there.proxies.allSatisfy { $0.isWhole && $0.ready != nil }
        return Line(
            "s3 proxy", isDown ? .down : isWhole ? .ok : .degraded, text,
            runbook: "s3-proxy-down")
    }

    private static func vaults(_ input: ValidationInput) -> Line {
        guard !input.vaults.isEmpty else {
            return Line(
                "vaults", .unknown, "none was looked at: no policy names one, nor --vault-address",
                runbook: "vault-unreachable")
        }
        let away = input.vaults.filter { !$0.isServing }
        let text = input.vaults.map { "\($0.address): \($0.state ?? $0.failure)" }
            .joined(separator: "; ")
        let isSealed = away.contains { $0.state == "sealed" }
        return Line(
            "vaults",
            away.isEmpty ? .ok : away.count == input.vaults.count ? .down : .degraded, text,
            runbook: isSealed ? "vault-sealed" : "vault-unreachable")
    }

    private static func named(_ names: [String]) -> String {
        let more = names.count - namedMax
        return names.prefix(namedMax).joined(separator: ", ")
            + (more > 0 ? " and \(more) more" : "")
    }
}
