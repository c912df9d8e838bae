// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inventory
import KubernetesFormat
import Reporting
import TestKit
import Testing

private func declarations(
    _ change: (inout JSONTree) -> Void = { _ in }
) throws -> AuditDeclarations {
    var document: JSONTree = [
        "apiVersion": "cloudtaser.io/v1alpha1", "kind": "AuditDeclarations", "cluster": "prod",
        "scenario": "SC-3",
        "vaults": [
            [
                "address": "https://vault:8200", "jurisdiction": "DE", "operator": "Example GmbH",
                "declaredBy": "Jane Doe", "declaredOn": "2026-11-01",
            ]
        ],
        "s3Proxy": ["placement": "none", "declaredBy": "Jane Doe"],
        "acceptances": [
            [
                "id": "CT1001", "object": "Pod shop/web", "reason": "goes in December",
                "owner": "Jane Doe", "expires": "2026-11-27",
            ]
        ],
    ]
    change(&document)
    return try AuditDeclarations(document)
}

private func ids(_ result: AuditResult) -> [String] { result.findings.map(\.id.rawValue) }

@Suite("Declarations") struct AuditDeclarationsTests {
    @Test func `what is declared is no finding, and is reported with who declared it`() throws {
        let record = VaultRecord(address: "https://vault:8200", state: "active", peer: "10.0.0.1")
        let result = Samples.result(
            [try Samples.pod("web")], declarations: try declarations { $0["acceptances"] = nil },
            vaults: [record])
        #expect(ids(result).isEmpty)
        let text = AuditDocument(result).report.text()
        #expect(text.contains("DE") && text.contains("Jane Doe, 2026-11-01"))
        #expect(text.contains("SC-3 (declared)"))
        // The control: nobody declared anything.
        let bare = Samples.result([try Samples.pod("web")], vaults: [record])
        #expect(ids(bare) == ["CT2006", "CT2008"])
        #expect(AuditDocument(bare).report.text().contains("not declared"))
    }

    @Test func `each scenario of the catalogue can be declared, and no other`() throws {
        let path = "\(Checkout.root)/Fixtures/compliance/scenarios.json"
        let list = try JSONTree(Array(Data(contentsOf: URL(filePath: path)))).elements ?? []
        let ids = list.compactMap { $0["id"]?.text }
        #expect(ids.count == list.count && !ids.isEmpty)
        for id in ids {
            #expect(try declarations { $0["scenario"] = .string(id) }.scenario == id)
        }
        for other in ["SC-0", "SC-\(ids.count + 1)"] {
            #expect(throws: AuditDeclarations.Malformed.self) {
                try declarations { $0["scenario"] = .string(other) }
            }
        }
    }

    @Test(arguments: ["sealed", nil, "not initialized", "other"])
    func `a vault that does not serve is a finding`(_ state: String?) throws {
        let result = Samples.result(
            [], declarations: try declarations { $0["acceptances"] = nil },
            vaults: [VaultRecord(address: "https://vault:8200", state: state, failure: "why")])
        #expect(ids(result) == ["CT2007"])
    }

    @Test func `an accepted finding does not count until its day is over`() throws {
        let pod = try Samples.pod("web", secret: "db")
        let today = Samples.result([pod], declarations: try declarations())
        #expect(ids(today).isEmpty)
        #expect(today.accepted.map(\.finding.id.rawValue) == ["CT1001"])
        #expect(!today.reaches(.info))
        let over = Samples.result(
            [pod],
            declarations: try declarations {
                $0["acceptances"] = [
                    [
                        "id": "CT1001", "reason": "r", "owner": "o", "expires": "2026-11-26",
                    ]
                ]
            })
        #expect(ids(over) == ["CT1001", "CT2009"])
        let unused = Samples.result([], declarations: try declarations())
        #expect(ids(unused) == ["CT2010"])
    }

    @Test(
        arguments: [
            ("kind", JSONTree.string("Audit"), "AuditDeclarations"),
            ("vault", [], "vault: is none of"), ("scenario", "SC-6", "SC-1 to SC-5"),
            ("vaults", [["address": "https://v"]], "vaults[0].jurisdiction: is needed"),
            ("vaults", [1], "vaults[0]: is no mapping"), ("vaults", "x", "is no list"),
            ("s3Proxy", ["placement": "somewhere", "declaredBy": "x"], "outside, inCluster, none"),
            (
                "acceptances", [["id": "CT1001", "owner": "o", "expires": "2027-01-01"]],
                "acceptances[0].reason: is needed"
            ),
            (
                "acceptances",
                [["id": "CT1001", "reason": "r", "expires": "2027-01-01"]],
                "acceptances[0].owner: is needed"
            ),
            (
                "acceptances", [["id": "CT1001", "reason": "r", "owner": "o"]],
                "acceptances[0].expires: is needed"
            ),
            (
                "acceptances",
                [["id": "CT1001", "reason": "r", "owner": "o", "expires": "next year"]],
                "is no date"
            ),
            (
                "acceptances",
                [["id": "CT1001", "reason": "r", "owner": "o", "expires": "2027-02-29"]],
                "is no date"
            ),
            (
                "acceptances",
                [["id": "CT1001", "reason": "r", "owner": "o", "expires": "2027-+1-01"]],
                "is no date"
            ),
            (
                "acceptances",
                [["id": "CT9999", "reason": "r", "owner": "o", "expires": "2027-01-01"]],
                "is no finding that is known"
            ),
            (
                "acceptances",
                [
                    [
                        "id": "CT1001", "reason": "r", "owner": "o", "expires": "2027-01-01",
                        "objekt": "Pod shop/web",
                    ]
                ], "acceptances[0].objekt: is none of"
            ),
        ] as [(String, JSONTree, String)])
    func `what is wrong is refused, with its place`(
        _ member: String, _ value: JSONTree, _ expected: String
    ) throws {
        do {
            _ = try declarations { $0[member] = value }
            Issue.record("\(member) was taken")
        } catch let error as AuditDeclarations.Malformed {
            #expect(error.message.contains(expected), "\(error.message)")
        }
    }

    @Test func `as many entries as there may be, and one more`() throws {
        let one: JSONTree = ["id": "CT1001", "reason": "r", "owner": "o", "expires": "2027-01-01"]
        let most = AuditDeclarations.entriesMax
        let all = try declarations {
            $0["acceptances"] = .array(Array(repeating: one, count: most))
        }
        #expect(all.acceptances.count == most)
        #expect(throws: AuditDeclarations.Malformed.self) {
            try declarations { $0["acceptances"] = .array(Array(repeating: one, count: most + 1)) }
        }
    }
}

