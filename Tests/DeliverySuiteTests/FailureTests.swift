// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

extension DeliverySuite {
    /// No image runs unfilled: when a step fails, and when the wrapper dies at it.
    @Suite("Failures", .serialized)
    struct FailureTests {
        static let steps: [String] = {
            let outcome = try? Command([Host.harness, "--list-steps"], environment: []).finish()
            return (outcome?.output ?? "").split(separator: "\n").map(String.init)
        }()

        /// A tree that lives until it is ended, and executes in several ways meanwhile.
        static let tree = """
            sleep 60 & "$SUITE_DIR/checker"; "$SUITE_VICTIM" run fork-exec posix_spawn failed-exec
            "$SUITE_DIR/checker"; kill $!; wait; exit 5
            """
        static let treeStatus: Int32 = 5

        private func plant(on stage: Stage) throws {
            try TinyProgram.marksItsStart.write(
                to: stage.folder + "/starter", marker: stage.folder + "/started")
            try TinyProgram.marksAnUnfilledValue.write(
                to: stage.folder + "/checker", marker: stage.folder + "/unfilled-checker")
        }

        @Test("Control: the small programs leave their markers when nothing stops them")
        func controlMarkers() throws {
            let stage = try Stage()
            try plant(on: stage)
            let start = { (program: String, environment: [String]) in
                try Command([program], environment: environment).finish().status
            }
            let checker = stage.folder + "/checker"
            #expect(try start(checker, stage.classicEnvironment()) == 42)
            #expect(stage.markers("unfilled").isEmpty)
            #expect(try start(checker, stage.environment() + ["CT_ALPHA="]) == 43)
            #expect(stage.markers("unfilled").count == 1)
            #expect(try start(stage.folder + "/starter", stage.environment()) == 42)
            #expect(stage.markers("started").count == 1)
        }

        @Test(
            "An image that occupies the values' place gets them elsewhere, which is told",
            arguments: Host.follows, [true, false])
        func displaced(follow: String, indexed: Bool) throws {
            let stage = try Stage()
            try plant(on: stage)
            let file = stage.folder + "/counters"
            // The small programs lie at 4 MiB, the shell does not.
            var setup = Setup(
                follow: follow, options: ["--area-base", "400000", "--counters", file])
            if indexed { setup.options += ["--index", stage.folder + "/index"] }
            let checker = stage.folder + "/checker"
            let run = try Run(setup, on: stage, ["/bin/sh", "-c", "exec \(checker)"])
            guard Host.refusedCall(follow: follow) == nil else { return }
            #expect(run.outcome.status == TinyProgram.ordinaryExit, "\(run.outcome)")
            #expect(stage.markers("unfilled").isEmpty)
            let content = try Data(contentsOf: URL(filePath: file))
            let counters = try JSONSerialization.jsonObject(with: content) as? [String: Any]
            #expect(counters?["splices"] as? Int == 2, "\(run.outcome)")
            #expect(counters?["displacedAreas"] as? Int == 1, "\(run.outcome)")
            let told = run.outcome.output.components(separatedBy: "is not scanned").count - 1
            #expect(told == (indexed ? 1 : 0), "\(run.outcome)")
        }

        @Test("The small programs are delivered to, as any other", arguments: Host.follows)
        func smallPrograms(follow: String) throws {
            let stage = try Stage()
            try plant(on: stage)
            let setup = Setup(follow: follow)
            let run = try Run(setup, on: stage, [stage.folder + "/checker"])
            let refused = Host.refusedCall(follow: follow) != nil
            let expected = refused ? Status.refusedByHost : TinyProgram.ordinaryExit
            #expect(run.outcome.status == expected, "\(run.outcome)")
            #expect(stage.markers("unfilled").isEmpty)
        }

        @Test(
            "A step that fails ends with 103 before the first instruction", arguments: Host.follows)
        func failureAtEveryStep(follow: String) throws {
            guard Host.refusedCall(follow: follow) == nil else { return try refused(follow) }
            #expect(Self.steps.count > 10)
            var failed: Set<String> = []
            for options in [[], ["--undumpable"]] {
                // Only these steps differ where images are not dumpable.
                let steps = Self.steps.filter { options.isEmpty || $0.contains("dumpable") }
                for step in steps {
                    let stage = try Stage()
                    try plant(on: stage)
                    let setup = Setup(follow: follow, options: options + ["--fail-at", step])
                    let run = try Run(setup, on: stage, [stage.folder + "/starter"])
                    let ran = stage.markers("started").count == 1
                    #expect(run.outcome.treeEnded, "\(setup)")
                    // A seize that fails looks like a host that refuses ptrace.
                    if [Status.deliveryFailed, Status.refusedByHost].contains(run.outcome.status) {
                        failed.insert(step)
                        #expect(!ran, "\(setup): the image had begun")
                    } else {
                        // The step is not part of this delivery.
                        let isWhole = run.outcome.status == TinyProgram.ordinaryExit && ran
                        #expect(isWhole, "\(setup): \(run.outcome)")
                    }
                }
            }
            #expect(failed.count >= 12, "only \(failed.sorted()) were reached")
        }

