// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The suite shares two cores with nothing else of itself: its programs are many already.
@Suite("Delivery is done", .serialized)
struct DeliverySuite {}

extension DeliverySuite {
    @Suite("Launch primitives", .serialized)
    struct PrimitiveTests {
        static let primitives = [
            "fork-exec", "vfork", "posix_spawn", "system", "popen", "clone-vm", "execveat",
            "fexecve", "thread-exec", "script-chain", "failed-exec", "path-search", "int80", "x32",
            "sixteen-threads", "large-environment",
        ]
        /// These replace the image in a way a host may refuse; delivered or killed both count.
        static let refusable = ["int80", "x32"]

        static var matrix: [Setup] {
            var setups: [Setup] = []
            for follow in Host.follows {
                for user in Host.users {
                    for memory in Host.lockedMemory {
                        for foreign in [false, true] {
                            setups.append(
                                Setup(
                                    follow: follow, user: user, lockedMemory: memory,
                                    foreignNetwork: foreign))
                        }
                    }
                }
            }
            return setups
        }

        @Test("Every launch primitive delivers to the parent and three children", arguments: matrix)
        func everyPrimitive(setup: Setup) throws {
            let stage = try Stage()
            let run = try Run(setup, on: stage, [Host.victim, "run"] + Self.primitives)
            guard expectDelivered(run, setup, on: stage) else { return }
            expectProtected(run, setup, on: stage)
            for primitive in Self.primitives {
                #expect(run.labelled("\(primitive)/parent").count == 1, "\(primitive)")
                let expected =
                    switch primitive {
                    case "sixteen-threads": 48
                    case "failed-exec", "large-environment": 6
                    default: 3
                    }
                let children = run.labelled("\(primitive)/child").count
                #expect(
                    children == expected
                        || Self.refusable.contains(primitive) && children == 0,
                    "\(setup): \(primitive) reported \(children) children")
            }
        }

        static var smallMatrix: [Setup] {
            Host.follows.flatMap { follow in
                Host.users.map {
                    Setup(follow: follow, user: $0, options: ["--undumpable"])
                }
            }
        }

        @Test("The same with images that are not dumpable", arguments: smallMatrix)
        func everyPrimitiveUndumpable(setup: Setup) throws {
            let stage = try Stage()
            let run = try Run(setup, on: stage, [Host.victim, "run"] + Self.primitives)
            guard expectDelivered(run, setup, on: stage) else { return }
            expectProtected(run, setup, on: stage)
        }

        @Test("Control: the classic mode delivers the same values, and shows them to the observer")
        func classicModeShowsTheValues() throws {
            let stage = try Stage()
            let run = try Run(
                Setup(mode: "environ"), on: stage, [Host.victim, "run"] + Self.primitives)
            #expect(run.outcome.status == 0, "\(run.outcome)")
            #expect(run.observations.count > Self.primitives.count)
            for seen in run.observations where !Self.refusable.contains(where: seen.label.hasPrefix)
            {
                #expect(seen.values == "ok")
                #expect(stage.leaks(in: seen.environment), "\(seen.label)")
                #expect(seen.entry(of: "CT_ALPHA") == Data(stage.secrets[0].value.utf8))
                #expect(seen.tracer == 0)
            }
        }

        @Test("Control: plain exec shows the values, and a missing one is reported")
        func plainExec() throws {
            let stage = try Stage()
            let observer = try Observer(folder: stage.folder)
            let words = [Host.victim, "run"] + Self.primitives
            let classic = try Command(
                words, environment: stage.classicEnvironment(observer: observer.path)
            ).finish()
            let bare = try Command(
                words,
                environment: stage.environment(observer: observer.path)
                    + stage.secrets.map { "\($0.name)=" }
            ).finish()
            let seen = observer.finish()
            #expect(classic.status == 0, "\(classic)")
            #expect(bare.status == 77, "\(bare)")
            #expect(seen.filter { stage.leaks(in: $0.environment) }.count == seen.count - 1)
            #expect(seen.last?.values == "CT_ALPHA:unfilled")
            #expect(stage.markers("unfilled").count == 1)
        }

        @Test("Without following, the first image has the values and later ones are empty")
        func followNone() throws {
            let setup = Setup(follow: "none")
            let stage = try Stage()
            let leaf = try Run(setup, on: stage, [Host.victim, "leaf", "first"])
            guard expectDelivered(leaf, setup, on: stage) else { return }
            expectProtected(leaf, setup, on: stage)
            let later = try Run(setup, on: stage, [Host.victim, "run", "posix_spawn"])
            #expect(later.outcome.status == 77, "\(later.outcome)")
            #expect(later.observations.first?.values == "CT_ALPHA:unfilled")
        }
    }
}
