// SPDX-License-Identifier: Apache-2.0
package import Inventory
package import KubernetesFormat

/// What no tool can see and somebody answers for: where vaults are and under whose law, where the
/// S3 proxy runs, and which findings are accepted until when.
package struct AuditDeclarations: Sendable, Equatable {
    package static let entriesMax = 1000

    package struct Vault: Sendable, Equatable {
        package let address: String
        package let jurisdiction: String
        /// Who runs it.
        package let `operator`: String
        package let declaredBy: String
        package let declaredOn: String
    }

    package enum Placement: String, Sendable, CaseIterable { case outside, inCluster, none }

    package struct Proxy: Sendable, Equatable {
        package let placement: Placement
        package let declaredBy: String
    }

    /// That a finding is accepted.
    package struct Acceptance: Sendable, Equatable {
        package let id: FindingID
        /// The object or its owner; nil: all of that id.
        package let object: String?
        package let reason: String
        package let owner: String
        /// `2027-01-31`: the last day on which it counts.
        package let expires: String

        package func covers(_ finding: Finding) -> Bool {
            finding.id == id
                && (object == nil || object == finding.object || object == finding.owner)
        }
    }

    package let cluster: String
    /// `SC-1` to `SC-5`; empty: not declared.
    package let scenario: String
    package let vaults: [Vault]
    package let proxy: Proxy?
    package let acceptances: [Acceptance]

    package static let none = AuditDeclarations(
        cluster: "", scenario: "", vaults: [], proxy: nil, acceptances: [])

    package init(
        cluster: String, scenario: String, vaults: [Vault], proxy: Proxy?,
        acceptances: [Acceptance]
    ) {
        self.cluster = cluster
        self.scenario = scenario
        self.vaults = vaults
        self.proxy = proxy
        self.acceptances = acceptances
    }

    /// Where the file is wrong, and what belongs there.
    package struct Malformed: Error, Sendable, Equatable {
        package let path: String
        package let reason: String

        package var message: String { path.isEmpty ? reason : "\(path): \(reason)" }
    }

    package init(_ document: JSONTree) throws(Malformed) {
        let root = Fields(document, "")
        try root.check([
            "apiVersion", "kind", "cluster", "scenario", "vaults", "s3Proxy", "acceptances",
        ])
        guard document["kind"]?.text == "AuditDeclarations",
            document["apiVersion"]?.text == "cloudtaser.io/v1alpha1"
        else {
            throw Malformed(
                path: "",
                reason: "is no AuditDeclarations of cloudtaser.io/v1alpha1; "
                    + "see docs/reference/audit.md")
        }
        cluster = try root.text("cluster", isNeeded: false)
        scenario = try root.text("scenario", isNeeded: false)
        guard ["", "SC-1", "SC-2", "SC-3", "SC-4", "SC-5"].contains(scenario) else {
            throw Malformed(path: "scenario", reason: "is none of SC-1 to SC-5")
        }
        vaults = try root.list("vaults", Self.vault)
        proxy = try document["s3Proxy"].map { tree throws(Malformed) in
            try Self.proxy(Fields(tree, "s3Proxy"))
        }
        acceptances = try root.list("acceptances", Self.acceptance)
    }

    private static func vault(_ fields: Fields) throws(Malformed) -> Vault {
        try fields.check(["address", "jurisdiction", "operator", "declaredBy", "declaredOn"])
        return Vault(
            address: try fields.text("address"), jurisdiction: try fields.text("jurisdiction"),
            operator: try fields.text("operator", isNeeded: false),
            declaredBy: try fields.text("declaredBy"), declaredOn: try fields.date("declaredOn"))
    }

    private static func proxy(_ fields: Fields) throws(Malformed) -> Proxy {
        try fields.check(["placement", "declaredBy"])
        guard let placement = Placement(rawValue: try fields.text("placement")) else {
            throw fields.wrong("placement", "is none of outside, inCluster, none")
        }
        return Proxy(placement: placement, declaredBy: try fields.text("declaredBy"))
    }

    private static func acceptance(_ fields: Fields) throws(Malformed) -> Acceptance {
        try fields.check(["id", "object", "reason", "owner", "expires"])
        let text = try fields.text("id")
        guard let id = FindingID(rawValue: text) else {
            throw fields.wrong("id", "is no finding that is known; `cloudtaser explain` lists them")
        }
        let object = try fields.text("object", isNeeded: false)
        return Acceptance(
            id: id, object: object.isEmpty ? nil : object, reason: try fields.text("reason"),
            owner: try fields.text("owner"), expires: try fields.date("expires"))
    }
}

/// Members of one object of the file, with its place in it.
private struct Fields {
    private static let textBytesMax = 1024

    let tree: JSONTree
    let path: String

    init(_ tree: JSONTree, _ path: String) {
        self.tree = tree
        self.path = path
    }

    func wrong(_ name: String, _ reason: String) -> AuditDeclarations.Malformed {
        AuditDeclarations.Malformed(
            path: path.isEmpty ? name : "\(path).\(name)", reason: reason)
    }

    /// A word that is spelt wrong is not passed by: it would be a declaration that nobody sees.
    func check(_ known: Set<String>) throws(AuditDeclarations.Malformed) {
        guard let members = tree.members else {
            throw AuditDeclarations.Malformed(path: path, reason: "is no mapping")
        }
        for member in members where !known.contains(member.name) {
            throw wrong(member.name, "is none of \(known.sorted().joined(separator: ", "))")
        }
    }

    func text(
        _ name: String, isNeeded: Bool = true
    ) throws(AuditDeclarations.Malformed) -> String {
        guard let value = tree[name] else {
            guard !isNeeded else { throw wrong(name, "is needed") }
            return ""
        }
        guard let text = value.text, !text.isEmpty, text.utf8.count <= Self.textBytesMax else {
            throw wrong(name, "is no text of 1 to \(Self.textBytesMax) bytes; put it into quotes")
        }
        return text
    }

    func date(_ name: String) throws(AuditDeclarations.Malformed) -> String {
        let text = try text(name)
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }
        let isDate =
            parts.map(\.count) == [4, 2, 2] && numbers.count == 3
            && text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) }
            && (1...12).contains(numbers[1])
            && (1...Self.days(numbers[0], numbers[1])).contains(numbers[2])
        guard isDate else { throw wrong(name, "is no date like 2027-01-31") }
        return text
    }

    private static func days(_ year: Int, _ month: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    func list<Element>(
        _ name: String, _ element: (Fields) throws(AuditDeclarations.Malformed) -> Element
    ) throws(AuditDeclarations.Malformed) -> [Element] {
        guard let value = tree[name] else { return [] }
        guard let elements = value.elements, elements.count <= AuditDeclarations.entriesMax else {
            throw wrong(name, "is no list of at most \(AuditDeclarations.entriesMax) entries")
        }
        var found: [Element] = []
        for (index, tree) in elements.enumerated() {
            found.append(try element(Fields(tree, "\(name)[\(index)]")))
        }
        return found
    }
}