@Suite("A baseline") struct AuditBaselineTests {
    @Test func `a baseline of another cluster is refused, where both are declared`() throws {
        func declared(_ cluster: String) -> AuditDeclarations {
            AuditDeclarations(
                cluster: cluster, scenario: "", vaults: [], proxy: nil, acceptances: [])
        }
        let one = try AuditBaseline([
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "Audit", "cluster": "prod",
            "findings": [], "workloads": [],
        ])
        #expect(one.mismatch(with: declared("test"))?.contains("is of the cluster prod") == true)
        #expect(one.mismatch(with: declared("prod")) == nil)
        #expect(one.mismatch(with: declared("")) == nil)
    }

    @Test(
        arguments: [
            (["audit", "--push-url", "https://u:s3cr3t@x:9091/a@b"], "https://…@x:9091/a@b"),
            (["audit", "--push-url=http://s3cr3t@x"], "http://…@x"),
            (["audit", "a@b", "https://x/y@z"], "audit a@b https://x/y@z"),
        ])
    func `the command is told without what stands before an address`(
        _ words: [String], _ expected: String
    ) {
        let text = AuditRun.command(words)
        #expect(text.contains(expected) && !text.contains("s3cr3t"), "\(text)")
    }

    private func baseline(_ result: AuditResult) throws -> AuditBaseline {
        try AuditBaseline(result.json())
    }

    @Test func `the same again is no regression, nor is less`() throws {
        let before = Samples.result([
            try Samples.pod("web", secret: "db"), try Samples.pod("api", secret: "db"),
        ])
        #expect(try baseline(before).regressions(in: before).isEmpty)
        let after = Samples.result([try Samples.pod("web", secret: "db")])
        #expect(try baseline(before).regressions(in: after).isEmpty)
    }

    @Test func `another pod of the same owner is the same`() throws {
        let before = Samples.result([
            try Samples.pod("web-5d4f-aaaaa", secret: "db", hash: "5d4f")
        ])
        let after = Samples.result([
            try Samples.pod("web-77c9-bbbbb", secret: "db", hash: "77c9"),
            try Samples.pod("web-77c9-ccccc", secret: "db", hash: "77c9"),
        ])
        #expect(try baseline(before).regressions(in: after).isEmpty)
        #expect(after.groups.first?.finding.owner == "Deployment shop/web")
        #expect(after.groups.first?.count == 2)
    }

