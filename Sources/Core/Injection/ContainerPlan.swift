// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import WrapperConfiguration

/// What becomes of one container. Decided by what the container is: one that is wrapped already
/// must be exactly as it would be wrapped now.
struct ContainerPlan {
    /// Whether its program is started by the wrapper, now or after the patch.
    let isWrapped: Bool

    private let container: ContainerView
    private let settings: WorkloadSettings
    private let objects: InjectedObjects

    init(
        for container: ContainerView, settings: WorkloadSettings, objects: InjectedObjects,
        requests annotated: [SecretRequest], answer: (String) -> ImageAnswer?,
        patch: inout JSONPatch, warnings: inout [String]
    ) throws(Refusal) {
        self.container = container
        self.settings = settings
        self.objects = objects
        let isStarted = InjectedNames.startsByWrapper(container.command)
        let requests = try EnvironmentReferences.requests(
            of: container, beside: annotated, settings: settings)
        guard !requests.isEmpty else {
            isWrapped = false
            try Self.checkUnwrapped(container, isStarted: isStarted)
            return
        }
        isWrapped = true
        let variables = settings.variables(
            requests: requests, terminationMessage: container.terminationMessagePath,
            attach: container.attach)
        try check(settings.parse(variables, of: container), against: requests)
        try checkMounts()
        try checkExpansions()
        if isStarted {
            try checkWrapped(variables, &patch)
        } else {
            try checkUnwrapped()
            try wrap(variables, answer: answer, patch: &patch)
        }
        for handler in container.handlers
        where !handler.command.starts(with: InjectedNames.attachCommand) {
            insert(InjectedNames.attachCommand, at: handler.path, &patch)
        }
        warn(of: Set(requests.flatMap { $0.mappings.map(\.name) }), &warnings)
    }

    // MARK: - Checks

    /// What the wrapper will read is what was granted: no name and no path may read as more.
    private func check(
        _ parsed: WrapperSettings, against requests: [SecretRequest]
    ) throws(Refusal) {
        guard parsed.requests == requests else {
            throw Refusal(
                container.path["env"], "has a reference that the wrapper reads otherwise",
                fix: "use paths and keys of letters, digits, '-', '_' and '/'")
        }
        for request in parsed.requests where !settings.mayRead(request.path) {
            throw WorkloadSettings.denied(at: container.path["env"])
        }
    }

    private static func checkUnwrapped(
        _ container: ContainerView, isStarted: Bool
    ) throws(Refusal) {
        guard !container.command.contains(InjectedNames.wrapper), !isStarted else {
            throw Refusal(
                container.path["command"], "names the wrapper, which is not the pod's to start",
                fix: "write the program itself")
        }
        for entry in container.environment where ControlVariable.isControl(entry.name) {
            throw Refusal(
                entry.node.path["name"], "\(entry.name) steers the wrapper",
                fix: "remove the entry; the policy and the annotations say it")
        }
    }

    private func checkUnwrapped() throws(Refusal) {
        try Self.checkUnwrapped(container, isStarted: false)
    }

    private func checkWrapped(
        _ variables: [(variable: ControlVariable, text: String)], _ patch: inout JSONPatch
    ) throws(Refusal) {
        var wanted = Dictionary(
            variables.map { ($0.variable.rawValue, KubeletExpansion.doubled($0.text)) },
            uniquingKeysWith: { $1 })
        for entry in container.environment where ControlVariable.isControl(entry.name) {
            guard let text = wanted.removeValue(forKey: entry.name), let value = entry.value
            else { throw altered(entry.node.path) }
            guard !value.utf8.elementsEqual(text.utf8) else { continue }
            // Somebody's webhook may have added a probe since.
            guard entry.name == ControlVariable.attach.rawValue else {
                throw altered(entry.node.path)
            }
            patch.add(.text(text), at: entry.node.path["value"])
        }
        guard wanted.isEmpty else { throw altered(container.path["env"]) }
        for volume in objects.volumes {
            guard try volume.isMounted(in: container) else {
                throw altered(container.path["volumeMounts"])
            }
        }
        let rest = container.command.dropFirst(InjectedNames.runCommand.count)
        guard !rest.isEmpty || !container.arguments.isEmpty, !rest.contains(InjectedNames.wrapper)
        else { throw altered(container.path["command"]) }
    }

    private func altered(_ path: FieldPath) -> Refusal {
        Refusal(
            path, "is not as the operator injects it, but the container starts the wrapper",
            fix: "write the program itself and let the operator wrap it")
    }

    /// Nothing but the operator's volumes may be where the wrapper, the token and the socket are.
    private func checkMounts() throws(Refusal) {
        for mount in container.mounts
        where MountPaths.overlap(mount.path, InjectedNames.folder) {
            guard try objects.isMount(mount) else {
                throw Refusal(
                    mount.node.path["mountPath"],
                    "lies where the wrapper is mounted (\(InjectedNames.folder))",
                    fix: "mount it elsewhere")
            }
        }
        for mount in container.mounts where MountPaths.saysAddresses(mount.path) {
            throw Refusal(
                mount.node.path["mountPath"],
                "lies where addresses of hosts are looked up, the vault's among them",
                fix: "leave the file to the kubelet, and the vault's address to DNS")
        }
    }

