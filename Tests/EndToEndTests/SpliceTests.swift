// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing
import WrapperConfiguration

/// The wrapper with the defaults a user gets: splice delivery, memfd_secret required.
@Suite("By default a program") struct SpliceTests {
    /// Runs with the defaults; nil, after asserting the refusal, where this host grants no
    /// memfd_secret, ptrace or seccomp listener.
    static func run(_ script: String, vault: String = "", map: (String, String)) throws
        -> ProgramRun?
    {
        let wrapper = try WrapperProgram(vault)
        wrapper.environment["CLOUDTASER_MINIMUM_TIER"] = nil
        wrapper.environment["CLOUDTASER_DELIVERY"] = nil
        wrapper.environment["CLOUDTASER_SECRET_PATHS"] = map.0
        wrapper.environment["CLOUDTASER_ENV_MAP"] = map.1
        let run = try wrapper.run(script)
        let refusals = [
            WrapperExit.secretMemoryUnavailable.rawValue, WrapperExit.hostRefusesDelivery.rawValue,
        ]
        guard refusals.contains(run.status) else { return run }
        #expect(!wrapper.wasStarted(), "\(run.errors)")
        return nil
    }

    @Test func `reads the value where its environment block has only the name`() throws {
        let script = """
            echo "$DB_PASSWORD"; env sh -c 'echo "$DB_PASSWORD"'
            tr '\\0' '\\n' < /proc/$$/environ | grep ^DB_
            """
        let run = try Self.run(script, map: ("secret/app", "password=DB_PASSWORD"))
        guard let run else { return }
        #expect(run.output == "hunter2-äöü\nhunter2-äöü\nDB_PASSWORD=\n")
        #expect(run.errors.isEmpty)
    }

    @Test func `shows the value in its environment block only under environ delivery`() throws {
        let run = try WrapperProgram().run("tr '\\0' '\\n' < /proc/$$/environ | grep ^DB_")
        #expect(run.output == "DB_PASSWORD=hunter2-äöü\n")
        #expect(run.errors.contains("delivery environ: root reads the values"))
    }

    @Test func `gets a value of the largest size whole, which execve could not carry`() throws {
        let run = try Self.run(
            "echo ${#LONG}", vault: "filled secret big long 1048576",
            map: ("secret/big", "long=LONG"))
        guard let run, run.status != WrapperExit.responseTooLarge.rawValue else { return }
        #expect(run.output == "1048576\n", "\(run.errors)")
    }
}
