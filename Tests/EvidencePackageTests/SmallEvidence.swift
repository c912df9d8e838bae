// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import EvidenceSigning
import KubernetesFormat

@testable import Compliance

/// A small catalogue and records for it; tests spoil one thing in a copy.
enum SmallEvidence {
    static let commit = "89ff3cb1c0ffee1c0ffee1c0ffee1c0ffee1c0ff"
    static let digests = OpenSSLDigests()

    static func day(_ text: String) -> EvidenceDay {
        guard let day = EvidenceDay(text) else { preconditionFailure("\(text) is no day") }
        return day
    }

    static func time(_ text: String) -> EvidenceTime {
        guard let time = EvidenceTime(text) else { preconditionFailure("\(text) is no time") }
        return time
    }

    static let publication = Publication(revised: time("2026-11-01T00:00:00Z"), version: "1")

    static func catalogue(
        framework: String = "SOC2", status: Status = .partial
    ) -> Catalogue {
        Catalogue(
            frameworks: [
                Framework(id: framework, title: "Law", source: "Act", textLicence: "own")
            ],
            requirements: [
                Requirement(
                    id: "R-1", framework: framework, reference: "Art. 1", title: "Title",
                    text: "Do it.", status: status, claims: ["C-1"]),
                Requirement(
                    id: "R-2", framework: framework, reference: "Art. 2", title: "Policy",
                    text: "Have a policy.", status: .manual, claims: []),
            ],
            claims: [
                Claim(
                    id: "C-1", text: "It is done.", tests: ["T-1", "T-2"], limitations: ["L-1"],
                    notYetProven: status == .direct
                        ? [] : [Claim.OpenPart(test: "T-9", text: "The rest.")])
            ],
            tests: ["T-1", "T-2"].map { id in
                EvidenceTest(
                    id: id, kind: id == "T-1" ? .shows : .limits, experiment: "try it",
                    expected: "it fails", positiveControl: "it succeeds without the product",
                    command: "make vm-test")
            },
            limitations: [Limitation(id: "L-1", text: "Not the rest.", shownBy: ["T-2"])],
            uses: [
                ReportUse(
                    id: "USE-1", title: "File", framework: framework, reading: "A report is input.",
                    requirements: ["R-1"], limitations: ["L-1"], correction: nil)
            ],
            scenarios: [
                DeploymentScenario(
                    id: "SC-3", title: "Region", basis: "Usually no transfer.",
                    role: "A measure.", requirements: ["R-1"])
            ])
    }

    static func record(
        _ id: String = "T-1", at time: String? = "2026-11-20T08:00:00Z",
        result: EvidenceRecord.Result = .pass, control: EvidenceRecord.Result = .pass,
        kernel: String = "6.12", commit: String = commit, dirty: Bool = false,
        observation: String = "EFAULT"
    ) -> RecordFile {
        let record = EvidenceRecord(
            id: id, result: result, kernel: kernel,
            positiveControl: .init(description: "a control", result: control),
            observation: observation, commit: commit, dirty: dirty, started: time)
        let name = "\(time?.prefix(10) ?? "none")/\(record.fileName)"
        return RecordFile(name: name, bytes: Array("\(record)".utf8), record: record)
    }

    static let records = [record(), record("T-2")]

    static func request(
        _ use: EvidenceUse = .soc2, from: String = "2026-11-01", to: String = "2026-11-30",
        ageDaysMax: Int = 30, commits: [String] = [], scenario: ScenarioDeclaration? = nil
    ) throws -> PackageRequest {
        try PackageRequest(
            use: use, from: day(from), to: day(to), ageDaysMax: ageDaysMax, commits: commits,
            scenario: scenario)
    }

    static func audit(_ name: String, findings: Int = 1) throws -> AuditSnapshot {
        let list = Array(repeating: #"{"id": "CT-1", "severity": "high"}"#, count: findings)
        let json = """
            {"apiVersion": "cloudtaser.io/v1alpha1", "kind": "Audit",
             "containers": {"protected": 3, "unprotected": 2, "excluded": 1, "unreadable": 0,
                            "total": 6}, "findings": [\(list.joined(separator: ","))]}
            """
        return try AuditSnapshot(name: name, bytes: Array(json.utf8))
    }

    static func sheet(
        _ request: PackageRequest? = nil, catalogue: Catalogue = catalogue(),
        records: [RecordFile] = records, audits: [AuditSnapshot] = [],
        manual: ManualEvidence = .none
    ) throws -> EvidenceSheet {
        try EvidenceSheet(
            request: try request ?? self.request(), publication: publication,
            catalogue: catalogue, records: records, audits: audits, manual: manual)
    }

    static func documents(
        _ sheet: EvidenceSheet? = nil
    ) throws -> [OscalDocument] {
        let sheet = try sheet ?? self.sheet()
        let exports = try OscalExports(
            sheet.catalogue, publication: publication, digests: digests
        ).documents()
        return exports + [OscalResults(sheet, digests: digests).document].compactMap(\.self)
    }

    static func folder(_ sheet: EvidenceSheet? = nil) throws -> PackageFolder {
        try PackageFolder(
            sheet: try sheet ?? self.sheet(),
            sources: .init(catalogue: [PackageFile(path: "claims.json", bytes: [0x5b, 0x5d])]),
            tool: "cloudtaser test", digests: digests)
    }
}

extension JSONTree {
    /// What `path` leads to; numbers are places in arrays.
    func at(_ path: [String]) -> JSONTree? {
        path.reduce(self as JSONTree?) { tree, key in
            if let index = Int(key) {
                tree?.elements.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            } else {
                tree?[key]
            }
        }
    }

    /// The same with `value` at the place that `path` leads to; nil removes a member.
    func setting(_ path: [String], to value: JSONTree?) -> JSONTree {
        guard let key = path.first else { return value ?? .null }
        let rest = Array(path.dropFirst())
        if let index = Int(key), var elements {
            elements[index] = elements[index].setting(rest, to: value)
            return .array(elements)
        }
        var tree = self
        if rest.isEmpty {
            tree[key] = value
        } else {
            tree[key] = (tree[key] ?? .null).setting(rest, to: value)
        }
        return tree
    }
}