        @Test("A later exec whose step fails never begins either", arguments: Host.follows)
        func failureAtLaterExec(follow: String) throws {
            guard Host.refusedCall(follow: follow) == nil else { return try refused(follow) }
            var failed: Set<String> = []
            for step in Self.steps {
                let stage = try Stage()
                try plant(on: stage)
                let setup = Setup(follow: follow, options: ["--fail-at", step + ":2"])
                let script = #""$SUITE_DIR/starter"; exit 5"#
                let run = try Run(setup, on: stage, ["/bin/sh", "-c", script])
                let ran = stage.markers("started").count == 1
                #expect(run.outcome.treeEnded, "\(setup)")
                #expect(stage.markers("unfilled").isEmpty, "\(setup)")
                // The image is killed and its parent, which sees that, goes on; a failure in the
                // first image's own delivery ends everything.
                let message = run.outcome.output.contains("failed at step \(step)")
                if message || run.outcome.status == Status.deliveryFailed {
                    failed.insert(step)
                    #expect(!ran, "\(setup): the image had begun")
                    #expect([5, Status.deliveryFailed].contains(run.outcome.status), "\(setup)")
                } else {
                    #expect(run.outcome.status == 5 && ran, "\(setup): \(run.outcome)")
                }
            }
            #expect(failed.count >= 12, "only \(failed.sorted()) were reached")
        }

        @Test(
            "When the wrapper is killed at any step the whole tree ends, and no image ran unfilled",
            arguments: Host.follows)
        func deathAtEveryStep(follow: String) throws {
            guard Host.refusedCall(follow: follow) == nil else { return try refused(follow) }
            var died: Set<String> = []
            for occurrence in [1, 4] {
                for step in Self.steps {
                    let stage = try Stage()
                    try plant(on: stage)
                    let setup = Setup(
                        follow: follow, options: ["--die-at", "\(step):\(occurrence)"])
                    let run = try Run(setup, on: stage, ["/bin/sh", "-c", Self.tree])
                    // Each such failure costs seconds; the first says it all.
                    try #require(run.outcome.treeEnded, "\(setup): part of the tree lives on")
                    #expect(stage.markers("unfilled").isEmpty, "\(setup)")
                    if run.outcome.status == Status.killed {
                        died.insert(step)
                    } else {
                        #expect(run.outcome.status == Self.treeStatus, "\(setup): \(run.outcome)")
                    }
                }
            }
            #expect(died.count >= 12, "only \(died.sorted()) were reached")
        }

        @Test(
            "When the wrapper is killed between execs the whole tree ends", arguments: Host.follows)
        func deathBetweenExecs(follow: String) throws {
            guard Host.refusedCall(follow: follow) == nil else { return try refused(follow) }
            for user in Host.users {
                let stage = try Stage()
                try plant(on: stage)
                let run = try Run(
                    Setup(follow: follow, user: user), on: stage, killWrapperAtReport: true,
                    ["/bin/sh", "-c", Self.tree])
                #expect(run.outcome.status == Status.killed, "\(run.outcome)")
                #expect(run.outcome.treeEnded, "part of the tree lives on")
                #expect(stage.markers("unfilled").isEmpty)
            }
        }

        @Test("Control: without a wrapper, what its leader started lives on")
        func controlTreeLivesOn() throws {
            let stage = try Stage()
            let started = try Command(
                ["/bin/sh", "-c", "sleep 60 & kill -9 $$"], environment: stage.environment())
            let outcome = started.finish(afterExit: 1)
            #expect(outcome.status == Status.killed)
            #expect(!outcome.treeEnded)
        }

        @Test("A 32-bit image is killed before its first instruction", arguments: Host.follows)
        func thirtyTwoBitImage(follow: String) throws {
            guard Host.refusedCall(follow: follow) == nil else { return try refused(follow) }
            let stage = try Stage()
            let program = stage.folder + "/program32"
            try TinyProgram.marksItsStart32.write(to: program, marker: stage.folder + "/started")
            let run = try Run(Setup(follow: follow), on: stage, [program])
            #expect(run.outcome.status != TinyProgram.ordinaryExit, "\(run.outcome)")
            #expect(stage.markers("started").isEmpty)
            // Control: where the kernel runs such programs at all, it does begin.
            let bare = try? Command([program], environment: []).finish()
            let began = bare?.status == TinyProgram.ordinaryExit
            #expect(stage.markers("started").isEmpty != began)
        }

        private func refused(_ follow: String) throws {
            let stage = try Stage()
            let run = try Run(Setup(follow: follow), on: stage, [Host.victim, "leaf", "none"])
            #expect(run.outcome.status == Status.refusedByHost)
            #expect(run.observations.isEmpty)
        }
    }

    /// Hosts that refuse what delivery needs, imitated with a filter.
    @Suite("Refusals", .serialized)
    struct RefusalTests {
        @Test(
            "Where ptrace or memfd_secret is refused nothing starts, and the exit status says so",
            arguments: ["ptrace", "memfd_secret"], Host.follows)
        func refusal(call: String, follow: String) throws {
            let stage = try Stage()
            let run = try Run(
                Setup(follow: follow), on: stage, below: [Host.victim, "deny", call],
                [Host.victim, "leaf", "none"])
            #expect(run.outcome.status == Status.refusedByHost, "\(run.outcome)")
            #expect(run.observations.isEmpty)
            #expect(run.outcome.output.contains(call), "\(run.outcome)")
        }

        @Test(
            "Below a filter with a listener nothing starts: the kernel allows one for each chain",
            arguments: Host.follows)
        func listenerOccupied(follow: String) throws {
            let stage = try Stage()
            let run = try Run(
                Setup(follow: follow), on: stage, below: [Host.victim, "occupy-listener"],
                [Host.victim, "run", "posix_spawn", "vfork"])
            #expect(run.outcome.status == Status.refusedByHost, "\(run.outcome)")
            #expect(run.outcome.output.contains("seccomp"), "\(run.outcome)")
            #expect(run.observations.isEmpty)
        }
    }
}
