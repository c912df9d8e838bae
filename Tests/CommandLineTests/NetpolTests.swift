// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@Suite("cloudtaser netpol") struct NetpolTests {
    private static let manifest = """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: shop}
        spec:
          selector: {matchLabels: {app: web}}
          template:
            metadata:
              labels: {app: web}
              annotations: {cloudtaser.io/inject: "true"}
            spec: {containers: [{name: app, image: app, command: [/app]}]}

        """

    private func run(_ words: [String], _ manifest: String = Self.manifest) throws -> ProgramRun {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "n-\(UUID().uuidString).yaml")
        try Data(manifest.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let path = file.path(percentEncoded: false)
        return try ProgramRun(
            "cloudtaser", ["netpol"] + words.map { $0 == "FILE" ? path : $0 }, environment: [:])
    }

    private static let vault = ["--vault-address", "https://10.0.0.5:8200"]

    @Test func `what is written is checked to allow the vault and nothing else`() throws {
        let written = try run(["FILE"] + Self.vault)
        #expect(written.status == 0, "\(written)")
        #expect(written.output.hasPrefix("---\napiVersion: networking.k8s.io/v1\n"))
        #expect(written.errors.contains("the CNI decides whether it is enforced"))
        let words = ["check", "FILE"] + Self.vault
        let after = try run(words, Self.manifest + written.output)
        #expect(after.status == 0, "\(after)")
        let other = "to any other IPv4 address, TCP"
        func line(_ run: ProgramRun) -> String {
            run.output.split(separator: "\n").first { $0.contains(other) }.map(String.init) ?? ""
        }
        #expect(line(after).contains("none"), "\(after)")
        // Control: without it everything is allowed.
        #expect(line(try run(words)).contains("no policy selects it"))
    }

    @Test func `where nobody asks for secrets it says so, and writes nothing`() throws {
        let word = "nothing that was read asks for secrets"
        let none = try run(
            ["FILE"] + Self.vault, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}")
        #expect(none.status == 0 && none.output.isEmpty && none.errors.contains(word), "\(none)")
        #expect(!(try run(["FILE"] + Self.vault)).errors.contains(word))
    }

    @Test func `prints JSON and a table as well`() throws {
        let json = try run(["generate", "-o", "json", "FILE"] + Self.vault)
        #expect(json.output.hasPrefix(#"{"apiVersion":"v1","kind":"List""#), "\(json)")
        let text = try run(["-o", "text", "FILE"] + Self.vault)
        #expect(text.output.contains("1 policies, 0 workloads without one"), "\(text)")
        let check = try run(["check", "-o", "json", "FILE"])
        #expect(check.output.contains(#""kind":"NetworkPolicyCheck""#), "\(check)")
    }

    @Test(arguments: [
        ["FILE"], ["--vault-address", "https://10.0.0.5"],
        ["FILE", "--vault-address", "https://vault.example.eu"],
        ["FILE", "--vault-address", "http://10.0.0.5"],
        ["FILE", "--vault-address", "https://10.0.0.5", "--vault-cidr", "0.0.0.0/0"],
        ["FILE", "--vault-address", "https://10.0.0.5", "--dns", "other"],
        ["check", "FILE", "--vault-cidr", "10.0.0.0/8"],
    ])
    func `what is not enough is wrong usage`(_ words: [String]) throws {
        let run = try run(words)
        #expect(run.status == 2 && run.output.isEmpty, "\(run)")
    }

    @Test func `what could not be read ends with 4, after the answer`() throws {
        let run = try run(["FILE"] + Self.vault, Self.manifest + "---\njust: text\n")
        #expect(run.status == 4 && run.output.contains("NetworkPolicy"), "\(run)")
    }
}
