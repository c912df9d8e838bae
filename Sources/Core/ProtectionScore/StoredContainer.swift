// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import Injection
package import KubernetesFormat
internal import Protection
internal import WrapperConfiguration

/// One container as a pod's object has it, or the template of pods.
package struct StoredContainer: Sendable, Equatable {
    /// `Pod shop/web`.
    package let object: String
    package let name: String
    package let startsByWrapper: Bool
    /// Of the container that copies the wrapper; nil: there is none.
    package let wrapperImage: String?
    /// As its run-time calls it, without `containerd://`; nil: it does not run, or nobody says.
    package let id: String?
    /// Names and literal values in its `env` that steer the wrapper.
    fileprivate let controls: [String: String]

    /// - Parameters:
    ///   - pod: core/v1 Pod with its status, or a template.
    ///   - container: one of its containers.
    package init(object: String, pod: JSONTree, container: JSONTree) {
        self.object = object
        name = container["name"]?.text ?? ""
        startsByWrapper = InjectedNames.startsByWrapper(Self.command(container))
        let installers = (pod.value(at: "spec", "initContainers")?.elements ?? []).filter {
            InjectedNames.copiesWrapper(Self.command($0))
        }
        // Of two that copy it nobody knows which one was the last.
        wrapperImage = installers.count == 1 ? installers.first?["image"]?.text : nil
        var controls: [String: String] = [:]
        for entry in container["env"]?.elements ?? [] {
            guard let name = entry["name"]?.text, ControlVariable.isControl(name) else { continue }
            // One that is filled in from elsewhere has a value that is not known here.
            controls[name] = entry["value"]?.text ?? (entry["valueFrom"] == nil ? "" : "?")
        }
        self.controls = controls
        id = RunningPod.Container.running(in: pod)[name]?.id
    }

    private static func command(_ container: JSONTree) -> [String] {
        container["command"]?.elements?.compactMap(\.text) ?? []
    }

    /// nil: the variable is not there, as the operator would have put it.
    func text(_ variable: ControlVariable) -> String? { controls[variable.rawValue] }

    var delivery: ValueDelivery? {
        guard startsByWrapper else { return .notByWrapper }
        return switch text(.delivery).flatMap(DeliveryMode.init(rawValue:)) {
        case .splice: .splice
        case .file: .file
        case .environ: .environ
        case nil: nil
        }
    }

    /// Whether values under `file` delivery are in files that can be read, and no secret memory.
    var hasReadableFiles: Bool { text(.readableFiles) == "true" }
    /// Without it, the wrapper starts no program (docs/reference/secret-memory.md).
    var requiresSecretMemory: Bool { text(.minimumTier) == MemoryTierRequirement.secret.rawValue }
    var isUndumpable: Bool { text(.undumpable) == "true" }

    /// A credential for the vault that is no file.
    var hasTokenInEnvironment: Bool {
        [ControlVariable.token, .secretID].contains { text($0)?.isEmpty == false }
    }
}
