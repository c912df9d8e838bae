// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import SimulationEngine

/// A pod that somebody creates, and what is to become of it.
struct AdmissionPod: Sendable {
    static let key = "cloudtaser.io/inject"
    static let wrapperImage = "wrapper:1"
    static let evilVault = "https://evil.example:8200"
    private static let wrapper = ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--"]

    let name: String
    let namespace: String
    /// Of the label; nil: it has none.
    let label: String?
    let annotations: [(String, String)]
    /// Init containers, those that are restartable last.
    let initial: [JSONTree]
    let ordinary: [JSONTree]
    let volumes: [JSONTree]

    /// One that is admitted whenever everything is well.
    init(plainly name: String, in namespace: String) {
        self.name = name
        self.namespace = namespace
        label = namespace == "asking" ? nil : "true"
        annotations = [
            ("vault-address", AdmissionGrant.vaults[0]), ("vault-role", "web"),
            ("secret-paths", AdmissionGrant.folder(namespace, "web") + "db"),
            ("env-map", "password=PASSWORD"),
        ]
        initial = []
        ordinary = [Self.container("web", refersTo: nil)]
        volumes = []
    }

    /// Whatever somebody may create.
    init(_ name: String, _ choices: Choices) {
        func happens(_ numerator: Int, in denominator: Int) -> Bool {
            choices.happens(numerator, in: denominator, label: "workload/pod")
        }
        func pick<Option>(_ options: [Option]) -> Option {
            choices.pick(options, label: "workload/pod")
        }
        self.name = name
        namespace = pick(AdmissionGrant.namespaces)
        label = pick(["true", nil, nil, "true", "false", "yes"])
        let role = pick(AdmissionGrant.roles)
        let home = happens(1, in: 8) ? pick(AdmissionGrant.namespaces) : namespace
        let path = AdmissionGrant.folder(home, role) + "db"
        var annotations = [("vault-role", happens(1, in: 8) ? "root" : role)]
        let vault = pick(AdmissionGrant.vaults + [nil, Self.evilVault])
        if let vault { annotations.append(("vault-address", vault)) }
        let isForAll = happens(1, in: 2)
        if isForAll {
            annotations += [("secret-paths", path), ("env-map", "password=PASSWORD")]
        }
        if happens(1, in: 8) { annotations.append(("status", "injected")) }
        self.annotations = annotations
        let reference = isForAll ? nil : "vault:\(path)#password"
        let collides = happens(1, in: 4)
        var initial: [JSONTree] = []
        if happens(1, in: 3) {
            initial.append(
                Self.container(collides ? "cloudtaser-install" : "first", refersTo: reference))
        }
        if happens(1, in: 3) {
            var sidecar = Self.container("sidecar", refersTo: reference)
            sidecar["restartPolicy"] = "Always"
            initial.append(sidecar)
        }
        self.initial = initial
        var ordinary = [Self.container("web", refersTo: reference)]
        for index in 0..<choices.draw(below: 3, label: "workload/pod") {
            ordinary.append(
                Self.container("more-\(index)", refersTo: happens(1, in: 2) ? reference : nil))
        }
        if happens(1, in: 16) {
            ordinary[0]["command"] = .array((Self.wrapper + ["/bin/web"]).map { .string($0) })
        }
        self.ordinary = ordinary
        volumes = collides ? [["name": "cloudtaser-wrapper", "emptyDir": [:]]] : []
    }

    private static func container(_ name: String, refersTo reference: String?) -> JSONTree {
        var container: JSONTree = [
            "name": .string(name), "image": "app:1", "command": [.string("/bin/" + name)],
        ]
        if let reference {
            container["env"] = [["name": "PASSWORD", "value": .string(reference)]]
        }
        return container
    }

    var isRestartable: Bool { initial.contains { $0["restartPolicy"] == "Always" } }
    var isColliding: Bool { !volumes.isEmpty }

    var document: [UInt8] {
        var metadata: JSONTree = ["name": .string(name), "namespace": .string(namespace)]
        if let label { metadata["labels"] = [Self.key: .string(label)] }
        metadata["annotations"] = .object(
            annotations.map { .init("cloudtaser.io/" + $0.0, .string($0.1)) })
        var spec: JSONTree = ["containers": .array(ordinary)]
        if !initial.isEmpty { spec["initContainers"] = .array(initial) }
        if !volumes.isEmpty { spec["volumes"] = .array(volumes) }
        return JSONTree.object([
            .init("apiVersion", "v1"), .init("kind", "Pod"), .init("metadata", metadata),
            .init("spec", spec),
        ]).rendered()
    }

    /// As the webhook's selectors say it.
    ///
    /// - Parameter namespaceLabel: of its namespace.
    func asks(_ namespaceLabel: String?) -> Bool {
        if let label { return label != "false" }
        return namespaceLabel.map { $0 != "false" && $0 != "0" } ?? false
    }

    // MARK: - What was stored

    /// A container that starts the wrapper, as it was stored.
    struct Wrapped {
        let name: String
        let vault: String
        let role: String
        let paths: [String]
        let origins: String
    }

    /// Names of containers that have values to get and do not start the wrapper, and those that do.
    func containers(of stored: JSONTree) -> (bare: [String], wrapped: [Wrapped]) {
        let isForAll = annotations.contains { $0.0 == "secret-paths" }
        let asking = (initial + ordinary).filter { isForAll || $0["env"] != nil }
            .compactMap { $0["name"]?.text }
        var bare: [String] = []
        var wrapped: [Wrapped] = []
        var found: Set<String> = []
        for kind in ["initContainers", "containers"] {
            for container in stored.value(at: "spec", kind)?.elements ?? [] {
                let name = container["name"]?.text ?? ""
                let command = (container["command"]?.elements ?? []).compactMap(\.text)
                found.insert(name)
                if command.starts(with: Self.wrapper) {
                    wrapped.append(Self.wrapped(name, container))
                } else if asking.contains(name) {
                    bare.append(name)
                }
            }
        }
        // Who asks for nothing is refused: a pod without values is not what was asked for.
        if asking.isEmpty { bare.append("none that gets a value") }
        return (bare + asking.filter { !found.contains($0) }, wrapped)
    }

    private static func wrapped(_ name: String, _ container: JSONTree) -> Wrapped {
        func variable(_ name: String) -> String {
            (container["env"]?.elements ?? []).last { $0["name"]?.text == name }?["value"]?.text
                ?? ""
        }
        return Wrapped(
            name: name, vault: variable("VAULT_ADDR"), role: variable("VAULT_AUTH_ROLE"),
            paths: variable("CLOUDTASER_SECRET_PATHS").split(separator: ",").map(String.init),
            origins: variable("CLOUDTASER_ALLOWED_ORIGINS"))
    }
}
