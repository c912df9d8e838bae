// SPDX-License-Identifier: Apache-2.0
import Injection
import Testing

@Suite struct `The limits of a pod` {
    @Test func `a pod of 3 MiB is taken, one byte more is not`() throws {
        func padded(to count: Int) throws -> [UInt8] {
            let bare = Case().pod.bytes
            return bare + [UInt8](repeating: 0x20, count: count - bare.count)
        }
        var review = Case().review
        for (extra, isTaken) in [(0, true), (1, false)] {
            review.pod = try padded(to: InjectionLimits.podBytesMax + extra)
            let answer = Injection.decide(review, policy: try Case().policy, image: { _ in nil })
            if case .patch = answer.decision { #expect(isTaken) } else { #expect(!isTaken) }
        }
    }

    private typealias Limit = (count: Int, set: @Sendable (inout Case, Int) -> Void)

    private static let limitsOfContainers: [Limit] = [
        (
            InjectionLimits.containerCountMax,
            { value, count in
                for index in 1..<count {
                    value.addContainer(
                        .members([
                            "name": .text("c\(index)"), "image": .text("x"),
                            "command": .texts(["c"]),
                        ]), to: "containers")
                }
            }
        ),
        (
            InjectionLimits.environmentCountMax,
            { value, count in
                value.changeContainer {
                    $0["env"] = .array(
                        (0..<count).map { .members(["name": .text("E\($0)")]) })
                }
            }
        ),
        (
            InjectionLimits.commandWordCountMax,
            { value, count in
                value.changeContainer {
                    $0["args"] = .texts(.init(repeating: "a", count: count - 1))
                }
            }
        ),
        (
            InjectionLimits.volumeCountMax,
            { value, count in
                value.pod.set(
                    "spec", "volumes",
                    to: .array((0..<count).map { .members(["name": .text("v\($0)")]) }))
            }
        ),
        (
            InjectionLimits.mountCountMax,
            { value, count in
                value.changeContainer {
                    $0["volumeMounts"] = .array(
                        (0..<count).map {
                            .members(["name": .text("v"), "mountPath": .text("/m/\($0)")])
                        })
                }
            }
        ),
        (
            InjectionLimits.capabilityCountMax,
            { value, count in
                value.changeContainer {
                    let added = [String](repeating: "CHOWN", count: count)
                    $0["securityContext"] = .members([
                        "capabilities": .members(["add": .texts(added)])
                    ])
                }
            }
        ),
    ]

    private static let limitsOfPods: [Limit] = [
        (
            InjectionLimits.hostNameCountMax,
            { value, count in
                let aliases = [Tree](repeating: .members(["ip": .text("::1")]), count: count)
                value.pod.set("spec", "hostAliases", to: .array(aliases))
            }
        ),
        (
            InjectionLimits.hostNameCountMax,
            { value, count in
                let names = (0..<count).map { "host-\($0)" }
                value.pod.set(
                    "spec", "hostAliases",
                    to: .array([.members(["hostnames": .texts(names)])]))
            }
        ),
        (
            InjectionLimits.memberCountMax,
            { value, count in
                let labels = (0..<count).map { Tree.Member(name: "l\($0)", value: .text("")) }
                value.pod.set("metadata", "labels", to: .object(labels))
            }
        ),
    ]

    @Test func `containers, entries, words and volumes have limits`() throws {
        func pod(_ change: (inout Case, Int) -> Void, _ count: Int) throws -> Bool {
            try Case().changed { change(&$0, count) }.patched() != nil
        }
        for (limit, change) in Self.limitsOfContainers + Self.limitsOfPods {
            #expect(try pod(change, limit))
            #expect(try !pod(change, limit + 1))
        }
    }

    @Test func `a command of a probe has as many words as another at most`() throws {
        func field(_ count: Int) throws -> String? {
            let words = [String](repeating: "a", count: count)
            return try Case().changed {
                $0.changeContainer {
                    $0["livenessProbe"] = .members([
                        "exec": .members(["command": .texts(words)])
                    ])
                }
            }.refusals().first?.field
        }
        let path = "spec.containers[0].livenessProbe.exec.command"
        #expect(try field(InjectionLimits.commandWordCountMax + 1) == path)
        // The wrapper itself takes fewer, and says so of another field.
        #expect(try field(InjectionLimits.commandWordCountMax) != path)
    }

    @Test func `a pod beyond the limits that does not ask is let through`() throws {
        let large = Case().changed {
            $0.changeContainer {
                let count = InjectionLimits.environmentCountMax + 1
                $0["env"] = .array((0..<count).map { .members(["name": .text("E\($0)")]) })
            }
        }
        #expect(try large.refusals().count == 1)
        let silent = large.changed { $0.annotate("inject", nil) }
        #expect(try silent.answer().decision == .notAskedFor)
    }

    @Test func `warnings are made up to a number`() throws {
        func warnings(_ count: Int) throws -> Int {
            let words = [String](repeating: "$(DB_PASSWORD)", count: count)
            let pod = Case().changed { $0.changeContainer { $0["args"] = .texts(words) } }
            guard case .patch = try pod.answer().decision else { return -1 }
            return try pod.answer().warnings.count
        }
        let most = InjectionLimits.warningCountMax
        #expect(try warnings(most - 1) == most - 1)
        #expect(try warnings(most) == most)
        #expect(try warnings(most + 1) == most)
        #expect(try warnings(InjectionLimits.commandWordCountMax - 1) == most)
    }
}
