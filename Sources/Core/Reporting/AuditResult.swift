// SPDX-License-Identifier: Apache-2.0
package import Inventory

/// What was found of a vault from outside, in words for a report.
package struct VaultRecord: Sendable, Equatable {
    package struct Certificate: Sendable, Equatable {
        package let subject: String
        package let issuer: String
        package let notBefore: String
        package let notAfter: String
        package let serial: String

        package init(
            subject: String, issuer: String, notBefore: String, notAfter: String, serial: String
        ) {
            self.subject = subject
            self.issuer = issuer
            self.notBefore = notBefore
            self.notAfter = notAfter
            self.serial = serial
        }
    }

    package let address: String
    /// `active`, `standby`, `sealed`, …; nil: it was not reached.
    package let state: String?
    /// In digits.
    package let peer: String
    package let version: String
    package let certificates: [Certificate]
    /// Why it was not reached.
    package let failure: String

    package init(
        address: String, state: String?, peer: String = "", version: String = "",
        certificates: [Certificate] = [], failure: String = ""
    ) {
        self.address = address
        self.state = state
        self.peer = peer
        self.version = version
        self.certificates = certificates
        self.failure = failure
    }

    package var isServing: Bool { state == "active" || state == "standby" }
}

/// Who ran it, when and how: what an auditor asks of every list.
package struct AuditRun: Sendable, Equatable {
    /// RFC 3339, in UTC.
    package let time: String
    package let tool: String
    /// As it was called.
    package let command: String
    /// Where the objects came from: `cluster https://…`, `files`.
    package let source: String

    package init(time: String, tool: String, command: String, source: String) {
        self.time = time
        self.tool = tool
        self.command = command
        self.source = source
    }

    /// As it was called, for the report: without what stands before the `@` of an address, which
    /// may be a password.
    package static func command(_ words: [String]) -> String {
        words.map(withoutUser).joined(separator: " ")
    }

    package static func withoutUser(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let authority = text[scheme.upperBound...].prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@") else { return text }
        return text[..<scheme.upperBound] + "…" + text[at...]
    }

    /// `2026-11-27`
    var day: String { String(time.prefix(10)) }
}

/// An audit with what was declared and what was seen of vaults.
package struct AuditResult: Sendable {
    package let audit: Audit
    package let run: AuditRun
    package let declarations: AuditDeclarations
    package let vaults: [VaultRecord]
    package let scores: AuditScores?
    /// That count.
    package let findings: [Finding]
    /// Those that are the same but for the pod, the most severe first.
    package let groups: [(finding: Finding, count: Int)]
    let divided: AcceptedFindings

    /// That somebody accepted, and until when.
    package var accepted: [(finding: Finding, acceptance: AuditDeclarations.Acceptance)] {
        divided.accepted
    }

    package init(
        _ audit: Audit, run: AuditRun, declarations: AuditDeclarations = .none,
        vaults: [VaultRecord] = [], scores: AuditScores? = nil
    ) {
        self.audit = audit
        self.scores = scores
        self.run = run
        self.declarations = declarations
        self.vaults = vaults
        var all = audit.findings + Self.vaultFindings(vaults, declarations)
        if !audit.proxy.isInCluster, declarations.proxy == nil {
            all.append(Self.finding(.proxyUndeclared, "-", ""))
        }
        let divided = AcceptedFindings(
            all, declarations.acceptances, today: run.day, isOwn: { !$0.isOfValidation })
        self.divided = divided
        findings = divided.counting
        groups = Self.groups(of: findings)
    }

    package func reaches(_ threshold: FindingSeverity) -> Bool {
        findings.contains { $0.id.severity >= threshold }
    }

    private static func vaultFindings(
        _ vaults: [VaultRecord], _ declarations: AuditDeclarations
    ) -> [Finding] {
        vaults.flatMap { vault -> [Finding] in
            let isDeclared = declarations.vaults.contains { $0.address == vault.address }
            let undeclared =
                isDeclared ? [] : [finding(.vaultUndeclared, vault.address, vault.address)]
            let away =
                vault.isServing
                ? []
                : [finding(.vaultAway, vault.address, vault.state ?? vault.failure)]
            return undeclared + away
        }
    }

    private static func finding(_ id: FindingID, _ object: String, _ detail: String) -> Finding {
        Finding(
            id: id, object: object, container: nil, path: "",
            message: detail.isEmpty ? id.title : "\(id.title): \(detail)", source: "-")
    }

    private static func groups(
        of findings: [Finding]
    ) -> [(finding: Finding, count: Int)] {
        var order: [String] = []
        var found: [String: (finding: Finding, count: Int)] = [:]
        for finding in findings {
            let key = finding.fingerprint
            if found[key] == nil { order.append(key) }
            found[key] = (found[key]?.finding ?? finding, (found[key]?.count ?? 0) + 1)
        }
        let groups = order.compactMap { found[$0] }
        return FindingSeverity.allCases.reversed().flatMap { severity in
            groups.filter { $0.finding.id.severity == severity }
        }
    }
}
