// SPDX-License-Identifier: Apache-2.0
import Foundation
import Injection
import TestKit
import Testing

/// The published schemas of Kubernetes (PyPI: kubernetes-validate).
private let schemas: String? = {
    let value = ProcessInfo.processInfo.environment["CLOUDTASER_KUBERNETES_VALIDATE"] ?? ""
    return value.isEmpty ? nil : value
}()

@Suite(
    .enabled(if: schemas != nil, "CLOUDTASER_KUBERNETES_VALIDATE names no folder"))
struct `Injected pods by the schemas of Kubernetes` {
    static let versions = ["1.29", "1.36"]

    @Test(arguments: versions)
    func `strict validation takes them`(version: String) throws {
        var pods: [Tree] = []
        for seed: UInt64 in 1...25 {
            var generator = PodGenerator(seed: seed, drawsUnknown: false)
            pods.append(try #require(try generator.draw().patched()))
        }
        let run = try Self.validate(pods, version)
        #expect(run.status == 0, "\(run.output)\(run.errors)")
    }

    /// Each of these would be an injection that Kubernetes does not understand.
    @Test(arguments: versions)
    func `strict validation refuses what is misspelt`(version: String) throws {
        let pod = try #require(try Case().patched()).description
        for (right, wrong) in [
            ("\"mountPath\"", "\"mountpath\""),
            ("\"sizeLimit\":\"32Mi\"", "\"sizeLimits\":\"32Mi\""),
            ("\"expirationSeconds\":600", "\"expirationSeconds\":\"600\""),
            ("\"allowPrivilegeEscalation\"", "\"allowPrivilegeEscalations\""),
        ] {
            let broken = pod.replacing(right, with: wrong)
            #expect(broken != pod, "\(right)")
            #expect(try Self.validate([try Tree(broken)], version).status != 0, "\(wrong)")
        }
    }

    private static func validate(_ pods: [Tree], _ version: String) throws -> ProgramRun {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-pods-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try pods.enumerated().map { index, pod in
            let file = folder.appending(path: "\(index).json")
            try Data(pod.bytes).write(to: file)
            return file.path(percentEncoded: false)
        }
        return try ProgramRun(
            path: "/usr/bin/python3",
            ["-m", "kubernetes_validate", "--strict", "--quiet", "-k", version] + files,
            environment: ["PYTHONPATH": schemas ?? "", "PATH": "/usr/bin:/bin"])
    }
}
