// SPDX-License-Identifier: Apache-2.0
import Glibc
import Injection
import TestKit
import Testing

@Suite struct `What holds of generated pods` {
    static let seeds: ClosedRange<UInt64> = 1...120

    @Test func `they are wrapped, run what they ran, and are otherwise as they were`() throws {
        for seed in Self.seeds {
            var generator = PodGenerator(seed: seed)
            let value = generator.draw()
            let wrong = try Oracles.violations(of: value, Injection.decide)
            #expect(wrong.isEmpty, "seed \(seed): \(wrong.joined(separator: "\n"))")
            if !wrong.isEmpty { return }
        }
    }

    /// Another webhook adds a container and an init container before ours is called, or after.
    @Test func `the order of webhooks does not matter`() throws {
        for seed in Self.seeds {
            var generator = PodGenerator(seed: seed)
            let value = generator.draw()
            let isFirst = generator.chance(2)
            let before = value.changed { Self.addSidecars(to: &$0.pod, isFirst: isFirst) }
            let one = try #require(try before.patched(), "seed \(seed)")
            var after = value
            after.pod = Oracles.stored(try #require(try value.patched()))
            Self.addSidecars(to: &after.pod, isFirst: isFirst)
            let other = try #require(try after.patched(), "seed \(seed)")
            #expect(Oracles.unwrapped(in: other).isEmpty, "seed \(seed)")
            #expect(
                Self.parts(of: Oracles.stored(one)) == Self.parts(of: Oracles.stored(other)),
                "seed \(seed)")
            after.pod = other
            #expect(try after.answer().decision == .unchanged, "seed \(seed)")
        }
    }

    private static func addSidecars(to pod: inout Tree, isFirst: Bool) {
        for kind in Oracles.kinds {
            let sidecar: Tree = .members([
                "name": .text("side-\(kind)"), "image": .text("side"),
                "command": .texts(["side", "$(PLAIN)"]),
            ])
            pod.change(["spec", kind]) { list in
                let own = list?.elements ?? []
                list = .array(isFirst ? [sidecar] + own : own + [sidecar])
            }
        }
        pod.change(["spec", "volumes"]) { list in
            list = .array(
                (list?.elements ?? []) + [
                    .members(["name": .text("side"), "emptyDir": .object([])])
                ])
        }
    }

    /// Containers, mounts and volumes, whatever their order.
    private static func parts(of pod: Tree) -> [String] {
        var parts = (pod["spec"]?["volumes"]?.elements ?? []).map(\.description)
        for kind in Oracles.kinds {
            for container in pod["spec"]?[kind]?.elements ?? [] {
                parts.append(
                    container.list.filter {
                        !["env", "terminationMessagePolicy"].contains($0.name)
                    }
                    .map { "\($0.name)=\($0.value)" }.sorted().joined(separator: ";"))
                parts += (container["env"]?.elements ?? []).map {
                    "\(container["name"]?.text ?? ""):\($0)"
                }
            }
        }
        return parts.sorted()
    }

    /// Processor time of this thread: the machine has other work.
    @Test func `the time grows with the pod, not with its square`() throws {
        func seconds(_ count: Int) throws -> Double {
            let pod = Case().changed { value in
                for index in 1..<count {
                    value.addContainer(
                        .members(["name": .text("c\(index)"), "image": .text("app")]),
                        to: "containers")
                }
            }
            let (review, policy, images) = (pod.review, try pod.policy, pod.images)
            return (0..<3).map { _ in
                let start = Self.threadSeconds()
                _ = Injection.decide(review, policy: policy, image: { images[$0] })
                return Self.threadSeconds() - start
            }.min() ?? 0
        }
        let (small, large) = (try seconds(20), try seconds(200))
        #expect(large < small * 30, "20 containers \(small) s, 200 containers \(large) s")
    }

    private static func threadSeconds() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    @Test func `100 containers of each kind are wrapped`() throws {
        let many = Case().changed {
            for index in 0..<100 {
                for kind in Oracles.kinds {
                    $0.addContainer(
                        .members(["name": .text("\(kind)-\(index)"), "image": .text("app")]),
                        to: kind)
                }
            }
        }
        #expect(try Oracles.violations(of: many, Injection.decide).isEmpty)
    }

