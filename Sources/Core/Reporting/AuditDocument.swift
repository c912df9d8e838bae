// SPDX-License-Identifier: Apache-2.0
internal import Inventory

/// An audit as a report for people.
package struct AuditDocument {
    /// Objects that are named where many have the same to be done about.
    private static let namedMax = 3

    private let result: AuditResult
    private var audit: Audit { result.audit }
    private let regressions: [String]?

    /// - Parameter regressions: against a baseline; nil: there was none.
    package init(_ result: AuditResult, regressions: [String]? = nil) {
        self.result = result
        self.regressions = regressions
    }

    package var report: ReportDocument {
        ReportDocument(
            title: name.isEmpty ? "Audit" : "Audit of \(name)", header: header,
            verdict: verdict, figures: figures,
            sections: [
                worse, urgent, fixes, unread, population, workloads,
            ].compactMap { $0 } + (result.scores?.sections ?? [])
                + [nodes, vaults, proxy, findings, accepted, limits].compactMap { $0 })
    }

    private var name: String { result.declarations.cluster }

    private var header: [(name: String, value: String)] {
        let scenario = result.declarations.scenario
        return [
            ("time", result.run.time), ("source", result.run.source), ("tool", result.run.tool),
            ("command", result.run.command),
            ("deployment scenario", scenario.isEmpty ? "not declared" : "\(scenario) (declared)"),
        ]
    }

    private var verdict: String {
        let running = audit.count(.protected) + audit.count(.unprotected)
        let exposed = audit.rows.count { $0.standing == .unprotected && $0.useCount > 0 }
        var parts = [
            running == 0
                ? "No container that runs was read"
                : "\(audit.count(.protected)) of \(running) containers are protected; "
                    + "\(exposed) of the others use Secrets or credentials"
        ]
        if let regressions {
            parts.append(
                regressions.isEmpty
                    ? "nothing is worse than in the baseline"
                    : "\(regressions.count) things are worse than in the baseline")
        }
        if !audit.unread.isEmpty { parts.append("not everything could be read: incomplete") }
        return parts.joined(separator: "; ") + "."
    }

    private var figures: [ReportDocument.Figure] {
        Audit.Standing.allCases.map { standing in
            let count = audit.count(standing)
            let tone: ReportDocument.Figure.Tone =
                switch standing {
                case .protected: count > 0 ? .good : .neutral
                case .unprotected, .unreadable: count > 0 ? .bad : .neutral
                case .excluded: .neutral
                }
            return .init(standing.rawValue, String(count), tone)
        } + [.init("containers in all", String(audit.total))]
    }

    // MARK: - Sections

    private var worse: ReportDocument.Section? {
        guard let regressions, !regressions.isEmpty else { return nil }
        return .init(
            "Worse than the baseline", table: .init(["what"], regressions.map { [$0] }))
    }

    /// By id, the heaviest first: the same is done about all of its objects.
    private var urgent: ReportDocument.Section? {
        var order: [FindingID] = []
        var owners: [FindingID: [String]] = [:]
        var told: Set<[String]> = []
        for group in result.groups where group.finding.id.severity >= .high {
            let (id, owner) = (group.finding.id, group.finding.owner)
            guard told.insert([id.rawValue, owner]).inserted else { continue }
            if owners[id] == nil { order.append(id) }
            owners[id, default: []].append(owner)
        }
        guard !order.isEmpty else { return nil }
        return .init(
            "What to do first",
            table: .init(
                ["severity", "id", "finding", "objects", "what to do"],
                order.map { id in
                    [
                        id.severity.rawValue, id.rawValue, id.title, Self.named(owners[id] ?? []),
                        id.fix,
                    ]
                }))
    }

    private static func named(_ owners: [String]) -> String {
        let first = owners.prefix(namedMax).joined(separator: ", ")
        return owners.count > namedMax
            ? "\(first) and \(owners.count - namedMax) more" : first
    }

    private var fixes: ReportDocument.Section? {
        let found = Set(result.findings.map(\.id))
        let ids = FindingID.allCases.filter { found.contains($0) && $0.severity < .high }
        guard !ids.isEmpty else { return nil }
        return .init(
            "What to do then",
            table: .init(
                ["id", "finding", "fix"], ids.map { [$0.rawValue, $0.title, $0.fix] }))
    }

    private var population: ReportDocument.Section? {
        let sum = Audit.Standing.allCases.map { "\(audit.count($0)) \($0.rawValue)" }
            .joined(separator: " + ")
        return .init(
            "Population",
            text: [
                "\(sum) = \(audit.total) containers in \(audit.objectCount) objects. Each "
                    + "container is counted once; a template counts where no pod of it runs; an "
                    + "object that could not be read counts as one."
                    + (audit.retiredCount == 0
                        ? ""
                        : " \(audit.retiredCount) earlier versions that a controller keeps without "
                            + "replicas are not counted.")
            ])
    }

    private var workloads: ReportDocument.Section? {
        let rows = audit.rows.filter { $0.standing != .excluded }
        guard !rows.isEmpty else { return nil }
        var order: [[String]] = []
        var counts: [[String]: (objects: Int, uses: Int)] = [:]
        for row in rows {
            let key = [row.owner, row.container, row.standing.rawValue, row.note]
            if counts[key] == nil { order.append(key) }
            let before = counts[key] ?? (0, 0)
            counts[key] = (before.objects + 1, max(before.uses, row.useCount))
        }
        return .init(
            "Workloads",
            table: .init(
                ["workload", "container", "standing", "times", "uses", "note"],
                order.map { key in
                    let count = counts[key] ?? (0, 0)
                    return [
                        key[0], key[1], key[2], String(count.objects), String(count.uses), key[3],
                    ]
                }))
    }

    private var nodes: ReportDocument.Section? {
        guard !audit.nodes.isEmpty else {
            return .init("Nodes", text: ["No Node was read: which lack an agent is not known."])
        }
        let covered = audit.nodes.count { $0.hasAgent }
        return .init(
            "Nodes",
            text: ["\(covered) of \(audit.nodes.count) nodes have an agent that is ready."],
            table: .init(
                ["node", "agent", "protected", "containers"],
                audit.nodes.map {
                    [
                        $0.name, $0.hasAgent ? "ready" : "none", String($0.protectedCount),
                        String($0.containerCount),
                    ]
                }))
    }

    private var vaults: ReportDocument.Section? {
        let declared = result.declarations.vaults
        guard !result.vaults.isEmpty || !declared.isEmpty else { return nil }
        let others = declared.filter { one in
            !result.vaults.contains { $0.address == one.address }
        }
        let records =
            result.vaults
            + others.map {
                VaultRecord(address: $0.address, state: nil, failure: "not asked")
            }
        return .init(
            "Vaults",
            text: [
                "State, peer and certificates are what was seen from here. Jurisdiction and "
                    + "operator are declared by the person named; nothing here checks them."
            ],
            table: .init(
                [
                    "vault", "state", "peer", "certificate", "issued by", "until", "jurisdiction",
                    "operator", "declared by",
                ],
                records.map { vault in
                    let said = declared.first { $0.address == vault.address }
                    let leaf = vault.certificates.first
                    return [
                        vault.address, vault.state ?? vault.failure, vault.peer,
                        leaf?.subject ?? "",
                        vault.certificates.map(\.issuer).joined(separator: " ← "),
                        leaf?.notAfter ?? "", said?.jurisdiction ?? "not declared",
                        said?.operator ?? "",
                        said.map { "\($0.declaredBy), \($0.declaredOn)" } ?? "",
                    ]
                }))
    }

    private var proxy: ReportDocument.Section? {
        let seen = audit.proxy.line
        let declared = result.declarations.proxy.map {
            "Declared: \($0.placement.rawValue), by \($0.declaredBy)."
        }
        return .init("S3 proxy", text: [seen + ".", declared ?? "Nothing is declared about it."])
    }

    private var findings: ReportDocument.Section? {
        guard !result.findings.isEmpty else { return nil }
        return .init(
            "Findings",
            table: .init(
                ["id", "severity", "object", "container", "finding", "times"],
                result.groups.map { group in
                    [
                        group.finding.id.rawValue, group.finding.id.severity.rawValue,
                        group.finding.owner, group.finding.container ?? "-",
                        group.finding.message, String(group.count),
                    ]
                }))
    }

    private var accepted: ReportDocument.Section? { result.divided.section }

    private var unread: ReportDocument.Section? {
        guard !audit.unread.isEmpty else { return nil }
        return .init(
            "Not read",
            table: .init(["what", "why"], audit.unread.map { [$0.source, $0.reason] }))
    }

    private var limits: ReportDocument.Section? {
        .init(
            "What this report does not show",
            text: [
                "It says what the API server stores. Whoever may write pods can store a command "
                    + "that only looks like the wrapper's; what runs on a node is for the agent "
                    + "there to say.",
                "etcd and its backups were not read. Values that were in Secrets before may be in "
                    + "backups: rotate what was moved.",
                "What the programs do with their values, and whom the provider of the machines "
                    + "answers to, is not seen from here (docs/compliance: L-HV, L-COPIES, "
                    + "L-LEGAL).",
                "It is of one moment. A series of such reports says how it was over time.",
            ])
    }
}
