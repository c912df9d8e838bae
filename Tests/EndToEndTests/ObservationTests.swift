// SPDX-License-Identifier: Apache-2.0
import AgentFiles
import AgentPorts
import Foundation
import Glibc
import TestKit
import Testing

/// What the node's agent would see of a wrapper that runs.
@Suite("An agent that looks from outside") struct ObservationTests {
    /// nil, after asserting the refusal, where this host grants no memfd_secret or ptrace.
    private static func observe(
        _ changes: (WrapperProgram) -> Void
    ) throws -> ProcessObservation? {
        let wrapper = try WrapperProgram()
        changes(wrapper)
        let mark = wrapper.folder.appending(path: "mark").path(percentEncoded: false)
        let program = try SpawnedProgram(
            [
                ProgramRun.path(of: "cloudtaser-wrapper"), "run", "--", "/bin/sh", "-c",
                ": > '\(mark)'; while :; do sleep 1; done",
            ],
            entries: wrapper.environment.map { "\($0.key)=\($0.value)" })
        let files = ProcessFiles()
        let started = files.start(of: program.process)
        var hasEnded = false
        for _ in 0..<1000 where !hasEnded && !FileManager.default.fileExists(atPath: mark) {
            usleep(10_000)
            hasEnded = waitpid(program.process, nil, WNOHANG) != 0
        }
        guard !hasEnded else {
            #expect(!FileManager.default.fileExists(atPath: mark))
            return nil
        }
        defer {
            kill(program.process, SIGKILL)
            _ = program.wait()
        }
        let since = try #require(started)
        #expect(files.programs(of: program.process, started: since + 1) == nil)
        let seen = files.programs(of: program.process, started: since)
        #expect(seen != nil)
        return seen
    }

    @Test func `sees locked memory in the program under splice, and none under environ`() throws {
        let open = try #require(try Self.observe { _ in })
        #expect(open.lockedKiB == 0)
        let spliced = try Self.observe { wrapper in
            wrapper.environment["CLOUDTASER_MINIMUM_TIER"] = nil
            wrapper.environment["CLOUDTASER_DELIVERY"] = nil
        }
        guard let spliced else { return }
        #expect(spliced.lockedKiB >= 4)
        #expect(spliced.hasNoNewPrivileges && spliced.seccompMode == 2)
    }
}
