// SPDX-License-Identifier: Apache-2.0
import Compliance
import EvidencePackage
import KubernetesFormat
import Testing

@Suite("The sheet of a package")
struct EvidenceSheetTests {
    private static func manual(_ items: String) throws -> ManualEvidence {
        let json = """
            {"apiVersion": "cloudtaser.io/v1alpha1", "kind": "ManualEvidence", "items": [\(items)]}
            """
        return try ManualEvidence(json: Array(json.utf8), file: "manual.json")
    }

    private static let item = """
        {"slot": "R-2", "owner": "Office", "date": "2026-11-20", "statement": "Policy <3>",
         "file": "policy.pdf"}
        """

    @Test("a row has its tests, records, limits and open parts in every form")
    func forms() throws {
        let sheet = try SmallEvidence.sheet()
        let page = SheetPage(sheet)
        for text in ["R-1", "C-1", "T-1", "T-2", "L-1", "Not the rest.", "T-9", "The rest."] {
            #expect(page.markdown.contains(text) && page.html.contains(text), "\(text)")
        }
        #expect(page.markdown.contains("| R-1 | Art. 1 Title | partial | pass | T-1, T-2 | L-1 |"))
        #expect(page.markdown.contains("records/2026-11-20/T-1@6.12.json"))
        #expect(sheet.json.at(["rows", "0", "result"])?.text == "pass")
        #expect(sheet.json.at(["rows", "1", "result"])?.text == "no-test")
        #expect(page.markdown == SheetPage(try SmallEvidence.sheet()).markdown)
    }

    @Test("each use shows its own framework, and says when the catalogue has none")
    func uses() throws {
        let frameworks = [
            EvidenceUse.ropa: "GDPR", .nis2: "NIS2", .dora: "DORA", .soa: "ISO27001",
            .soc2: "SOC2",
        ]
        for use in EvidenceUse.allCases {
            let request = try SmallEvidence.request(use)
            let own = try SmallEvidence.sheet(
                request, catalogue: SmallEvidence.catalogue(framework: frameworks[use]!))
            #expect(own.rows.map(\.requirement.id) == ["R-1", "R-2"], "\(use)")
            #expect(SheetPage(own).markdown.hasPrefix("# \(use.title)\n"))
            #expect(SheetPage(own).markdown.contains("\nA report is input.\n"))
            let other = try SmallEvidence.sheet(
                request, catalogue: SmallEvidence.catalogue(framework: "OTHER"))
            #expect(other.rows.isEmpty)
            #expect(other.openPoints.first == "the catalogue has no requirement for this use")
        }
    }