    @Test(
        .evidence(
            "SIM-CLI-04",
            control: "the same cluster again, and one with less to find, are no regression"))
    func `a new finding, a lost protection and a lost agent are told`() throws {
        let before = Samples.result([
            try Samples.pod("web", wrapped: true), try Samples.node("n1"),
            try Samples.agent(on: "n1"),
        ])
        let after = Samples.result([
            try Samples.pod("web", secret: "db"), try Samples.node("n1"),
        ])
        let told = try baseline(before).regressions(in: after)
        #expect(told.contains { $0.hasPrefix("new: CT1001 Pod shop/web") })
        #expect(told.contains { $0.hasPrefix("new: CT2003 Node n1") })
        #expect(told.contains("was protected, is unprotected and uses Secrets: Pod shop/web app"))
        #expect(told.contains("had an agent and has none: node n1"))
        #expect(told.count == 4)
        let again = try baseline(before).regressions(in: before)
        let less = try baseline(after).regressions(in: before)
        #expect(less.isEmpty, "\(less)")
        Evidence.control(passed: again.isEmpty && less.isEmpty)
        Evidence.observe("\(told.count) changes for the worse were told, with what was before.")
    }

    @Test func `a container that lost its wrapper is told, though it uses no Secret`() throws {
        let before = Samples.result([try Samples.pod("web", wrapped: true)])
        let after = Samples.result([try Samples.pod("web")])
        #expect(
            try baseline(before).regressions(in: after)
                == ["was protected, is unprotected: Pod shop/web app"])
        // Controls: it never was, or has gone.
        #expect(try baseline(after).regressions(in: after).isEmpty)
        #expect(try baseline(before).regressions(in: Samples.result([])).isEmpty)
        #expect(try baseline(Samples.result([])).regressions(in: after).isEmpty)
        // A template that asks stands for pods that the webhook wraps.
        func template(_ annotations: JSONTree) throws -> AuditResult {
            Samples.result([
                try Samples.object([
                    "apiVersion": "apps/v1", "kind": "Deployment",
                    "metadata": ["name": "web", "namespace": "shop"],
                    "spec": [
                        "template": [
                            "metadata": ["annotations": annotations],
                            "spec": ["containers": [["name": "app", "command": ["/app"]]]],
                        ]
                    ],
                ])
            ])
        }
        let pods = try baseline(
            Samples.result([try Samples.pod("web-5d4f-aaaaa", wrapped: true, hash: "5d4f")]))
        #expect(pods.regressions(in: try template(["cloudtaser.io/inject": "true"])).isEmpty)
        #expect(
            pods.regressions(in: try template([:]))
                == ["was protected, is unprotected: Deployment shop/web app"])
        // Of two pods one was not, and is not.
        let both = Samples.result([
            try Samples.pod("web-5d4f-aaaaa", wrapped: true, hash: "5d4f"),
            try Samples.pod("web-5d4f-bbbbb", hash: "5d4f"),
        ])
        #expect(try baseline(both).regressions(in: both).isEmpty)
    }

    @Test(arguments: [
        "{}", #"{"apiVersion":"cloudtaser.io/v1alpha1","kind":"Audit"}"#,
        #"{"apiVersion":"cloudtaser.io/v1alpha1","kind":"Audit","findings":[{}],"workloads":[]}"#,
        #"{"apiVersion":"cloudtaser.io/v1alpha1","kind":"Audit","findings":[],"workloads":[{}]}"#,
    ])
    func `what no audit has printed is refused`(_ text: String) throws {
        let tree = try JSONTree(Array(text.utf8))
        #expect(throws: AuditBaseline.Malformed.self) { try AuditBaseline(tree) }
    }
}

@Suite("An audit's metrics") struct AuditMetricsTests {
    @Test func `an incomplete run is no success`() throws {
        let whole = AuditMetrics.text(Samples.result([]), regressions: 2, at: 5)
        #expect(whole.contains("cloudtaser_audit_last_success_timestamp_seconds 5\n"))
        #expect(whole.contains("cloudtaser_audit_regressions 2\n"))
        #expect(whole.contains("cloudtaser_audit_containers{standing=\"protected\"} 0\n"))
        let part = AuditMetrics.text(
            Samples.result([], unread: [UnreadObject(source: "s", reason: "r")]),
            regressions: 0, at: 5)
        #expect(!part.contains("last_success"))
        #expect(part.contains("cloudtaser_audit_unread 1\n"))
        #expect(part.contains("cloudtaser_audit_last_run_timestamp_seconds 5\n"))
    }
}
