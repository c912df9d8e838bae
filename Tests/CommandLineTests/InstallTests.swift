// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@Suite("cloudtaser install") struct InstallTests {
    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    /// With nothing in PATH but the fake programs.
    private func run(_ words: String...) throws -> ProgramRun {
        try ProgramRun(
            "cloudtaser", ["install"] + words, environment: ["PATH": folder.path])
    }

    @Test func `renders the chart that is found with helm, and passes on what helm takes`() throws {
        try folder.fake("helm", says: "kind: Rendered\n")
        let run = try run(
            "--set", "a=b", "--set", "c=d", "--values", "v.yaml", "-n", "other", "--context", "x")
        #expect(run.status == 0 && run.output == "kind: Rendered\n", "\(run)")
        let words = try #require(folder.words("helm"))
        #expect(words[0...1] == ["template", "cloudtaser"])
        #expect(words[2].hasSuffix("/deploy/helm/cloudtaser"))
        #expect(
            words[3...] == [
                "--namespace", "other", "--values", "v.yaml", "--set", "a=b", "--set", "c=d",
                "--kube-context", "x",
            ])
    }

    @Test func `without helm prints every manifest of the base, and starts nothing`() throws {
        try folder.fake("kubectl")
        let run = try run()
        #expect(run.status == 0, "\(run)")
        for kind in ["Deployment", "DaemonSet", "CustomResourceDefinition", "ClusterRole"] {
            #expect(run.output.contains("\nkind: \(kind)\n"), "\(kind)")
        }
        #expect(folder.words("kubectl") == nil)
        // What only helm can do is refused, and not left out in silence.
        for words in [["--set", "a=b"], ["--values", "v"], ["-n", "other"], ["--chart", "c"]] {
            let refused = try ProgramRun(
                "cloudtaser", ["install"] + words, environment: ["PATH": folder.path])
            #expect(refused.status == 1 && refused.errors.contains("helm is not in PATH"))
            #expect(refused.output.isEmpty)
        }
    }

    @Test func `installs with helm, and says so first`() throws {
        try folder.fake("helm", says: "deployed")
        try folder.fake("kubectl")
        let run = try run("--apply", "--chart", "c.tgz", "--dry-run", "server")
        #expect(run.status == 0 && run.output == "deployed", "\(run)")
        #expect(run.errors.contains("runs: \(folder.path)/helm upgrade --install cloudtaser c.tgz"))
        #expect(
            folder.words("helm") == [
                "upgrade", "--install", "cloudtaser", "c.tgz", "--namespace", "cloudtaser-system",
                "--dry-run=server",
            ])
        #expect(folder.words("kubectl") == nil)
    }

    @Test func `gives the base to kubectl where there is no helm`() throws {
        try folder.fake("kubectl", says: "created")
        let run = try run("--apply", "--dry-run", "server", "--kubeconfig", "k")
        #expect(run.status == 0 && run.output == "created", "\(run)")
        #expect(
            folder.words("kubectl") == [
                "apply", "-f", "-", "--kubeconfig", "k", "--dry-run=server",
            ])
        let printed = try self.run()
        #expect(folder.text("kubectl.in") == printed.output && !printed.output.isEmpty)
    }

    @Test(arguments: ["helm", "kubectl"])
    func `what fails says why and gives its exit code`(_ name: String) throws {
        try folder.fake(name, complains: "no such cluster", status: 7)
        let run = try run("--apply")
        #expect(run.status == 7 && run.errors.contains("no such cluster"), "\(run)")
        #expect(run.errors.contains("\(name) ended with 7"))
        // Control: the same that does not fail.
        try folder.fake(name)
        #expect(try self.run("--apply").status == 0)
    }

    @Test func `neither program, and wrong usage`() throws {
        let nothing = try run("--apply")
        #expect(nothing.status == 1 && nothing.errors.contains("neither helm nor kubectl"))
        for words in [["--apply", "--render"], ["--dry-run", "server"], ["--dry-run", "maybe"]] {
            let run = try ProgramRun(
                "cloudtaser", ["install"] + words, environment: ["PATH": folder.path])
            #expect(run.status == 2, "\(words) \(run)")
        }
    }
}