    /// The kubelet would put a control variable's value into the program's command line.
    private func checkExpansions() throws(Refusal) {
        for (path, text) in container.expandedTexts {
            for name in KubeletExpansion.references(in: text) where ControlVariable.isControl(name)
            {
                throw Refusal(
                    path, "refers to \(name), which is kept from programs",
                    fix: "use a variable of another name")
            }
        }
    }

    // MARK: - Changes

    private func wrap(
        _ variables: [(variable: ControlVariable, text: String)],
        answer: (String) -> ImageAnswer?, patch: inout JSONPatch
    ) throws(Refusal) {
        let command = container.path["command"]
        if container.needsImage {
            guard settings.policy.entrypoints == .registry else {
                throw Refusal(
                    command, "is missing, and the policy asks no registry for it",
                    fix: "set command")
            }
            let words = try container.imageWords(
                answer(container.image), architectures: settings.architectures)
            patch.add(.texts(InjectedNames.runCommand + words), at: command)
        } else {
            insert(InjectedNames.runCommand, at: command, &patch)
        }
        let entries = variables.map { variable, text -> JSONOutput in
            .object([
                ("name", .text(variable.rawValue)),
                ("value", .text(KubeletExpansion.doubled(text))),
            ])
        }
        patch.append(
            entries, to: container.path["env"], isThere: container.object["env"] != nil)
        var mounts: [JSONOutput] = []
        for volume in objects.volumes where try !volume.isMounted(in: container) {
            mounts.append(volume.mount)
        }
        patch.append(
            mounts, to: container.path["volumeMounts"],
            isThere: container.object["volumeMounts"] != nil)
    }

    /// Puts words before a command and leaves the command's own as they are.
    private func insert(_ words: [String], at path: FieldPath, _ patch: inout JSONPatch) {
        for (index, word) in words.enumerated() { patch.add(.text(word), at: path[index]) }
    }

    private func warn(of delivered: Set<String>, _ warnings: inout [String]) {
        for entry in container.environment where delivered.contains(entry.name) {
            let isReference = ((try? VaultReference(entry.value ?? "")) ?? nil) != nil
            guard !isReference else { continue }
            warnings.warn(
                "\(entry.node.path): \(entry.name) comes from the vault; remove the entry,"
                    + " its value is still stored in the cluster")
        }
        for (path, text) in container.expandedTexts {
            for name in KubeletExpansion.references(in: text) where delivered.contains(name) {
                warnings.warn(
                    "\(path): $(\(name)) stays as it is: the kubelet does not know the vault's"
                        + " values")
            }
        }
    }
}

extension ContainerView {
    /// What probes and hooks run, each once.
    var attach: AttachPolicy {
        var commands: [DeclaredCommand] = []
        for handler in handlers {
            let isAttached = handler.command.starts(with: InjectedNames.attachCommand)
            let words = handler.command.dropFirst(
                isAttached ? InjectedNames.attachCommand.count : 0)
            let command = DeclaredCommand(words.map { RawText($0) })
            if !words.isEmpty, !commands.contains(command) { commands.append(command) }
        }
        return commands.isEmpty ? .none : .commands(commands)
    }

    /// What the kubelet expands, but for the environment.
    var expandedTexts: [(path: FieldPath, text: String)] {
        var texts: [(FieldPath, String)] = []
        for (index, word) in command.enumerated() { texts.append((path["command"][index], word)) }
        for (index, word) in arguments.enumerated() { texts.append((path["args"][index], word)) }
        for handler in handlers {
            for (index, word) in handler.command.enumerated() {
                texts.append((handler.path[index], word))
            }
        }
        return texts
    }
}

/// References in a container's own environment (`vault:PATH#KEY`).
enum EnvironmentReferences {
    /// The annotations' requests with those of the container's references added.
    static func requests(
        of container: ContainerView, beside annotated: [SecretRequest], settings: WorkloadSettings
    ) throws(Refusal) -> [SecretRequest] {
        var requests = annotated
        for entry in container.environment {
            guard let value = entry.value else { continue }
            let path = entry.node.path["value"]
            let found: VaultReference?
            do throws(VaultReference.Failure) {
                found = try VaultReference(value)
            } catch { throw Refusal(path, error.reason, fix: error.fix) }
            guard let reference = found else { continue }
            guard reference.version == nil else {
                throw Refusal(
                    path, "names a version, but the current one is delivered",
                    fix: "leave '#' and the number out")
            }
            guard EnvironmentName.isValid(entry.name) else {
                throw Refusal(
                    entry.node.path["name"], "is no name that a value can be delivered under",
                    fix: "use letters, digits and '_'")
            }
            guard !requests.contains(where: { $0.mappings.contains { $0.name == entry.name } })
            else {
                throw Refusal(
                    entry.node.path["name"], "\(entry.name) is delivered twice",
                    fix: "keep one of the reference and \(PodAnnotation.environmentMap.rawValue)")
            }
            guard settings.mayRead(reference.path) else {
                throw WorkloadSettings.denied(at: path)
            }
            let mapping = SecretRequest.Mapping(field: reference.key, name: entry.name)
            let place = requests.firstIndex {
                $0.path == reference.path && $0.parameters.isEmpty
            }
            guard let place else {
                requests.append(SecretRequest(path: reference.path, mappings: [mapping]))
                continue
            }
            requests[place] = SecretRequest(
                path: reference.path, mappings: requests[place].mappings + [mapping])
        }
        return requests
    }
}
