// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// Uses that nobody plans for: a full disk, a pipe whose writer has failed.
@Suite("The tool in the hands of a tester") struct HostileUseTests {
    private static let manifest = """
        apiVersion: v1
        kind: Pod
        metadata: {name: p, namespace: shop, labels: {app: p, cloudtaser.io/inject: "true"}}
        spec:
          containers:
          - name: a
            image: x
            command: [x]
            env: [{name: A, valueFrom: {secretKeyRef: {name: db, key: a}}}]
        """

    private func shell(_ words: String, _ redirection: String) throws -> ProgramRun {
        try ProgramRun(
            path: "/bin/sh",
            ["-c", "'\(ProgramRun.path(of: "cloudtaser"))' \(words) \(redirection)"],
            environment: ["PATH": "/bin:/usr/bin"])
    }

    @Test(
        arguments: [
            "discover", "discover -o json", "discover --patch", "audit -o html", "validate",
            "netpol check", "netpol generate --vault-address https://10.0.0.5",
        ])
    func `an answer that cannot be written is an error, not a success or a crash`(
        _ command: String
    ) throws {
        let folder = try ScratchFolder()
        let file = try folder.write("m.yaml", Self.manifest)
        for redirection in ["> /dev/full", ">&-"] {
            let run = try shell("\(command) '\(file)'", redirection)
            #expect(run.status == 1, "\(run)")
            #expect(run.errors.contains("standard output: cannot be written"), "\(run)")
        }
        // Control: where there is room.
        #expect(
            try shell("\(command) '\(file)'", "> /dev/null").errors.contains("written") == false)
    }

    @Test(arguments: ["explain", "version", "--help", "completion bash"])
    func `so it is of commands that read nothing`(_ command: String) throws {
        #expect(try shell(command, "> /dev/full").status == 1)
        #expect(try shell(command, "> /dev/null").status == 0)
    }

    @Test(arguments: ["discover --fail-on info", "audit", "validate", "netpol check"])
    func `nothing at all is not taken for a clean answer`(_ command: String) throws {
        let empty = try shell("\(command) -", "< /dev/null")
        #expect(empty.status == 4, "\(empty)")
        #expect((empty.output + empty.errors).contains("holds no object"), "\(empty)")
        let folder = try ScratchFolder()
        #expect(try shell("\(command) '\(folder.path)'", "").status == 4)
        // Control: something that is harmless.
        let file = try folder.write(
            "m.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
        #expect(try shell("\(command) '\(file)'", "").status == 0)
        // A file beside it may have comments alone.
        try folder.write("n.yaml", "# {{- if .Values.enabled }}\n---\n")
        #expect(try shell("\(command) '\(folder.path)'", "").status == 0)
    }
}
