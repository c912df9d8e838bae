// SPDX-License-Identifier: Apache-2.0
internal import Compliance
package import KubernetesFormat

/// An audit of a cluster as OSCAL assessment results: an observation for each finding and one of
/// the population, a risk for each kind of finding and for each that somebody accepted. It assesses
/// no control, and has no OSCAL findings.
package struct OscalAudit {
    /// What a kind of finding is, for its risk.
    package struct Rule: Sendable {
        package let title: String
        package let meaning: String
        package let fix: String

        package init(title: String, meaning: String, fix: String) {
            self.title = title
            self.meaning = meaning
            self.fix = fix
        }
    }

    private static let source = "the audit"

    private let audit: JSONTree
    private let rules: [String: Rule]
    private let writer: OscalWriter
    private let time: EvidenceTime
    private let component: String
    /// What every observation is of: one value for all of them.
    private let subjects: JSONTree
    private static let methods: JSONTree = ["EXAMINE"]

    /// - Parameters:
    ///   - audit: as docs/reference/audit.schema.json says.
    ///   - rules: by id of finding.
    package init(
        _ audit: JSONTree, rules: [String: Rule], digests: any EvidenceDigests
    ) throws(PackageFailure) {
        guard let time = audit.value(at: "run", "time")?.text.flatMap({ EvidenceTime($0) }) else {
            throw .inputMalformed(file: Self.source, detail: "'run.time' is no time")
        }
        self.audit = audit
        self.rules = rules
        self.time = time
        let tool = OscalText.line(audit.value(at: "run", "tool")?.text ?? "")
        writer = OscalWriter(
            uuids: NameUUIDs(digests: digests),
            publication: Publication(revised: time, version: tool.isEmpty ? "unknown" : tool))
        component = Self.uuid(writer, audit, "component")
        subjects = [["subject-uuid": .string(component), "type": "component"]]
    }

    package var document: OscalDocument {
        let plan = uuid("plan")
        return OscalDocument(
            fileName: OscalWriter.resultsFile, model: "assessment-results",
            content: [
                "uuid": .string(uuid("document")),
                "metadata": writer.metadata(
                    title: "Audit of a cluster, \(time.text)",
                    remarks: "What objects say as they are stored. What runs is for an agent to "
                        + "say, and no control is assessed."),
                "import-ap": ["href": .string("#\(plan)")],
                "results": [result],
                "back-matter": [
                    "resources": [
                        [
                            "uuid": .string(plan), "title": "No separate plan",
                            "description": .string(
                                OscalText.line("As it was called: \(text("run", "command"))")),
                        ]
                    ]
                ],
            ])
    }

    // MARK: - Parts

    /// Of one thing of this audit: two audits share no observation.
    private func uuid(_ kind: String, _ name: String = "") -> String {
        Self.uuid(writer, audit, kind, name)
    }

    private static func uuid(
        _ writer: OscalWriter, _ audit: JSONTree, _ kind: String, _ name: String = ""
    ) -> String {
        let run = { (name: String) in audit.value(at: "run", name)?.text ?? "" }
        return writer.uuids.uuid("audit", run("time"), run("source"), kind, name)
    }

    private func text(_ names: String...) -> String {
        var tree: JSONTree? = audit
        for name in names { tree = tree?[name] }
        return tree?.text ?? ""
    }

    private var cluster: String {
        let name = OscalText.line(text("cluster"))
        return name.isEmpty ? "The cluster that was audited" : name
    }

    private var result: JSONTree {
        let scenario = text("scenario")
        var result: JSONTree = [
            "uuid": .string(uuid("result")), "title": "Audit",
            "description": .string(
                OscalText.line("Read from \(text("run", "source")), by \(text("run", "tool")).")),
            "start": .string(time.text), "end": .string(time.text),
            "props": [
                OscalWriter.property(
                    "deployment-scenario", scenario.isEmpty ? "undeclared" : scenario)
            ],
            "local-definitions": [
                "components": [
                    [
                        "uuid": .string(component), "type": "system",
                        "title": .string(cluster),
                        "description": "Its stored objects, as far as they were read.",
                        "status": ["state": "operational"],
                    ]
                ]
            ],
            "reviewed-controls": [
                "description": .string(
                    "None is assessed: an audit counts what is stored. The model needs a "
                        + "selection, and there is no catalog here to select from."),
                "control-selections": [["include-all": [:]]],
            ],
        ]
        let groups = groups
        result["observations"] = .array([population] + groups.map(observation))
        result["risks"] = .filled(risks(of: groups) + accepted.map(risk))
        return result
    }

    private var population: JSONTree {
        let counts = (audit["containers"]?.members ?? []).compactMap { member in
            number(member.value).map { OscalWriter.property("containers-\(member.name)", $0) }
        }
        let unread = (audit["unread"]?.elements ?? []).count
        return observed(
            uuid("population"), "Population",
            "Containers, each counted once under one of four words that add up to the total. "
                + (unread == 0
                    ? "Everything was read."
                    : "Not everything could be read: \(unread) objects or kinds."),
            counts + [OscalWriter.property("unread", "\(unread)")])
    }

    private func number(_ tree: JSONTree) -> String? {
        guard case .number(let text) = tree else { return nil }
        return text
    }

    private func observed(
        _ uuid: String, _ title: String, _ description: String, _ properties: [JSONTree]
    ) -> JSONTree {
        [
            "uuid": .string(uuid), "title": .string(OscalText.line(title)),
            "description": .string(OscalText.line(description)), "props": .array(properties),
            "methods": Self.methods, "subjects": subjects,
            "collected": .string(time.text),
        ]
    }

    // MARK: - Findings

    /// What is found several times in one owner, once.
    private struct Group {
        let fingerprint: String
        let id: String
        let severity: String
        let owner: String
        let container: String
        let message: String
        var count: Int
    }

    private var groups: [Group] {
        var places: [String: Int] = [:]
        var found: [Group] = []
        for finding in audit["findings"]?.elements ?? [] {
            let name = { (member: String) in finding[member]?.text ?? "" }
            let fingerprint = name("fingerprint")
            if let place = places[fingerprint] {
                found[place].count += 1
                continue
            }
            places[fingerprint] = found.count
            found.append(
                Group(
                    fingerprint: fingerprint, id: name("id"), severity: name("severity"),
                    owner: name("owner"), container: name("container"),
                    message: name("message"), count: 1))
        }
        return found
    }

    private func observation(_ group: Group) -> JSONTree {
        var properties = [
            OscalWriter.property("finding", group.id),
            OscalWriter.property("severity", group.severity),
            OscalWriter.property("owner", group.owner),
            OscalWriter.property("times", "\(group.count)"),
            OscalWriter.property("fingerprint", group.fingerprint),
        ]
        if !OscalText.line(group.container).isEmpty {
            properties.append(OscalWriter.property("container", group.container))
        }
        return observed(
            uuid("observation", group.fingerprint), "\(group.id) \(group.owner)", group.message,
            properties)
    }

    /// One for each kind, with what was observed of it.
    private func risks(of groups: [Group]) -> [JSONTree] {
        let kinds = Dictionary(grouping: groups, by: \.id)
        return kinds.keys.sorted().map { id in
            let rule = rules[id] ?? Rule(title: id, meaning: id, fix: "")
            var risk: JSONTree = [
                "uuid": .string(uuid("risk", id)),
                "title": .string(OscalText.line("\(id): \(rule.title)")),
                "description": .string(rule.meaning), "statement": .string(rule.title),
                "props": [
                    OscalWriter.property("severity", kinds[id]?.first?.severity ?? "unknown")
                ],
                "status": "open",
            ]
            if !rule.fix.isEmpty {
                risk["remediations"] = [
                    [
                        "uuid": .string(uuid("remediation", id)), "lifecycle": "recommendation",
                        "title": .string(OscalText.line(id)), "description": .string(rule.fix),
                    ]
                ]
            }
            risk["related-observations"] = .filled(
                (kinds[id] ?? []).map { group in
                    ["observation-uuid": .string(uuid("observation", group.fingerprint))]
                })
            return risk
        }
    }

    private var accepted: [JSONTree] {
        var seen: Set<String> = []
        return (audit["accepted"]?.elements ?? []).filter {
            seen.insert($0["fingerprint"]?.text ?? "").inserted
        }
    }

    private func risk(_ accepted: JSONTree) -> JSONTree {
        let name = { (member: String) in accepted[member]?.text ?? "" }
        let said = { (member: String) in
            OscalText.line(accepted.value(at: "acceptance", member)?.text ?? "")
        }
        return [
            "uuid": .string(uuid("accepted", name("fingerprint"))),
            "title": .string(OscalText.line("\(name("id")) \(name("owner")), accepted")),
            "description": .string(OscalText.line(name("message"))),
            "statement": .string("Accepted: \(said("reason"))"),
            "props": [
                OscalWriter.property("severity", name("severity")),
                OscalWriter.property("accepted-by", said("owner")),
                OscalWriter.property("accepted-until", said("expires")),
            ],
            "status": "deviation-approved",
        ]
    }
}
