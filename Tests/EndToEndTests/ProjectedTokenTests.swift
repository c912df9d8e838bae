// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestKit
import Testing
import WrapperConfiguration

/// The token that an injected pod logs in with (`VAULT_JWT_FILE`), and who else can use it.
@Suite("The projected token") struct ProjectedTokenTests {
    private let wrapper: WrapperProgram
    private let token: String

    init() throws {
        wrapper = try WrapperProgram("kubernetes web projected-token")
        token = try wrapper.write("token", "projected-token")
        wrapper.environment["VAULT_TOKEN"] = nil
        wrapper.environment["VAULT_AUTH_METHOD"] = "kubernetes"
        wrapper.environment["VAULT_AUTH_ROLE"] = "web"
        wrapper.environment["VAULT_JWT_FILE"] = token
    }

    /// The kubelet writes the file for the container's user, and the program is the same user.
    @Test(
        .evidence(
            "LIM-K8SID-01",
            control: "another user of the host cannot read it, and the vault"
                + " refuses another token"))
    func `the program can read the token and log in with it as long as it lasts`() throws {
        chmod(token, 0o600)
        let copy = wrapper.folder.path(percentEncoded: false) + "/copy"
        let run = try wrapper.run("env; cat '\(token)' > '\(copy)'")
        #expect(run.status == 0, "\(run)")
        // Neither the token nor its place is in what the program is started with.
        #expect(!run.output.contains("projected-token") && !run.output.contains("VAULT_"))
        let stolen = try String(contentsOfFile: copy, encoding: .utf8)
        #expect(stolen == "projected-token")
        wrapper.environment["VAULT_JWT_FILE"] = copy
        let carried = try wrapper.run("echo $DB_PASSWORD")
        #expect(carried.output == "hunter2-äöü\n", "\(carried)")
        Evidence.observe("the program read the token's file, and the vault took the copy")
        try "another".write(toFile: copy, atomically: false, encoding: .utf8)
        _ = wrapper.wasStarted()
        let refused = try wrapper.run()
        let other = try ProgramRun(
            path: "/usr/bin/setpriv",
            ["--reuid", "65534", "--regid", "65534", "--clear-groups", "/bin/cat", token],
            environment: [:])
        Evidence.control(
            passed: refused.status == WrapperExit.loginRefused.rawValue && !wrapper.wasStarted()
                && other.status != 0 && other.output.isEmpty)
    }
}
