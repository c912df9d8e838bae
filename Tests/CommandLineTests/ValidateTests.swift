// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@Suite("cloudtaser validate, run as a program") struct ValidateTests {
    private static let manifest = """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: shop}
        spec:
          template:
            metadata:
              annotations:
                cloudtaser.io/inject: "true"
                cloudtaser.io/vault-role: shop
                cloudtaser.io/secret-paths: secret/shop/db
                cloudtaser.io/env-map: password=DB_PASSWORD
            spec:
              containers: [{name: app, image: app, command: [/app]}]
        """

    private static let policy = """
        apiVersion: cloudtaser.io/v1alpha1
        kind: CloudTaserPolicy
        metadata: {name: cluster}
        spec:
          vaults: [{name: main, address: "https://127.0.0.1:1", audience: vault}]
          grants: [{namespaces: [shop], vault: main, roles: [shop], paths: [secret/shop/*]}]
          wrapper: {image: registry.test/wrapper}
        """

    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    private func run(_ words: [String], _ manifests: String...) throws -> ProgramRun {
        let file = try folder.write("m.yaml", manifests.joined(separator: "\n---\n"))
        return try ProgramRun("cloudtaser", ["validate", file] + words, environment: [:])
    }

    @Test func `what would be injected is told, and ends with 0`() throws {
        let run = try run([], Self.manifest, Self.policy)
        #expect(run.status == 0, "\(run)")
        #expect(run.output.contains("Deployment shop/web  would be injected"))
        #expect(run.output.contains("not checked  role binding"))
        #expect(run.output.contains("not checked  webhook"))
    }

    @Test func `what would be refused ends with 3, unless somebody says otherwise`() throws {
        let wrong = Self.manifest.replacing("secret-paths", with: "secret-path")
        let refused = try run([], wrong, Self.policy)
        #expect(refused.status == 3, "\(refused)")
        #expect(refused.output.contains("CT3001  high"))
        #expect(refused.output.contains("is no annotation of CloudTaser"))
        #expect(refused.errors.contains("severity high or more"))
        #expect(try run(["--fail-on", "critical"], wrong, Self.policy).status == 0)
        // A grant for nobody weighs little: by default it ends with 0.
        let shop = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"
        let idle = Self.policy.replacing(
            "grants: [", with: "grants: [{namespaces: [x], vault: main, roles: [a], paths: [a]}, ")
        #expect(try run([], Self.manifest, idle, shop).status == 0)
        #expect(try run(["--fail-on", "low"], Self.manifest, idle, shop).status == 3)
    }

    @Test(arguments: ["json", "markdown", "html", "sarif"])
    func `every format has the finding`(_ format: String) throws {
        let wrong = Self.manifest.replacing("shop/db", with: "other/db")
        let run = try run(["-o", format], wrong, Self.policy)
        #expect(run.status == 3 && run.output.contains("CT3001"), "\(run)")
        guard format == "json" else { return }
        let tree = try #require(
            try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        let findings = try #require(tree["findings"] as? [[String: String]])
        #expect(findings.map { $0["id"] } == ["CT3001"])
        #expect(
            findings[0]["path"]
                == "spec.template.metadata.annotations[cloudtaser.io/secret-paths]")
    }

    @Test func `a vault that is not reached is found when it is looked at`() throws {
        let looked = try run(["--look-at-vaults"], Self.manifest, Self.policy)
        #expect(looked.status == 3 && looked.output.contains("CT2007"), "\(looked)")
        #expect(try run([], Self.manifest, Self.policy).status == 0)
    }

    @Test func `a token goes to vaults that are named, and to no other`() throws {
        let token = try folder.write("token", "s.token\n")
        let words = ["--vault-token-file", token]
        let unnamed = try run(words, Self.manifest, Self.policy)
        #expect(unnamed.status == 2 && unnamed.errors.contains("needs --vault-address"))
        // The policy's is another one: it is not asked, and that is said.
        let elsewhere = try run(
            words + ["--vault-address", "https://127.0.0.1:2", "--fail-on", "critical"],
            Self.manifest, Self.policy)
        #expect(elsewhere.status == 0, "\(elsewhere)")
        #expect(elsewhere.output.contains("role/shop of vault main: not asked for"))
        // Control: asked, it does not answer.
        let asked = try run(
            words + ["--vault-address", "https://127.0.0.1:1/", "--fail-on", "critical"],
            Self.manifest, Self.policy)
        #expect(asked.status == 4, "\(asked)")
        #expect(asked.output.contains("auth/kubernetes/role/shop of vault main  not reached"))
        let missing = try run(
            ["--vault-token-file", "/no/such/file", "--vault-address", "https://127.0.0.1:1"],
            Self.manifest, Self.policy)
        #expect(missing.status == 1 && missing.errors.contains("/no/such/file"), "\(missing)")
    }

    @Test func `accepted findings are told, and do not count until their last day is over`() throws
    {
        let wrong = Self.manifest.replacing("shop/db", with: "other/db")
        func declared(_ expires: String, _ more: String = "") throws -> [String] {
            let text = """
                apiVersion: cloudtaser.io/v1alpha1
                kind: AuditDeclarations
                acceptances:
                - {id: CT3001, object: Deployment shop/web, reason: moves in May, owner: ann,
                   expires: "\(expires)"}
                - {id: CT1001, reason: audit alone looks for it, owner: ann, expires: "2999-12-31"}
                \(more)
                """
            return ["--declarations", try folder.write("d.yaml", text)]
        }
        let accepted = try run(declared("2999-12-31"), wrong, Self.policy)
        #expect(accepted.status == 0, "\(accepted)")
        #expect(accepted.output.contains("ACCEPTED") && accepted.output.contains("moves in May"))
        #expect(!accepted.output.contains("CT2010") && accepted.output.hasPrefix("Validation"))
        let sarif = try run(declared("2999-12-31") + ["-o", "sarif"], wrong, Self.policy)
        #expect(sarif.output.contains("\"justification\":\"moves in May\""), "\(sarif)")
        // Controls: over, or of what is not there.
        let over = try run(declared("2020-02-29"), wrong, Self.policy)
        #expect(over.status == 3 && over.output.contains("CT2009"), "\(over)")
        let unused = try run(
            declared("2999-12-31") + ["--fail-on", "info"], Self.manifest, Self.policy)
        #expect(unused.status == 3 && unused.output.contains("CT2010"), "\(unused)")
        let broken = try run(declared("2999-02-30"), wrong, Self.policy)
        #expect(broken.status == 1 && broken.errors.contains("acceptances[0].expires"), "\(broken)")
    }

    @Test func `what is not read ends with 4, and wrong usage with 2`() throws {
        let run = try run([], Self.manifest, "just: text")
        #expect(run.status == 4, "\(run)")
        #expect(try self.run(["--fail-on", "sever"], Self.manifest).status == 2)
        let other = try folder.write("other.crt", "-----BEGIN PUBLIC KEY-----\n")
        let none = try self.run(["--certificate", other], Self.manifest)
        #expect(none.status == 1 && none.errors.contains("holds no certificate"), "\(none)")
        let missing = try self.run(["--certificate", "/no/such/file"], Self.manifest)
        #expect(missing.status == 1 && missing.errors.contains("/no/such/file"), "\(missing)")
    }

    @Test func `status of what kubectl prints`() throws {
        let file = try folder.write("m.yaml", Self.policy)
        func status(_ words: String...) throws -> ProgramRun {
            try ProgramRun("cloudtaser", ["status", file] + words, environment: [:])
        }
        let unknown = try status("--without-vaults")
        #expect(unknown.status == 4, "\(unknown)")
        #expect(unknown.output.contains("ok       policy    cluster: 1 vaults, 1 grants"))
        let down = try status()
        #expect(down.status == 3 && down.output.contains("docs/runbooks/vault-unreachable.md"))
        let json = try status("-o", "json")
        let tree = try #require(
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(tree["state"] as? String == "down")
    }
}