    @Test func `the generator draws what the properties are about`() {
        var found: Set<String> = []
        for seed in Self.seeds {
            var generator = PodGenerator(seed: seed)
            let text = generator.draw().pod.description
            for part in [
                "initContainers", #""restartPolicy":"Always""#, "$$(PLAIN)", "$(FROM)", "envFrom",
                "secretKeyRef", "vault:secret/shop/more#key", "x-entry", "x-mount", "x-meta",
                #"32Mi"#, #""command":[]"#, #""args":null"#, #""volumes":null"#, "preStop", "c99",
                #""cloudtaser.io/status":"forged""#, "1e400",
                #""name":"cloudtaser-wrapper","mountPath":"/data""#,
            ] where text.contains(part) {
                found.insert(part)
            }
        }
        #expect(found.count == 19, "\(found.sorted())")
    }
}

/// Implementations with a known hole: the checks above must find each of them.
@Suite struct `Broken copies are caught` {
    /// Whoever is refused starts unprotected.
    static let failsOpen: Decide = { review, policy, image in
        var answer = Injection.decide(review, policy: policy, image: image)
        if case .refused = answer.decision { answer.decision = .notAskedFor }
        return answer
    }

    /// The vault that the annotation names is a vault of the policy.
    static let trustsAnnotation: Decide = { review, policy, image in
        guard
            let address = (try? Tree(review.pod))?["metadata"]?["annotations"]?[
                "cloudtaser.io/vault-address"]?.text
        else { return Injection.decide(review, policy: policy, image: image) }
        let text = Case.policyText.replacing("https://vault.example.eu:8200", with: address)
        let trusting = try? CloudTaserPolicy(spec: Array(text.utf8))
        return Injection.decide(review, policy: trusting, image: image)
    }

    /// Native sidecars are taken for something else.
    static let forgetsRestartableInits: Decide = { review, policy, image in
        var answer = Injection.decide(review, policy: policy, image: image)
        guard case .patch(var patch) = answer.decision, let pod = try? Tree(review.pod) else {
            return answer
        }
        for (index, container) in (pod["spec"]?["initContainers"]?.elements ?? []).enumerated()
        where container["restartPolicy"]?.text == "Always" {
            patch.operations.removeAll { operation in
                guard case .add(let path, _) = operation else { return false }
                return path.hasPrefix("/spec/initContainers/\(index)/")
            }
        }
        answer.decision = .patch(patch)
        return answer
    }

    /// The image's words go into `command` as they are.
    static let forgetsDollars: Decide = { review, policy, image in
        var answer = Injection.decide(review, policy: policy, image: image)
        guard case .patch(var patch) = answer.decision else { return answer }
        patch.operations = patch.operations.map { operation in
            guard case .add(let path, .list(let words)) = operation, path.hasSuffix("/command")
            else { return operation }
            return .add(
                path,
                .list(
                    words.map { word in
                        guard case .text(let text) = word else { return word }
                        return .text(text.replacing("$$", with: "$"))
                    }))
        }
        answer.decision = .patch(patch)
        return answer
    }

    /// A pod that says it was injected is believed.
    static let trustsStatus: Decide = { review, policy, image in
        let status = (try? Tree(review.pod))?["metadata"]?["annotations"]?["cloudtaser.io/status"]
        guard status?.text != "injected" else { return InjectionAnswer(decision: .unchanged) }
        return Injection.decide(review, policy: policy, image: image)
    }

    static func batteryFinds(_ decide: @escaping Decide) throws -> Int {
        var found = 0
        for trap in Trap.all where try Case().changed(trap.change).refusals(decide).isEmpty {
            found += 1
        }
        for seed in `What holds of generated pods`.seeds.prefix(12) {
            var generator = PodGenerator(seed: seed)
            found += try Oracles.violations(of: generator.draw(), decide).count
        }
        return found
    }

    @Test func `the battery finds nothing in what is shipped`() throws {
        #expect(try Self.batteryFinds(Injection.decide) == 0)
    }

    @Test(arguments: [
        "fails open", "trusts the annotation", "forgets restartable inits",
        "forgets dollars", "trusts the status",
    ])
    func `the battery finds the hole`(name: String) throws {
        let copies = [
            "fails open": Self.failsOpen, "trusts the annotation": Self.trustsAnnotation,
            "forgets restartable inits": Self.forgetsRestartableInits,
            "forgets dollars": Self.forgetsDollars, "trusts the status": Self.trustsStatus,
        ]
        #expect(try Self.batteryFinds(try #require(copies[name])) > 0)
    }
}
