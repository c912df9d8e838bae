// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@Suite("cloudtaser discover --patch") struct PatchTests {
    private static let manifest = """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: shop}   # a comment
        spec:
          template:
            spec:
              containers:
              - name: app
                command: [/app]
                env:
                - name: DB_PASSWORD
                  valueFrom: {secretKeyRef: {name: db, key: password}}
              volumes: [{name: v, secret: {secretName: tls}}]
        """

    private func run(_ words: [String]) throws -> ProgramRun {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "p-\(UUID().uuidString).yaml")
        try Data(Self.manifest.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try ProgramRun(
            "cloudtaser", ["discover"] + words + [file.path(percentEncoded: false)],
            environment: [:])
    }

    @Test func `prints what converts, and tells the rest on standard error`() throws {
        let run = try run(["--patch", "--vault-role", "web"])
        #expect(run.status == 0, "\(run)")
        let expected = """
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              name: web
              namespace: shop
            spec:
              template:
                spec:
                  containers:
                  - name: app
                    command:
                    - /app
                  volumes:
                  - name: v
                    secret:
                      secretName: tls
                metadata:
                  annotations:
                    cloudtaser.io/inject: "true"
                    cloudtaser.io/vault-role: web
                    cloudtaser.io/secret-paths: secret/shop/db
                    cloudtaser.io/env-map: password=DB_PASSWORD
                  labels:
                    cloudtaser.io/inject: "true"

            """
        #expect(run.output == expected)
        #expect(run.errors.contains("stays: Deployment shop/web: spec.template.spec.volumes[0]"))
    }

    @Test func `prints a List as JSON, and commands for the vault`() throws {
        let json = try run(["--patch", "-o", "json", "--path-prefix", "kv/{namespace}"])
        #expect(json.output.contains(#""cloudtaser.io/secret-paths":"kv/shop/db""#))
        #expect(json.output.hasPrefix(#"{"apiVersion":"v1","kind":"List","items":[{"#))
        let commands = try run(["--patch", "--vault-commands"])
        #expect(commands.output == "bao kv put secret/shop/db password=@password\n")
    }

    @Test(arguments: [
        ["--vault-role", "web"], ["--vault-commands"], ["--patch", "--path-prefix", "/x"],
        ["--patch", "--vault-role", ""], ["--patch", "--fail-on", "low"],
        ["--patch", "-o", "sarif"], ["--patch", "--out", "x.yaml"],
    ])
    func `is wrong usage without --patch, and with what is no path or role`(
        _ words: [String]
    ) throws {
        let run = try run(words)
        #expect(run.status == 2 && run.output.isEmpty, "\(run)")
    }
}
