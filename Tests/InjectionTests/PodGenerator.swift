// SPDX-License-Identifier: Apache-2.0
import Injection
import TestKit

/// Draws pods that are to be injected, with whatever real ones have and with what Kubernetes does
/// not know yet.
struct PodGenerator {
    private var random: SeededGenerator
    private var images: [String: ImageAnswer] = [:]
    /// What a Secret or ConfigMap of `envFrom` sets.
    static let sources = ["FROM": "source", "DB_PASSWORD": "old", "VAULT_ADDR": "https://evil"]

    /// Whether members appear that no version of Kubernetes knows.
    private let drawsUnknown: Bool

    init(seed: UInt64, drawsUnknown: Bool = true) {
        random = SeededGenerator(seed: seed)
        self.drawsUnknown = drawsUnknown
    }

    mutating func draw() -> Case {
        var value = Case()
        let names = (0..<(chance(50) ? 100 : number(1...4))).map { "c\($0)" }
        value.pod = Case.pod
        value.pod["spec"] = .object([])
        var kinds: [String: [Tree]] = ["containers": []]
        for (index, name) in names.enumerated() {
            let kind = index == 0 || chance(2) ? "containers" : "initContainers"
            kinds[kind, default: []].append(container(name, kind: kind))
        }
        if chance(8) { kinds["initContainers", default: []] = kinds["initContainers"] ?? [] }
        var spec = unknown("before")
        for kind in ["initContainers", "containers"].shuffled(using: &random) {
            if let list = kinds[kind] { spec.append(.init(name: kind, value: .array(list))) }
        }
        if chance(2) { spec.append(.init(name: "volumes", value: volumes())) }
        if chance(6) { spec.append(.init(name: "hostPID", value: .scalar("true"))) }
        spec += unknown("after")
        value.pod["spec"] = .object(spec)
        value.pod["metadata"] = .object((value.pod["metadata"]?.list ?? []) + unknown("meta"))
        if chance(3) { value.annotate("status", pick(["injected", "forged", ""])) }
        if chance(3) { value.annotate("env-map", "password=DB_PASSWORD,user$=DB_USER") }
        if chance(4) {
            value.annotate("inject", nil)
            value.pod.set("metadata", "labels", "cloudtaser.io/inject", to: .text("true"))
        }
        if chance(5) {
            value.policyText.replace(
                #""wrapper""#, with: #""agentSocket":{"hostPath":"/run/cloudtaser"},"wrapper""#)
        }
        value.images = images
        return value
    }

    // MARK: - Parts

    private mutating func container(_ name: String, kind: String) -> Tree {
        let image = "image-\(number(0...3))"
        images[image] = .found([
            ImageCommand(
                architecture: "amd64", entrypoint: ["/e-\(image)", "$HOME", "$$(PLAIN)"],
                command: chance(2) ? [] : ["$(PLAIN)", "$$", "é$"])
        ])
        // Of one image only one answer: the last that was drawn.
        var members = unknown("in")
        members.append(.init(name: "name", value: raw(name)))
        members.append(.init(name: "image", value: .text(image)))
        if chance(2) { members.append(.init(name: "command", value: words())) }
        if chance(2) { members.append(.init(name: "args", value: words())) }
        if chance(2) { members.append(.init(name: "env", value: environment())) }
        if chance(4) {
            members.append(
                .init(
                    name: "envFrom",
                    value: .array([
                        .members(["configMapRef": .members(["name": .text("settings")])])
                    ])))
        }
        if chance(2) { members.append(.init(name: "volumeMounts", value: mounts())) }
        if kind == "containers" || chance(2) {
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] where chance(4) {
                members.append(.init(name: probe, value: handler(probe)))
            }
            if chance(4) {
                members.append(
                    .init(
                        name: "lifecycle",
                        value: .object([
                            .init(name: pick(["postStart", "preStop"]), value: handler("hook"))
                        ])))
            }
            if kind == "initContainers" {
                members.append(.init(name: "restartPolicy", value: .text("Always")))
            }
        }
        if chance(6) {
            members.append(
                .init(name: "terminationMessagePath", value: .text("/dev/$$(message)")))
        }
        members += unknown("out")
        return .object(members)
    }

