// SPDX-License-Identifier: Apache-2.0
internal import Compliance
internal import KubernetesFormat

/// A sheet as OSCAL assessment results. What was not assessed has no finding; limitations and open
/// parts are risks.
package struct OscalResults {
    private let sheet: EvidenceSheet
    private let writer: OscalWriter
    /// Its path, to which links to records are relative.
    private static let recordsFolder = "../"

    package init(_ sheet: EvidenceSheet, digests: any EvidenceDigests) {
        self.sheet = sheet
        writer = OscalWriter(
            uuids: NameUUIDs(digests: digests), publication: sheet.publication)
    }

    private var name: String {
        "\(sheet.request.use.rawValue)/\(sheet.request.from)/\(sheet.request.to)"
    }

    /// nil when no requirement is reviewed: results without a control are refused.
    package var document: OscalDocument? {
        let controls = sheet.rows.map { JSONTree.string(OscalText.token($0.requirement.id)) }
        guard let reviewed = JSONTree.filled(controls) else { return nil }
        let catalog = writer.uuids.uuid("resource", OscalWriter.requirementsFile)
        let plan = writer.uuids.uuid("resource", "plan")
        return OscalDocument(
            fileName: OscalWriter.resultsFile, model: "assessment-results",
            content: [
                "uuid": .string(writer.uuids.uuid("document", OscalWriter.resultsFile, name)),
                "metadata": writer.metadata(
                    title: "Results of CloudTaser's tests, \(sheet.request.from) to "
                        + "\(sheet.request.to)",
                    modified: sheet.modified,
                    remarks: "A finding is about what the product claims, never about an "
                        + "organisation."),
                "import-ap": ["href": .string("#\(plan)")],
                "results": [result(reviewed)],
                "back-matter": [
                    "resources": [
                        [
                            "uuid": .string(plan), "title": "No separate plan",
                            "description": .string(
                                "The catalogue plans: each test has its experiment, expected "
                                    + "observation, positive control and command."),
                            "rlinks": [["href": .string(OscalWriter.claimsFile)]],
                        ],
                        [
                            "uuid": .string(catalog), "title": "The provisions",
                            "rlinks": [["href": .string(OscalWriter.requirementsFile)]],
                        ],
                    ]
                ],
            ])
    }

    private func result(_ reviewed: JSONTree) -> JSONTree {
        var result: JSONTree = [
            "uuid": .string(writer.uuids.uuid("result", name)),
            "title": .string(sheet.request.use.title),
            "description": .string(sheet.request.use.purpose),
            "start": .string(sheet.request.from.start.text),
            "end": .string(sheet.request.to.end.text),
            "props": [scenario],
            "local-definitions": [
                "components": [
                    [
                        "uuid": .string(writer.componentUUID), "type": "software",
                        "title": "CloudTaser",
                        "description": "The product as it was built from the records' commits.",
                        "status": ["state": "under-development"],
                    ]
                ]
            ],
            "reviewed-controls": [
                "control-selections": [["include-controls": selection(reviewed)]]
            ],
        ]
        result["observations"] = .filled(observations)
        result["risks"] = .filled(risks)
        result["findings"] = .filled(sheet.rows.compactMap(finding))
        return result
    }

    /// One selection for each control.
    private func selection(_ controls: JSONTree) -> JSONTree {
        .array((controls.elements ?? []).compactMap(\.text).map { ["control-id": .string($0)] })
    }

    private var scenario: JSONTree {
        OscalWriter.property(
            "deployment-scenario", sheet.scenario ?? "undeclared")
    }

    /// The records that states at the period's end come from.
    private var observations: [JSONTree] {
        sheet.tests.flatMap { row in row.records.map { observation($0, of: row.test) } }
    }

    private func uuid(of entry: RecordBook.Entry) -> String {
        writer.uuids.uuid("observation", name, entry.file.name)
    }

    private func observation(_ entry: RecordBook.Entry, of test: EvidenceTest) -> JSONTree {
        let record = entry.file.record
        let expires = EvidenceTime(
            seconds: entry.time.seconds + Int64(sheet.request.ageDaysMax) * 86_400)
        return [
            "uuid": .string(uuid(of: entry)), "title": .string(OscalText.line(test.id)),
            "description": .string(
                "\(test.experiment). To be observed: \(test.expected). Observed: "
                    + "\(Plain.line(record.observation)). Positive control "
                    + "(\(Plain.line(record.positiveControl.description))): "
                    + record.positiveControl.result.rawValue),
            "props": [
                OscalWriter.property("test", record.id),
                OscalWriter.property("kind", test.kind.rawValue),
                OscalWriter.property("result", record.result.rawValue),
                OscalWriter.property("positive-control", record.positiveControl.result.rawValue),
                OscalWriter.property("kernel", record.kernel),
                OscalWriter.property("commit", record.commit),
            ],
            "methods": ["TEST"],
            "subjects": [["subject-uuid": .string(writer.componentUUID), "type": "component"]],
            "relevant-evidence": [
                [
                    "href": .string(Self.recordsFolder + entry.file.path),
                    "description": "The record.",
                ]
            ],
            "collected": .string(entry.time.text), "expires": .string(expires.text),
        ]
    }

    private var risks: [JSONTree] {
        let limitations = sheet.catalogue.limitations(of: sheet.rows.map(\.requirement))
        let known = limitations.map { limitation in
            risk("limitation", limitation.id, limitation.text, "A known limit of the product.")
        }
        var seen: Set<String> = []
        let open = sheet.rows.flatMap(\.claims).flatMap(\.notYetProven)
            .filter { seen.insert($0.test).inserted }
            .map { risk("open", $0.test, $0.text, "A part of a claim that no test shows yet.") }
        return known + open
    }

    private func risk(_ kind: String, _ id: String, _ text: String, _ why: String) -> JSONTree {
        [
            "uuid": .string(writer.uuids.uuid("risk", name, kind, id)),
            "title": .string(OscalText.line(id)), "description": .string(text),
            "statement": .string(why), "status": "open",
        ]
    }

    /// nil for what was not assessed, or not lately, or has no test.
    private func finding(_ row: SheetRow) -> JSONTree? {
        guard row.state == .passed || row.state == .failed else { return nil }
        let id = row.requirement.id
        let isWhole = row.state == .passed && row.requirement.status == .direct
        let reason = row.state == .failed ? "fail" : isWhole ? "pass" : "other"
        var finding: JSONTree = [
            "uuid": .string(writer.uuids.uuid("finding", name, id)),
            "title": .string(OscalText.line("\(row.requirement.reference) \(id)")),
            "description": .string(
                row.state == .failed
                    ? "At least one test that this row needs failed."
                    : "Each test that this row needs passed; the claimed status is "
                        + "'\(row.requirement.status.rawValue)'."),
            "target": [
                "type": "statement-id", "target-id": .string(OscalWriter.statementID(id)),
                "status": [
                    "state": .string(isWhole ? "satisfied" : "not-satisfied"),
                    "reason": .string(reason),
                ],
                "implementation-status": ["state": .string(isWhole ? "implemented" : "partial")],
            ],
        ]
        finding["related-observations"] = .filled(
            row.tests.flatMap(\.records).map { ["observation-uuid": .string(uuid(of: $0))] })
        finding["related-risks"] = .filled(relatedRisks(row))
        return finding
    }

    private func relatedRisks(_ row: SheetRow) -> [JSONTree] {
        var seen: Set<String> = []
        let open = row.claims.flatMap(\.notYetProven).map(\.test)
            .filter { seen.insert($0).inserted }
        return row.limitations.map {
            ["risk-uuid": .string(writer.uuids.uuid("risk", name, "limitation", $0.id))]
        } + open.map { ["risk-uuid": .string(writer.uuids.uuid("risk", name, "open", $0))] }
    }
}
