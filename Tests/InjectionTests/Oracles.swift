// SPDX-License-Identifier: Apache-2.0
import Injection

/// What must hold of every injected pod, judged by the pod and by what is known of Kubernetes, not
/// by the code that is tested. Each gives what is wrong; nothing when nothing is.
enum Oracles {
    static let wrapper = "/cloudtaser/bin/cloudtaser-wrapper"
    static let kinds = ["initContainers", "containers"]

    /// Everything, of a pod that asks and can be injected.
    static func violations(of value: Case, _ decide: Decide) throws -> [String] {
        guard case .patch(let patch) = try value.answer(decide).decision else {
            return ["the pod was not injected: \(try value.answer(decide).decision)"]
        }
        let patched = try PatchApplier.apply(patch.json, to: value.pod.bytes)
        var wrong = unwrapped(in: patched)
        wrong += changedCommands(from: value, to: patched)
        wrong += changedRest(from: value.pod, to: patched)
        wrong += wrongMounts(in: patched)
        wrong += foreignVaults(in: patched)
        var again = value
        again.pod = patched
        if try again.answer(decide).decision != .unchanged {
            wrong.append("a second injection is not nothing: \(try again.answer(decide).decision)")
        }
        again.pod = stored(patched)
        if try again.answer(decide).decision != .unchanged {
            wrong.append("as the API server stores it, the pod is injected once more")
        }
        return wrong
    }

    /// Every container but the installing one, which comes first, is started by the wrapper.
    static func unwrapped(in pod: Tree) -> [String] {
        var wrong: [String] = []
        for kind in kinds {
            for (index, container) in (pod["spec"]?[kind]?.elements ?? []).enumerated() {
                if isInstall(container) {
                    if index != 0 || kind == "containers" { wrong.append("installed too late") }
                } else if container["command"]?.texts.prefix(3) != [wrapper, "run", "--"] {
                    wrong.append("\(container["name"]?.text ?? "") is not wrapped")
                }
                for place in handlers where container.at(place) != nil {
                    let command = container.at(place)?.texts ?? []
                    if !command.isEmpty, command.prefix(3) != [wrapper, "attach", "--"] {
                        wrong.append("\(place) is not attached")
                    }
                }
            }
        }
        let first = pod["spec"]?["initContainers"]?.elements.first
        if first.map(isInstall) != true { wrong.append("the wrapper is not installed") }
        return wrong
    }

    static let handlers = [
        ["livenessProbe", "exec", "command"], ["readinessProbe", "exec", "command"],
        ["startupProbe", "exec", "command"], ["lifecycle", "postStart", "exec", "command"],
        ["lifecycle", "preStop", "exec", "command"],
    ]

    static func isInstall(_ container: Tree) -> Bool {
        container["command"]?.texts == ["/cloudtaser-wrapper", "install", "/cloudtaser/bin"]
            && container["image"]?.text == "registry.example.eu/wrapper:1"
    }

    /// What runs, and its environment, are what they would have been.
    static func changedCommands(from value: Case, to patched: Tree) -> [String] {
        var wrong: [String] = []
        for kind in kinds {
            for before in value.pod["spec"]?[kind]?.elements ?? [] {
                let name = before["name"]?.text ?? ""
                let named = (patched["spec"]?[kind]?.elements ?? []).filter {
                    $0["name"]?.text == name
                }
                guard named.count == 1, let after = named.first else {
                    wrong.append("\(name) is not there once")
                    continue
                }
                let image = image(of: before, value)
                let wanted = RuntimeModel.arguments(
                    of: before, image: image, sources: PodGenerator.sources)
                let found = RuntimeModel.arguments(
                    of: after, image: image, sources: PodGenerator.sources)
                if found != [wrapper, "run", "--"] + wanted {
                    wrong.append("\(name) runs \(found), not \(wanted)")
                }
                let own = RuntimeModel.environment(of: before, sources: PodGenerator.sources)
                let now = RuntimeModel.environment(of: after, sources: PodGenerator.sources)
                for (key, text) in own where !isControl(key) && now[key] != text {
                    wrong.append("\(name) has another \(key)")
                }
            }
        }
        return wrong
    }

    private static func image(of container: Tree, _ value: Case) -> RuntimeModel.Image {
        guard case .found(let found) = value.images[container["image"]?.text ?? ""],
            let first = found.first
        else { return RuntimeModel.Image() }
        return RuntimeModel.Image(entrypoint: first.entrypoint, command: first.command)
    }

    static func isControl(_ name: String) -> Bool {
        name.hasPrefix("VAULT_") || name.hasPrefix("CLOUDTASER_")
    }

    /// Without what the operator adds, the pod is byte for byte what it was.
    static func changedRest(from before: Tree, to patched: Tree) -> [String] {
        let stripped = Self.stripped(patched, from: before)
        let (wanted, found) = (compact(before).description, compact(stripped).description)
        return wanted == found ? [] : ["the rest is not as it was:\n\(wanted)\n\(found)"]
    }

    private static func stripped(_ patched: Tree, from before: Tree) -> Tree {
        var pod = patched
        let status = before["metadata"]?["annotations"]?["cloudtaser.io/status"]
        pod.set("metadata", "annotations", "cloudtaser.io/status", to: status)
        let names = (before["spec"]?["volumes"]?.elements ?? []).compactMap { $0["name"]?.text }
        let volumes = pod["spec"]?["volumes"]?.elements.filter { volume in
            let name = volume["name"]?.text ?? ""
            return names.contains(name) || !name.hasPrefix("cloudtaser-")
        }
        if let volumes { pod.set("spec", "volumes", to: .array(volumes)) }
        for kind in kinds {
            guard let list = pod["spec"]?[kind]?.elements else { continue }
            let own = before["spec"]?[kind]?.elements ?? []
            let kept = list.filter { !isInstall($0) }.map { container in
                strip(container, from: own.first { $0["name"]?.text == container["name"]?.text })
            }
            pod.set("spec", kind, to: .array(kept))
        }
        return pod
    }