    private mutating func words() -> Tree {
        if chance(8) { return pick([.array([]), .scalar("null")]) }
        let words = (0..<number(1...4)).map { _ in
            raw(
                pick([
                    "sh", "-c", "$(PLAIN)", "$$", "$$(PLAIN)", "$(NONE)", "$", "a$b", "$(FROM",
                    "é", "$(FROM)", "\u{1F512}", "", "$$$(PLAIN)", "\"quoted\\\"",
                ]))
        }
        return .array(words)
    }

    private mutating func environment() -> Tree {
        var entries: [Tree] = []
        if chance(2) {
            entries.append(.members(["name": .text("PLAIN"), "value": .text("plain$$")]))
        }
        if chance(2) {
            entries.append(.members(["name": .text("NEXT"), "value": .text("<$(PLAIN)$(FROM)>")]))
        }
        if chance(3) {
            entries.append(
                .object(
                    [
                        .init(name: "name", value: .text("REMOTE")),
                        .init(
                            name: "valueFrom",
                            value: .members([
                                "secretKeyRef": .members(["name": .text("s"), "key": .text("k")])
                            ])),
                    ] + unknown("entry")))
        }
        if chance(3) {
            entries.append(
                .members([
                    "name": .text("REFERENCE"), "value": .text("vault:secret/shop/more#key"),
                ]))
        }
        return chance(10) ? .scalar("null") : .array(entries)
    }

    private mutating func mounts() -> Tree {
        let names = ["data", "cloudtaser-wrapper", "cloudtaser-token", "cloudtaser-wrapper-2"]
        return .array([
            .object(
                [
                    .init(name: "name", value: .text(pick(names))),
                    .init(name: "mountPath", value: .text("/data")),
                ] + unknown("mount"))
        ])
    }

    private mutating func volumes() -> Tree {
        if chance(4) { return pick([.array([]), .scalar("null")]) }
        var volumes: [Tree] = [.members(["name": .text("data"), "emptyDir": .object([])])]
        if chance(2) {
            // Not ours, and one that looks exactly like ours.
            volumes.append(
                .members([
                    "name": .text("cloudtaser-token"),
                    "secret": .members(["secretName": .text("x")]),
                ]))
            volumes.append(
                .members([
                    "name": .text("cloudtaser-wrapper"),
                    "emptyDir": .members(["sizeLimit": .text("32Mi")]),
                ]))
        }
        return .array(volumes)
    }

    private mutating func handler(_ name: String) -> Tree {
        .object(
            [
                chance(2)
                    ? .init(
                        name: "exec",
                        value: .members(["command": .texts(["check", "$(PLAIN)", "$$"])]))
                    : .init(name: "httpGet", value: .members(["port": .scalar("8080")]))
            ] + unknown(name))
    }

    /// Members that no version knows, with scalars that a re-encoding would change.
    private mutating func unknown(_ name: String) -> [Tree.Member] {
        guard drawsUnknown, chance(3) else { return [] }
        let scalars = [
            "1.0", "1e400", "-0", "12345678901234567890", #""\u0041\/""#, "true", "null",
            #""é""#, #""\ud83d\ude00""#,
        ]
        return [
            .init(
                name: "x-\(name)/~\(number(0...9))",
                value: .array([
                    .scalar(pick(scalars)), .object([.init(name: "", value: .array([]))]),
                    .scalar(pick(scalars)),
                ]))
        ]
    }

    /// The text, now and then with an escape that is not needed.
    private mutating func raw(_ text: String) -> Tree {
        guard chance(3), let first = text.unicodeScalars.first, first.value < 0x80 else {
            return .text(text)
        }
        let code = String(first.value, radix: 16)
        let padded = String(repeating: "0", count: 4 - code.count) + code
        return .scalar("\"\\u\(padded)" + Tree.quoted(String(text.dropFirst())).dropFirst())
    }

    // MARK: - Chance

    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
    mutating func number(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &random)
    }
    mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }
}
