// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import Injection
internal import KubernetesFormat
internal import WrapperConfiguration

/// What a workload is to ask for, and where its Secrets are in the vault.
package struct ConversionSettings: Sendable {
    /// `{namespace}`, `{name}` and `{serviceaccount}` stand for the workload's.
    package let role: String
    /// What stands before the Secret's name in the vault's path, like `secret/{namespace}`.
    package let prefix: String
    /// Whether the policy reads entrypoints from a registry, so that no container needs a command.
    package let readsEntrypoints: Bool

    package static let standardRole = "{serviceaccount}"
    package static let standardPrefix = "secret/{namespace}"

    package enum Failure: Error, Sendable, Equatable {
        case role, prefix

        package var message: String {
            switch self {
            case .role: "the role is empty, or has more than letters, digits, '.', '_', '-', '/'"
            case .prefix: "the prefix is no path in a vault, like secret/{namespace}"
            }
        }
    }

    package init(
        role: String = Self.standardRole, prefix: String = Self.standardPrefix,
        readsEntrypoints: Bool = false
    ) throws(Failure) {
        guard Self.isPlain(Self.filled(role, "n", "n", "n")) else { throw .role }
        let path = Self.filled(prefix, "n", "n", "n")
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard Self.isPlain(path), parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
        else { throw .prefix }
        self.role = role
        self.prefix = prefix
        self.readsEntrypoints = readsEntrypoints
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte) || "._-/".utf8.contains(byte)
            }
    }

    private static func filled(
        _ text: String, _ namespace: String, _ name: String, _ account: String
    ) -> String {
        text.replacing("{namespace}", with: namespace).replacing("{name}", with: name)
            .replacing("{serviceaccount}", with: account)
    }

    func role(of workload: Workload) -> String { filled(role, for: workload) }

    func path(ofSecret secret: String, for workload: Workload) -> String {
        filled(prefix, for: workload) + "/" + secret
    }

    private func filled(_ text: String, for workload: Workload) -> String {
        let account = workload.pod["serviceAccountName"]?.text ?? "default"
        return Self.filled(text, workload.object.namespace, workload.object.name, account)
    }
}

/// A use that takes the way by the vault: an entry of `env`, or of `envFrom`.
struct ConvertibleUse: Equatable {
    struct Value: Equatable {
        let name: String
        let secret: String
        let key: String
    }

    let path: String
    let container: Int
    /// `env` or `envFrom`.
    let list: String
    let index: Int
    let values: [Value]
}

/// Which uses of a workload convert together. What annotations name all its containers get, so
/// that one name may stand for one value only, in all of them.
struct ConversionPlan {
    private(set) var converting: [ConvertibleUse] = []
    /// Uses that stay, with the reason.
    private(set) var left: [(path: String, reason: String)] = []
    /// Containers that get values which they did not have.
    private(set) var others: [String] = []

    private struct Place: Hashable {
        let container: Int
        let list: String
        let index: Int
    }

    private let workload: Workload
    /// Entries by their path.
    private let places: [String: Place]
    /// Entries of `env` by the name that they set.
    private let setters: [String: [Place]]
    /// Names that stand in `$(NAME)`, of each container.
    private let references: [Set<String>]

    init(_ workload: Workload, _ settings: ConversionSettings) {
        self.workload = workload
        var places: [String: Place] = [:]
        var setters: [String: [Place]] = [:]
        for (number, container) in workload.containers.enumerated() {
            for list in ["env", "envFrom"] {
                for (index, entry) in (container.tree[list]?.elements ?? []).enumerated() {
                    let place = Place(container: number, list: list, index: index)
                    places["\(container.path).\(list)[\(index)]"] = place
                    guard list == "env", container.kind != .ephemeral else { continue }
                    setters[entry["name"]?.text ?? "", default: []].append(place)
                }
            }
        }
        self.places = places
        self.setters = setters
        references = workload.containers.map(\.references)
        if let reason = Self.obstacle(of: workload) {
            left = workload.uses.map { ($0.path, reason) }
            return
        }
        let candidates = workload.uses.compactMap { candidate($0, settings) }
        converting = candidates
        // What stays may forbid more.
        var isSettled = converting.isEmpty
        while !isSettled {
            let before = converting.count
            settle()
            isSettled = converting.count == before
        }
        let containers = workload.containers.filter { $0.kind != .ephemeral }
        if !settings.readsEntrypoints, !converting.isEmpty,
            let bare = containers.first(where: { !$0.isWrapped && !$0.hasCommand })
        {
            let reason =
                "container \(bare.name) has no command, and annotations are for all containers: "
                + "write it, or let the policy read it from a registry"
            left += converting.map { ($0.path, reason) }
            converting = []
        }
        let users = Set(converting.map { workload.containers[$0.container].name })
        others =
            converting.isEmpty ? [] : containers.map(\.name).filter { !users.contains($0) }
        sortLeft()
    }