    private static func strip(_ container: Tree, from before: Tree?) -> Tree {
        var stripped = container
        if before?["command"]?.texts.isEmpty != false {
            stripped["command"] = before?["command"]
        } else {
            stripped["command"] = container["command"].map {
                .array(Array($0.elements.dropFirst(3)))
            }
        }
        stripped["env"] = container["env"].map { env in
            .array(env.elements.filter { !isControl($0["name"]?.text ?? "") })
        }
        stripped["volumeMounts"] = container["volumeMounts"].map { mounts in
            .array(
                mounts.elements.filter { $0["mountPath"]?.text?.hasPrefix("/cloudtaser/") != true })
        }
        for place in handlers where container.at(place) != nil {
            stripped.change(place) { command in
                command = command.map { .array(Array($0.elements.dropFirst(3))) }
            }
        }
        return stripped
    }

    /// Without members that mean nothing: null and empty arrays where Kubernetes knows the array.
    private static func compact(_ tree: Tree) -> Tree {
        let arrays = ["volumes", "env", "volumeMounts", "initContainers", "command"]
        switch tree {
        case .scalar: return tree
        case .array(let elements): return .array(elements.map(compact))
        case .object(let members):
            return .object(
                members.filter { member in
                    !arrays.contains(member.name)
                        || (member.value != .array([]) && member.value != .scalar("null"))
                }.map { .init(name: $0.name, value: compact($0.value)) })
        }
    }

    /// The wrapper's folder is never writable but for the installing container, and each wrapped
    /// container has wrapper and token.
    static func wrongMounts(in pod: Tree) -> [String] {
        var wrong: [String] = []
        let containers = kinds.flatMap { pod["spec"]?[$0]?.elements ?? [] }
        let volumes = pod["spec"]?["volumes"]?.elements ?? []
        let install = containers.first(where: isInstall)
        let shared = install?["volumeMounts"]?[0]["name"]?.text ?? ""
        if volumes.filter({ $0["name"]?.text == shared && $0["emptyDir"] != nil }).count != 1 {
            wrong.append("no volume for the wrapper")
        }
        for container in containers where !isInstall(container) {
            let mounts = container["volumeMounts"]?.elements ?? []
            let name = container["name"]?.text ?? ""
            for mount in mounts where mount["name"]?.text == shared {
                if mount["readOnly"] != .scalar("true")
                    || mount["mountPath"]?.text != "/cloudtaser/bin"
                {
                    wrong.append("\(name) can write the wrapper")
                }
            }
            let token = mounts.first { $0["mountPath"]?.text == "/cloudtaser/token" }
            let source = volumes.first { $0["name"]?.text == token?["name"]?.text }
            let projected = source?["projected"]?["sources"]?[0]["serviceAccountToken"]
            if projected?["audience"]?.text != "vault" { wrong.append("\(name) has no token") }
            let paths = mounts.compactMap { $0["mountPath"]?.text }
            if !paths.contains("/cloudtaser/bin") { wrong.append("\(name) has no wrapper") }
            if Set(paths).count != paths.count { wrong.append("\(name) mounts a path twice") }
        }
        return wrong
    }

    /// The only vault is the policy's.
    static func foreignVaults(in pod: Tree) -> [String] {
        let vault = "https://vault.example.eu:8200"
        var wrong: [String] = []
        for container in kinds.flatMap({ pod["spec"]?[$0]?.elements ?? [] })
        where !isInstall(container) {
            let variables = RuntimeModel.environment(of: container, sources: PodGenerator.sources)
            for name in ["VAULT_ADDR", "CLOUDTASER_ALLOWED_ORIGINS"] where variables[name] != vault
            {
                wrong.append("\(name) is \(variables[name] ?? "not set")")
            }
        }
        return wrong
    }

    /// As an API server gives the pod to the webhook again: defaults filled in, and texts that are
    /// empty left out.
    static func stored(_ pod: Tree) -> Tree {
        var pod = pod
        let volumes = (pod["spec"]?["volumes"]?.elements ?? []).map { volume in
            var volume = volume
            if volume["projected"] != nil {
                volume.set("projected", "defaultMode", to: .scalar("420"))
            }
            return volume
        }
        pod.set("spec", "volumes", to: .array(volumes))
        for kind in kinds {
            guard let list = pod["spec"]?[kind]?.elements else { continue }
            let filled = list.map { container in
                var container = container
                if container["terminationMessagePath"] == nil {
                    container["terminationMessagePath"] = .text("/dev/termination-log")
                }
                container["terminationMessagePolicy"] = .text("File")
                container["imagePullPolicy"] = .text("IfNotPresent")
                container["env"] = container["env"].map { env in
                    .array(
                        env.elements.map { entry in
                            var entry = entry
                            if entry["value"]?.text == "" { entry["value"] = nil }
                            return entry
                        })
                }
                return container
            }
            pod.set("spec", kind, to: .array(filled))
        }
        return pod
    }
}

extension Tree {
    func at(_ path: [String]) -> Tree? {
        path.reduce(Optional(self)) { $0?[$1] }
    }
}
