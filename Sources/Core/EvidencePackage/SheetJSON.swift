// SPDX-License-Identifier: Apache-2.0
internal import Compliance
package import KubernetesFormat

extension EvidenceSheet {
    /// The sheet for programs: docs/reference/evidence-sheet.schema.json.
    package var json: JSONTree {
        var tree: JSONTree = [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "EvidenceSheet",
            "use": .string(request.use.rawValue),
            "period": [
                "from": .string(request.from.description), "to": .string(request.to.description),
            ],
            "maxAgeDays": .count(request.ageDaysMax),
            "commitsAsked": .array(request.commits.map { .string($0) }),
            "commits": .array(book.commits.map { .string($0) }),
            "catalogueRevised": .string(publication.revised.text),
            "scenario": request.scenario.map(Self.json) ?? ["id": "undeclared"],
            "openPoints": .array(openPoints.map { .string($0) }),
            "counts": .object(counts.map { .init($0.state.rawValue, .count($0.count)) }),
            "rows": .array(rows.map(Self.json)), "slots": .array(slots.map(Self.json)),
            "records": [
                "counted": .array(book.counted.map(Self.json)),
                "notCounted": .array(
                    book.notCounted.map { rest in
                        [
                            "path": .string(rest.file.path),
                            "reason": .string(rest.reason.description),
                        ]
                    }),
            ],
            "audits": [
                "counted": .array(audits.map(Self.json)),
                "outside": .array(auditsOutside.map { .string($0.name) }),
                "unread": .array(auditsUnread.map { .string($0) }),
            ],
        ]
        if request.use.hasSeries {
            tree["series"] = .array(days.map(Self.json))
            tree["gaps"] = .array(SeriesGap.all(of: days).map(Self.json))
        }
        return tree
    }

    private static func json(_ declaration: ScenarioDeclaration) -> JSONTree {
        [
            "id": .string(declaration.id),
            "declaredBy": .string(declaration.declaredBy),
        ]
    }

    private static func json(_ row: SheetRow) -> JSONTree {
        [
            "id": .string(row.requirement.id), "framework": .string(row.requirement.framework),
            "reference": .string(row.requirement.reference),
            "title": .string(row.requirement.title),
            "claimed": .string(row.requirement.status.rawValue),
            "result": .string(row.state.rawValue),
            "permittedClaim": .string(row.requirement.permittedClaim),
            "duty": .string(row.requirement.duty),
            "claims": .array(row.claims.map { .string($0.id) }),
            "tests": .array(
                row.tests.map { test in
                    [
                        "id": .string(test.test.id), "kind": .string(test.test.kind.rawValue),
                        "result": .string(test.state.word), "note": .string(test.state.text),
                        "records": .array(test.records.map { .string($0.file.path) }),
                    ]
                }),
            "limitations": .array(row.limitations.map { .string($0.id) }),
            "notYetProven": .array(
                row.claims.flatMap(\.notYetProven).map { .string($0.test) }),
        ]
    }

    private static func json(_ filled: FilledSlot) -> JSONTree {
        var tree: JSONTree = [
            "id": .string(filled.slot.id), "title": .string(filled.slot.title),
            "state": .string(filled.item == nil ? "open" : "filled"),
        ]
        guard let item = filled.item else { return tree }
        tree["owner"] = .string(item.owner)
        tree["date"] = .string(item.date.description)
        tree["statement"] = .string(item.statement)
        if let path = item.path { tree["attachment"] = .string(path) }
        return tree
    }

    private static func json(_ entry: RecordBook.Entry) -> JSONTree {
        [
            "path": .string(entry.file.path), "test": .string(entry.file.record.id),
            "kernel": .string(entry.file.record.kernel),
            "result": .string(entry.file.record.result.rawValue),
            "positiveControl": .string(entry.file.record.positiveControl.result.rawValue),
            "commit": .string(entry.file.record.commit), "started": .string(entry.time.text),
        ]
    }

    private static func json(_ audit: AuditSnapshot) -> JSONTree {
        var containers = JSONTree.object(
            AuditSnapshot.standings.map { .init($0, .count(audit.counts[$0] ?? 0)) })
        containers["total"] = .count(audit.total)
        return [
            "path": .string(audit.path), "time": .string(audit.time.text),
            "containers": containers,
            "findings": .object(
                audit.findings.sorted { $0.key < $1.key }.map { .init($0.key, .count($0.value)) }),
        ]
    }

    private static func json(_ day: SeriesDay) -> JSONTree {
        [
            "day": .string(day.day.description),
            "audits": .array(day.audits.map { .string($0.path) }),
            "tests": .object(
                day.tests.sorted { $0.key < $1.key }.map { .init($0.key, .count($0.value)) }),
            "gaps": .array(day.gaps.map { .string($0) }),
        ]
    }

    private static func json(_ gap: SeriesGap) -> JSONTree {
        [
            "from": .string(gap.first.description), "to": .string(gap.last.description),
            "days": .count(gap.days), "missing": .string(gap.text),
        ]
    }
}

extension JSONTree {
    static func count(_ value: Int) -> JSONTree { .number(String(value)) }
}
