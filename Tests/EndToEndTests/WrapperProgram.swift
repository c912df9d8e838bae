// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import VaultListener

/// The built wrapper, a vault on loopback, and a folder in which a started program leaves a mark.
final class WrapperProgram {
    let vault: LoopbackVault
    let folder: URL
    /// Changed by a test before `run`.
    var environment: [String: String]

    /// - Parameter script: as `ListenerScript` reads it; the token `t` may read everything.
    init(_ script: String = "") throws {
        let text = "token t\nkv2 secret app password=hunter2-äöü\n" + script
        vault = try ListenerScript(text).start()
        folder = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-wrapper-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        environment = WrapperEnvironment.delivering(
            "password", as: "DB_PASSWORD", from: vault.listener.address,
            authorityFile: vault.authorityFile)
        environment["VAULT_TOKEN"] = "t"
        // A refusal is wanted at once: tries again are the business of LifeTests.
        environment["CLOUDTASER_FETCH_SECONDS_MAX"] = "0"
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private var mark: URL { folder.appending(path: "started") }

    /// Whether a program was started since the last call.
    func wasStarted() -> Bool {
        let found = FileManager.default.fileExists(atPath: mark.path(percentEncoded: false))
        try? FileManager.default.removeItem(at: mark)
        return found
    }

    /// Starts a program that leaves its mark before anything else, then runs `script`.
    func run(_ script: String = ":") throws -> ProgramRun {
        let marking = ": > '\(mark.path(percentEncoded: false))'; \(script)"
        return try ProgramRun(
            "cloudtaser-wrapper", ["run", "--", "/bin/sh", "-c", marking],
            environment: environment)
    }

    func write(_ name: String, _ text: String) throws -> String {
        let url = folder.appending(path: name)
        try Data(text.utf8).write(to: url)
        return url.path(percentEncoded: false)
    }
}