    @Test("a scenario is declared by somebody, or undeclared")
    func scenario() throws {
        let undeclared = try SmallEvidence.sheet()
        #expect(undeclared.json.at(["scenario", "id"])?.text == "undeclared")
        #expect(SheetPage(undeclared).markdown.contains("| scenario | undeclared |"))
        #expect(undeclared.openPoints.contains("the deployment scenario is undeclared"))
        let declaration = ScenarioDeclaration("SC-3", declaredBy: "Office")
        let declared = try SmallEvidence.sheet(SmallEvidence.request(scenario: declaration))
        #expect(declared.json.at(["scenario", "declaredBy"])?.text == "Office")
        #expect(SheetPage(declared).markdown.contains("| SC-3: Region; declared by Office |"))
        let unknown = ScenarioDeclaration("SC-9", declaredBy: "Office")
        #expect(throws: PackageFailure.scenarioUnknown(id: "SC-9", known: ["SC-3"])) {
            try SmallEvidence.sheet(SmallEvidence.request(scenario: unknown))
        }
        #expect(SheetPage(declared).markdown.contains("| Usually no transfer. |"))
        #expect(!SheetPage(undeclared).markdown.contains("Usually no transfer."))
        #expect(!declared.openPoints.contains("the deployment scenario is undeclared"))
    }

    @Test("an empty slot is open; a filled one shows owner, date and attachment")
    func slots() throws {
        let open = try SmallEvidence.sheet()
        #expect(SheetPage(open).markdown.contains("| R-2 | Art. 2 Policy | OPEN |"))
        #expect(open.slots.map(\.slot.id).contains("soc2-system"))
        #expect(!open.slots.map(\.slot.id).contains("R-1"), "tests show R-1")
        let filled = try SmallEvidence.sheet(manual: Self.manual(Self.item))
        let line =
            "| filled | Office | 2026-11-20 | Policy &lt;3&gt; | attachments/R-2/policy.pdf |"
        #expect(SheetPage(filled).markdown.contains(line))
        #expect(filled.slots.count { $0.item == nil } == open.slots.count - 1)
    }

    @Test("a slot that the package does not have, or that is filled twice, is refused")
    func wrongSlots() throws {
        let other = Self.item.replacing("R-2", with: "R-1")
        #expect(throws: PackageFailure.self) {
            try SmallEvidence.sheet(manual: Self.manual(other))
        }
        #expect(throws: PackageFailure.slotRepeated(slot: "R-2")) {
            try Self.manual("\(Self.item), \(Self.item)")
        }
    }

    @Test(
        "an entry without owner, date or statement, or with a file elsewhere, is refused",
        arguments: [
            ("Office", " "), ("2026-11-20", "soon"), ("Policy <3>", ""),
            ("policy.pdf", "../policy.pdf"), ("policy.pdf", "a/b"), ("policy.pdf", ".."),
            ("policy.pdf", ""),
        ])
    func wrongItems(good: String, bad: String) throws {
        #expect(throws: Never.self) { try Self.manual(Self.item) }
        let item = Self.item.replacing("\"\(good)\"", with: "\"\(bad)\"")
        #expect(item != Self.item)
        #expect(throws: PackageFailure.self) { try Self.manual(item) }
    }

    @Test("an audit is read by its top-level members")
    func audit() throws {
        let audit = try SmallEvidence.audit("2026-11-20T080000Z.json", findings: 2)
        #expect(audit.counts["protected"] == 3 && audit.total == 6)
        #expect(audit.findings == ["high": 2])
        #expect(audit.time == SmallEvidence.time("2026-11-20T08:00:00Z"))
    }

    @Test(
        "a file that is no audit, or whose parts are not its total, is refused",
        arguments: [
            ("\"Audit\"", "\"Discovery\""), ("v1alpha1", "v2"), ("\"total\": 6", "\"total\": 7"),
            ("\"protected\": 3", "\"protected\": -3"), ("\"excluded\": 1", "\"excluded\": 1.5"),
            ("\"findings\"", "\"finding\""), ("\"severity\"", "\"weight\""),
            ("\"protected\": 3", "\"protected\": 9223372036854775807"),
        ])
    func wrongAudits(good: String, bad: String) throws {
        let name = "2026-11-20T080000Z.json"
        let bytes = try SmallEvidence.audit(name).bytes
        let text = String(decoding: bytes, as: UTF8.self).replacing(good, with: bad)
        #expect(Array(text.utf8) != bytes)
        #expect(throws: PackageFailure.self) {
            try AuditSnapshot(name: name, bytes: Array(text.utf8))
        }
    }

    @Test(
        "an audit's file is named by its time",
        arguments: ["audit.json", "2026-11-20.json", "2026-11-20T08:00:00Z.json", "a/b.json"])
    func wrongNames(name: String) throws {
        #expect(throws: PackageFailure.self) { try SmallEvidence.audit(name) }
    }

    @Test("a series has every day, and gaps without audit, record, or a fresh one")
    func series() throws {
        let audits = try (1...30).filter { $0 != 7 && $0 != 8 }.map { day in
            try SmallEvidence.audit("2026-11-\(day < 10 ? "0" : "")\(day)T060000Z.json")
        }
        let records = ["T-1", "T-2"].map {
            SmallEvidence.record($0, at: "2026-11-03T08:00:00Z")
        }
        let sheet = try SmallEvidence.sheet(
            SmallEvidence.request(ageDaysMax: 20), records: records, audits: audits)
        #expect(sheet.days.count == 30)
        let gaps = sheet.json["gaps"]?.elements?.map { gap in
            ["from", "to", "missing"].compactMap { gap[$0]?.text }.joined(separator: " ")
        }
        #expect(
            gaps == [
                "2026-11-01 2026-11-02 2 of 2 tests without a record",
                "2026-11-07 2026-11-08 no audit",
                "2026-11-23 2026-11-30 2 of 2 tests stale",
            ])
        #expect(sheet.openPoints.contains("12 of 30 days have a gap"))
        let page = SheetPage(sheet).markdown
        #expect(page.contains("| 2026-11-07 | 0 | - | - | - | - | - | 2 of 2 | no audit |"))
        #expect(page.contains("| 2026-11-06 | 1 | 3 | 2 | 1 | 0 | 1 | 2 of 2 |  |"))
        let sum = "3 protected + 2 unprotected + 1 excluded + 0 unreadable = 6."
        #expect(page.contains(sum))
    }

    @Test("an audit outside the period is told and not counted")
    func outside() throws {
        let audits = [
            try SmallEvidence.audit("2026-10-31T235959Z.json"),
            try SmallEvidence.audit("2026-11-01T000000Z.json"),
            try SmallEvidence.audit("2026-11-30T235959Z.json"),
            try SmallEvidence.audit("2026-12-01T000000Z.json"),
        ]
        let sheet = try SmallEvidence.sheet(audits: audits)
        #expect(sheet.audits.map(\.name) == audits[1...2].map(\.name))
        #expect(sheet.auditsOutside == [audits[0], audits[3]])
        #expect(SheetPage(sheet).markdown.contains("2026-12-01T000000Z.json: outside the period"))
    }

    @Test("text of a record or of the organisation is no markup")
    func markup() throws {
        let name = "2026-11-20/<script>|x"
        let record = EvidenceRecord(
            id: "T-1", result: .pass, kernel: "<img src=x>\u{1b}[0m",
            positiveControl: .init(description: "c", result: .pass), observation: "o",
            commit: "<b>", dirty: true, started: nil)
        let sheet = try SmallEvidence.sheet(
            SmallEvidence.request(
                commits: ["[x](javascript:y)"],
                scenario: ScenarioDeclaration("SC-3", declaredBy: "<svg>\"'&")),
            records: [RecordFile(name: name, bytes: [], record: record)])
        let page = SheetPage(sheet)
        for text in [page.html, page.markdown] {
            #expect(!text.contains("<script>") && !text.contains("<svg>"))
            #expect(!text.contains("\u{1b}"))
            #expect(text.contains("&lt;script&gt;"))
        }
        #expect(page.html.contains("&lt;svg&gt;&quot;&#39;&amp;"))
        #expect(!page.markdown.contains("[x](javascript"))
        #expect(page.markdown.contains("&lt;script&gt;\\|x"))
        #expect(page.html.contains("default-src 'none'"))
    }
}
