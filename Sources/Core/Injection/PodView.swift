// SPDX-License-Identifier: Apache-2.0

/// The parts of a pod that injection reads.
struct PodView {
    let root: JSONObject
    let spec: JSONObject
    let annotations: [String: JSONNode]
    let labels: [String: JSONNode]
    let volumes: [JSONNode]
    /// Init containers before the ordinary ones, each in its order, without ephemeral ones.
    let containers: [ContainerView]
    let ephemeralContainers: [ContainerView]

    /// Checks limits and shapes; nothing else is decided here.
    init(_ bytes: [UInt8]) throws(Refusal) {
        guard bytes.count <= InjectionLimits.podBytesMax else {
            throw Refusal(
                .root, "is larger than \(InjectionLimits.podBytesMax) bytes",
                fix: "move data to volumes")
        }
        root = try JSONNode(document: bytes).object()
        let metadata = try root.object("metadata")
        annotations = try metadata.object("annotations").members
        labels = try metadata.object("labels").members
        spec = try root.object("spec")
        volumes = try spec.elements("volumes")
        guard volumes.count <= InjectionLimits.volumeCountMax else {
            throw Refusal(
                spec.path["volumes"], "has more than \(InjectionLimits.volumeCountMax) entries",
                fix: "use fewer")
        }
        var containers: [ContainerView] = []
        var ephemeral: [ContainerView] = []
        var count = 0
        for kind in ContainerView.Kind.allCases {
            let nodes = try spec.elements(kind.rawValue)
            count += nodes.count
            guard count <= InjectionLimits.containerCountMax else {
                throw Refusal(
                    spec.path[kind.rawValue],
                    "makes more than \(InjectionLimits.containerCountMax) containers",
                    fix: "use fewer")
            }
            for node in nodes {
                let container = try ContainerView(node.object(), kind: kind)
                if kind == .ephemeral {
                    ephemeral.append(container)
                } else {
                    containers.append(container)
                }
            }
        }
        self.containers = containers
        ephemeralContainers = ephemeral
    }
}

/// The parts of a container that injection reads.
struct ContainerView {
    /// The spec's array that holds it.
    enum Kind: String, CaseIterable {
        case initialization = "initContainers"
        case ordinary = "containers"
        case ephemeral = "ephemeralContainers"
    }

    struct EnvironmentEntry {
        let node: JSONNode
        let name: String
        /// nil where the value comes from elsewhere.
        let value: String?
    }

    struct Mount {
        let node: JSONNode
        let volume: String
        let path: String
    }

    /// A command that the kubelet runs in the container.
    struct Handler {
        /// Of the command.
        let path: FieldPath
        let command: [String]
    }

    let kind: Kind
    let object: JSONObject
    let name: String
    let image: String
    /// Empty when absent: both mean the image's entry point.
    let command: [String]
    let arguments: [String]
    let environment: [EnvironmentEntry]
    let mounts: [Mount]
    let handlers: [Handler]
    let terminationMessagePath: String?
    let isPrivileged: Bool
    let addedCapabilities: [String]

    var path: FieldPath { object.path }

    init(_ object: JSONObject, kind: Kind) throws(Refusal) {
        self.kind = kind
        self.object = object
        name = try object.text("name") ?? ""
        image = try object.text("image") ?? ""
        command = try object.texts("command")
        arguments = try object.texts("args")
        guard command.count + arguments.count <= InjectionLimits.commandWordCountMax else {
            throw Refusal(
                object.path["args"],
                "and command have more than \(InjectionLimits.commandWordCountMax) words",
                fix: "put them in a file")
        }
        environment = try Self.environment(of: object)
        mounts = try Self.mounts(of: object)
        handlers = try Self.handlers(of: object)
        terminationMessagePath = try object.text("terminationMessagePath")
        let security = try object.object("securityContext")
        isPrivileged = try security.flag("privileged") ?? false
        addedCapabilities = try security.object("capabilities").texts("add")
    }

    private static func environment(
        of object: JSONObject
    ) throws(Refusal) -> [EnvironmentEntry] {
        var entries: [EnvironmentEntry] = []
        for node in try object.elements("env") {
            let entry = try node.object()
            entries.append(
                EnvironmentEntry(
                    node: node, name: try entry.text("name") ?? "",
                    value: entry["valueFrom"] == nil ? try entry.text("value") ?? "" : nil))
        }
        guard entries.count <= InjectionLimits.environmentCountMax else {
            throw Refusal(
                object.path["env"],
                "has more than \(InjectionLimits.environmentCountMax) entries", fix: "use envFrom")
        }
        return entries
    }

    private static func mounts(of object: JSONObject) throws(Refusal) -> [Mount] {
        var mounts: [Mount] = []
        for node in try object.elements("volumeMounts") {
            let mount = try node.object()
            mounts.append(
                Mount(
                    node: node, volume: try mount.text("name") ?? "",
                    path: try mount.text("mountPath") ?? ""))
        }
        return mounts
    }

    private static func handlers(of object: JSONObject) throws(Refusal) -> [Handler] {
        let lifecycle = try object.object("lifecycle")
        let places = [
            (object, ["livenessProbe", "readinessProbe", "startupProbe"]),
            (lifecycle, ["postStart", "preStop"]),
        ]
        var handlers: [Handler] = []
        for (parent, names) in places {
            for name in names {
                let exec = try parent.object(name).object("exec")
                let command = try exec.texts("command")
                guard !command.isEmpty else { continue }
                handlers.append(Handler(path: exec.path["command"], command: command))
            }
        }
        return handlers
    }
}