    /// In the order of the uses.
    private mutating func sortLeft() {
        let order = Dictionary(
            workload.uses.enumerated().map { ($1.path, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        left.sort { (order[$0.path] ?? 0) < (order[$1.path] ?? 0) }
    }

    /// Of the whole workload.
    private static func obstacle(of workload: Workload) -> String? {
        if Inventory.excludedNamespaces.contains(workload.object.namespace) {
            return "it is in a namespace of the cluster's own"
        }
        if workload.label(Coverage.partOf) == Coverage.product { return "it is CloudTaser's own" }
        if workload.asks == false { return "it says \(PodAnnotation.inject.rawValue): false" }
        for annotation in [PodAnnotation.secretPaths, .environmentMap]
        where workload.annotation(annotation.rawValue) != nil {
            return "it has \(annotation.rawValue) already: add what is missing there"
        }
        return nil
    }

    private mutating func candidate(
        _ use: SecretUse, _ settings: ConversionSettings
    ) -> ConvertibleUse? {
        func leave(_ reason: String) -> ConvertibleUse? {
            left.append((use.path, reason))
            return nil
        }
        guard use.finding != .vaultReference else {
            return leave("it is a reference already, which the webhook takes")
        }
        guard let place = places[use.path] else {
            return leave(use.conversion.reason ?? "no Secret's key is named: put the value there")
        }
        let container = workload.containers[place.container]
        let entry = container.tree[place.list]?.elements?[place.index] ?? .null
        let isImport = place.list == "envFrom"
        let reference = isImport ? entry["secretRef"] : entry.value(at: "valueFrom", "secretKeyRef")
        guard let reference else {
            return leave("it is no Secret's: \(SecretUses.needsPlace)")
        }
        if let reason = use.conversion.reason, reason != SecretUses.needsCommand {
            return leave(reason)
        }
        guard !use.keys.isEmpty else { return leave(SecretUses.needsKeys) }
        guard reference["optional"] != .bool(true) else {
            return leave("it is optional: a vault refuses what is missing")
        }
        let prefix = isImport ? entry["prefix"]?.text ?? "" : ""
        let shadowed = isImport ? namesBehind(place.index, in: container) : []
        let values = use.keys.map { key in
            ConvertibleUse.Value(
                name: isImport ? prefix + key : entry["name"]?.text ?? "", secret: use.subject,
                key: key)
        }.filter { !shadowed.contains($0.name) }
        for value in values {
            guard EnvironmentName.isValid(value.name), !ControlVariable.isControl(value.name) else {
                return leave("\(value.name) is no name that a vault's value may have")
            }
        }
        guard !values.isEmpty else { return leave("it sets nothing that is not set again") }
        return ConvertibleUse(
            path: use.path, container: place.container, list: place.list, index: place.index,
            values: values)
    }

    /// Names that win over those of an entry of `envFrom`: of later ones whose keys are known, and
    /// of `env`.
    private func namesBehind(_ index: Int, in container: Workload.Container) -> Set<String> {
        var names = Set(container.environment.map(\.name))
        for use in workload.uses where use.container == container.name {
            guard let place = places[use.path], place.list == "envFrom", place.index > index
            else { continue }
            let entry = container.tree["envFrom"]?.elements?[place.index] ?? .null
            names.formUnion(use.keys.map { (entry["prefix"]?.text ?? "") + $0 })
        }
        return names
    }

    /// Takes out what cannot stand beside what stays.
    private mutating func settle() {
        var sources: [String: ConvertibleUse.Value] = [:]
        var kept: [ConvertibleUse] = []
        let goes = Set(
            converting.map { Place(container: $0.container, list: $0.list, index: $0.index) })
        for use in converting {
            if let reason = conflict(of: use, sources, goes) {
                left.append((use.path, reason))
            } else {
                for value in use.values { sources[value.name] = value }
                kept.append(use)
            }
        }
        converting = kept
    }

    private func conflict(
        of use: ConvertibleUse, _ sources: [String: ConvertibleUse.Value], _ goes: Set<Place>
    ) -> String? {
        for value in use.values {
            if let other = sources[value.name], other != value {
                return "\(value.name) is \(other.secret)/\(other.key) elsewhere in the pod"
            }
            if let place = (setters[value.name] ?? []).first(where: { !goes.contains($0) }) {
                let name = workload.containers[place.container].name
                return "\(value.name) is set otherwise in container \(name)"
            }
            if references[use.container].contains(value.name) {
                return "$(\(value.name)) is used in container "
                    + "\(workload.containers[use.container].name): the kubelet would not know it"
            }
        }
        return nil
    }
}

extension Workload.Container {
    var hasCommand: Bool { tree["command"]?.elements?.isEmpty == false }

    fileprivate var environment: [(name: String, value: String)] {
        (tree["env"]?.elements ?? []).map { ($0["name"]?.text ?? "", $0["value"]?.text ?? "") }
    }

    /// Names in `$(NAME)` where the kubelet fills it in.
    fileprivate var references: Set<String> {
        var texts = environment.map(\.value)
        texts += ["command", "args"].flatMap { tree[$0]?.elements?.compactMap(\.text) ?? [] }
        return Set(texts.flatMap { KubeletExpansion.references(in: $0) })
    }
}
