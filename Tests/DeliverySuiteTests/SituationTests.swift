// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import Testing

extension DeliverySuite {
    /// What programs do between and around their execs.
    @Suite("Situations", .serialized)
    struct SituationTests {
        static let stormExecs = Host.isSoak ? 10_000 : 300

        static var setups: [Setup] {
            Host.follows.flatMap { follow in
                Host.users.map { Setup(follow: follow, user: $0) }
            }
        }

        /// Handlers without SA_RESTART too under attached; see the LIM test below.
        static var storms: [(setup: Setup, words: String)] {
            setups.flatMap { setup in
                setup.follow == "attached"
                    ? [(setup, "storm"), (setup, "storm-restarting")]
                    : [(setup, "storm-restarting")]
            }
        }

        @Test(
            "Execs under a storm of signals lose none (300; 10,000 with CLOUDTASER_SOAK=1)",
            arguments: storms)
        func signalStorm(setup: Setup, program: String) throws {
            let stage = try Stage()
            let run = try Run(
                setup, on: stage, within: 900, [Host.victim, program, String(Self.stormExecs)])
            guard expectDelivered(run, setup, on: stage) else { return }
            #expect(run.outcome.output.contains("signals: "), "\(run.outcome)")
            // SIGUSR2 and SIGRTMIN+1, as the first image blocked them.
            expectProtected(run, setup, on: stage, mask: UInt64(1) << 11 | UInt64(1) << 34)
            #expect(run.labelled("storm/last").count == 1)
        }

        @Test("Execs that fail under a storm of signals answer ENOENT", arguments: storms)
        func failingStorm(setup: Setup, program: String) throws {
            let stage = try Stage()
            let run = try Run(
                setup, on: stage, within: 900,
                [Host.victim, "failing-\(program)", String(Self.stormExecs * 2)])
            guard expectDelivered(run, setup, on: stage) else { return }
            expectProtected(run, setup, on: stage)
        }

        @Test("LIM: under notified a signal whose handler lacks SA_RESTART may interrupt an exec")
        func interruptedExec() throws {
            let setup = Setup(follow: "notified")
            guard Host.refusedCall(follow: "notified") == nil else { return }
            // The kernel lets a signal end the wait until the wrapper has taken the notification;
            // the exec then answers EINTR, which the caller may try again.
            var output = ""
            for _ in 0..<5 where !output.contains("Interrupted system call") {
                let stage = try Stage()
                let run = try Run(setup, on: stage, [Host.victim, "failing-storm", "2000"])
                #expect(run.outcome.treeEnded && stage.markers("unfilled").isEmpty)
                output = run.outcome.output
            }
            #expect(output.contains("Interrupted system call"), "\(output)")
        }

        @Test("Control: the storm reaches a program that nobody follows")
        func controlStorm() throws {
            let stage = try Stage()
            let observer = try Observer(folder: stage.folder)
            let outcome = try Command(
                [Host.victim, "storm", "100"],
                environment: stage.classicEnvironment(observer: observer.path)
            ).finish()
            #expect(outcome.status == 0 && outcome.output.contains("signals: "), "\(outcome)")
            #expect(observer.finish().count == 1)
        }

        @Test(
            "Forty processes hold their values at once with 64 KiB of locked memory each",
            arguments: setups)
        func crowd(setup: Setup) throws {
            let stage = try Stage()
            var setup = setup
            setup.lockedMemory = 64 << 10
            let run = try Run(
                setup, on: stage, crowdCount: 40, within: 60, [Host.victim, "crowd", "40"])
            // Debian's 6.1, 6.12 and 7.2 charge the user, not the process: there the exec that
            // finds no budget is killed with ENOMEM, and no image runs unfilled.
            if run.outcome.output.contains("(errno \(ENOMEM))") {
                #expect(stage.markers("unfilled").isEmpty)
                #expect(run.observations.allSatisfy { $0.values == "ok" })
                #expect(run.outcome.treeEnded)
                return
            }
            guard expectDelivered(run, setup, on: stage) else { return }
            expectProtected(run, setup, on: stage)
            #expect(run.labelled("crowd/child").count == 40)
        }

