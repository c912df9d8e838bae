// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

extension DeliverySuite {
    /// A supervisor without CAP_SYS_PTRACE makes a caller's memory dumpable for its exec, and takes
    /// that back in whatever shares the memory and stays behind.
    @Suite("Memory that is made dumpable for an exec", .serialized)
    struct DumpableTests {
        private static let user: UInt32? = Host.isRoot ? 65534 : nil
        private static let undumpable = Setup(
            follow: "attached", user: user, options: ["--undumpable"])

        /// What the program printed under the setup, and under the same without `--undumpable`,
        /// which shows that it tells the two apart.
        private func output(
            of command: [String], _ options: [String] = [], within seconds: Double = 60
        ) throws -> String? {
            var plain = Self.undumpable
            plain.options = []
            let control = try Run(plain, on: Stage(), within: seconds, [Host.victim] + command)
            var setup = Self.undumpable
            setup.options += options
            let stage = try Stage()
            let run = try Run(setup, on: stage, within: seconds, [Host.victim] + command)
            guard expectDelivered(run, setup, on: stage) else { return nil }
            #expect(control.outcome.status == 0, "\(control.outcome)")
            #expect(control.outcome.output.contains(": 1\n"), "\(control.outcome)")
            return run.outcome.output
        }

        @Test("A fork that uses up the interruption does not lose the flag")
        func forkBesideExecs() throws {
            guard let output = try output(of: ["fork-beside-execs", "150"]) else { return }
            #expect(output.contains("dumpable beside forks: 0\n"), "\(output)")
        }

        @Test("A child that was forked meanwhile is not dumpable either")
        func forkedMeanwhile() throws {
            guard let output = try output(of: ["fork-beside-execs", "50"]) else { return }
            #expect(output.contains("dumpable children: 0\n"), "\(output)")
        }

        @Test("An exec that is refused for its environment takes the flag back")
        func refusedExec() throws {
            guard let output = try output(of: ["refuse-exec"]) else { return }
            #expect(output == "dumpable after a refused exec: 0\n")
        }

        @Test(
            "When the child is killed in its exec the parent's flag is taken back",
            arguments: 1...3)
        func killedExec(occurrence: Int) throws {
            let options = ["--fail-at", "raise-dumpable:\(occurrence)"]
            guard let output = try output(of: ["lose-child-in-exec"], options) else { return }
            #expect(output.contains("child: \(Status.killed)\n"), "\(output)")
            #expect(output.contains("dumpable after a killed exec: 0\n"), "\(output)")
        }

        @Test("A parent that job control has stopped does not stay dumpable")
        func stoppedParent() throws {
            guard let output = try output(of: ["stop-during-exec"]) else { return }
            #expect(output.contains("owner of the stopped parent: 0\n"), "\(output)")
            #expect(output.contains("dumpable after a stop: 0\n"), "\(output)")
        }

        @Test("Two threads that execute a program at once: one does, and the flag is taken back")
        func racingExecs() throws {
            guard let output = try output(of: ["race-execs", "60"]) else { return }
            #expect(output == "dumpable after two execs at once: 0\n")
        }

        @Test("Two threads that execute a program at once end nobody else", arguments: Host.follows)
        func racingExecsEndNobody(follow: String) throws {
            for user in Host.users {
                let setup = Setup(follow: follow, user: user)
                let stage = try Stage()
                let run = try Run(setup, on: stage, [Host.victim, "race-execs", "100"])
                guard expectDelivered(run, setup, on: stage) else { return }
            }
        }

        @Test("LIM: while a child in the same memory is in its exec, the memory is dumpable")
        func window() throws {
            guard let output = try output(of: ["watch-exec", "50"]) else { return }
            #expect(output.contains("dumpable during an exec: 1\n"), "\(output)")
            #expect(output.contains("dumpable after it: 0\n"), "\(output)")
        }
    }
}