        @Test(
            "Between execs a program is stopped never under notified, and often under attached",
            arguments: Host.follows)
        func stopsBetweenExecs(follow: String) throws {
            let stage = try Stage()
            let file = stage.folder + "/counters"
            let setup = Setup(follow: follow, options: ["--counters", file])
            let run = try Run(setup, on: stage, [Host.victim, "busy", "1000", "1000"])
            guard expectDelivered(run, setup, on: stage) else { return }
            let content = try Data(contentsOf: URL(fileURLWithPath: file))
            let counters = try JSONSerialization.jsonObject(with: content) as? [String: Any]
            let stops = try #require(counters?["stopsBetweenExecs"] as? Int, "\(counters ?? [:])")
            #expect(counters?["execs"] as? Int == 1)
            if follow == "notified" { #expect(stops == 0) } else { #expect(stops > 2000) }
        }

        @Test(
            "The values can be edited in place, and not where policy makes them read-only",
            arguments: Host.follows)
        func readOnly(follow: String) throws {
            for (options, status) in [([], Int32(0)), (["--read-only"], 128 + SIGSEGV)] {
                let stage = try Stage()
                let setup = Setup(follow: follow, options: options)
                let run = try Run(setup, on: stage, [Host.victim, "edit"])
                guard Host.refusedCall(follow: follow) == nil else {
                    #expect(run.outcome.status == Status.refusedByHost)
                    continue
                }
                #expect(run.outcome.status == status, "\(setup): \(run.outcome)")
            }
        }

        @Test("Between execs another tracer is refused under attached; LIM: not under notified")
        func otherTracer() throws {
            // Control: whether this host lets the user attach at all (Yama may refuse).
            let plain = try seizeAtReport(Setup(mode: "environ"))
            for follow in Host.follows {
                let answer = try seizeAtReport(Setup(follow: follow))
                guard Host.refusedCall(follow: follow) == nil else { continue }
                #expect(answer == (follow == "attached" ? "seize: EPERM\n" : plain))
            }
        }

        /// What another process is told that attaches to a program between its execs.
        private func seizeAtReport(_ setup: Setup) throws -> String {
            let stage = try Stage()
            let answers = Mutex<String>("")
            let run = try Run(
                setup, on: stage,
                atReport: { seen in
                    let words = [Host.victim, "seize", String(seen.pid)]
                    let outcome = try? Command(words, environment: []).finish()
                    answers.withLock { $0 += outcome?.output ?? "" }
                }, [Host.victim, "leaf", "traced"])
            _ = expectDelivered(run, setup, on: stage)
            return answers.withLock { $0 }
        }

        @Test("A child that wipes its copy after fork leaves the parent's alone under attached")
        func wipeUnderAttached() throws {
            let setup = Setup(follow: "attached")
            let stage = try Stage()
            let run = try Run(setup, on: stage, [Host.victim, "wipe"])
            guard expectDelivered(run, setup, on: stage) else { return }
            #expect(run.outcome.output.contains("parent: kept"), "\(run.outcome)")
        }

        @Test("LIM: under notified, parent and forked child share one copy of the values")
        func wipeUnderNotified() throws {
            let setup = Setup(follow: "notified")
            let stage = try Stage()
            let run = try Run(setup, on: stage, [Host.victim, "wipe"])
            guard expectDelivered(run, setup, on: stage) else { return }
            #expect(run.outcome.output.contains("parent: wiped"), "\(run.outcome)")
        }

        @Test(
            "LIM: a workload's own seccomp listener is refused as busy, and delivery goes on",
            arguments: Host.follows)
        func ownListener(follow: String) throws {
            // Both strategies hand the descriptor over by a listener, and the kernel allows one
            // for each chain of filters.
            let setup = Setup(follow: follow)
            let stage = try Stage()
            let run = try Run(setup, on: stage, [Host.victim, "own-listener"])
            guard expectDelivered(run, setup, on: stage) else { return }
            #expect(run.outcome.output.contains("listener: busy"), "\(run.outcome)")
            // Control: without delivery the same program is granted one.
            let plain = try Run(
                Setup(mode: "environ"), on: Stage(), [Host.victim, "own-listener"])
            #expect(plain.outcome.output.contains("listener: granted"), "\(plain.outcome)")
            #expect(run.labelled("posix_spawn/").count == 4)
            #expect(run.observations.allSatisfy { $0.values == "ok" })
        }

        @Test(
            "LIM: a value that a shell puts into an argument is shown by /proc/PID/cmdline",
            arguments: Host.follows)
        func valueInArgument(follow: String) throws {
            let setup = Setup(follow: follow)
            let stage = try Stage()
            let script = #"exec "$SUITE_VICTIM" leaf argument -p"$CT_ALPHA""#
            let run = try Run(setup, on: stage, ["/bin/sh", "-c", script])
            guard expectDelivered(run, setup, on: stage) else { return }
            let seen = try #require(run.labelled("argument").first)
            #expect(stage.leaks(in: seen.commandLine))
            #expect(!stage.leaks(in: seen.environment))
        }

        @Test(
            "The system calls that steal memory are denied to the program, and allowed on request",
            arguments: Host.follows)
        func restriction(follow: String) throws {
            let stage = try Stage()
            let words = [Host.victim, "restricted-calls"]
            let denied = try Run(Setup(follow: follow), on: stage, words)
            guard expectDelivered(denied, Setup(follow: follow), on: stage) else { return }
            #expect(!denied.outcome.output.contains("allowed"), "\(denied.outcome)")
            // Control: the same calls, as far as the host itself lets them through.
            let bare = try Command(words, environment: stage.environment()).finish()
            #expect(bare.output.contains("allowed"), "\(bare)")
            let free = Setup(follow: follow, options: ["--no-restrict"])
            let allowed = try Run(free, on: stage, words)
            #expect(allowed.outcome.output == bare.output)
        }

        @Test("The program's capabilities are emptied on request", arguments: Host.follows)
        func capabilities(follow: String) throws {
            let setup = Setup(follow: follow, options: ["--drop-capabilities"])
            let stage = try Stage()
            let run = try Run(
                setup, on: stage, ["/bin/sh", "-c", "grep -E 'Cap(Bnd|Amb|Eff)' /proc/self/status"])
            guard expectDelivered(run, setup, on: stage) else { return }
            // Only root may empty the bounding set; without it nothing can be gained from it
            // either, since no program elevates under NO_NEW_PRIVS.
            for name in ["CapAmb", "CapEff"] + (Host.isRoot ? ["CapBnd"] : []) {
                #expect(run.outcome.output.contains("\(name):\t0000000000000000"), "\(name)")
            }
        }

        @Test(
            "A process of many threads that is left behind holds nobody up", arguments: Host.follows
        )
        func leftThreads(follow: String) throws {
            // The order in which threads were reaped was once a matter of luck: several tries.
            for _ in 0..<5 {
                let setup = Setup(follow: follow)
                let stage = try Stage()
                let run = try Run(setup, on: stage, [Host.victim, "leave-threads", "6"])
                guard expectDelivered(run, setup, on: stage) else { return }
            }
        }

        @Test("Exit codes and signals of the program are passed on", arguments: Host.follows)
        func exitStatus(follow: String) throws {
            guard Host.refusedCall(follow: follow) == nil else { return }
            for (script, status) in [("exit 7", Int32(7)), ("kill -TERM $$", 128 + SIGTERM)] {
                let stage = try Stage()
                let run = try Run(Setup(follow: follow), on: stage, ["/bin/sh", "-c", script])
                #expect(run.outcome.status == status)
            }
            let stage = try Stage()
            let setup = Setup(follow: follow)
            #expect(try Run(setup, on: stage, ["no-such-program"]).outcome.status == 127)
            #expect(try Run(setup, on: stage, ["/etc/passwd"]).outcome.status == 126)
        }
    }
}
