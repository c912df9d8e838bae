// SPDX-License-Identifier: Apache-2.0

/// What says whether a pod asks. Little is made of a pod before that is known.
struct PodHead {
    let root: JSONObject
    let annotations: [String: JSONNode]
    let labels: [String: JSONNode]

    /// Whether its namespace alone says whether it asks.
    var saysNothing: Bool {
        let name = PodAnnotation.inject.rawValue
        return [annotations[name], labels[name]].allSatisfy { $0?.isNull ?? true }
    }

    /// - Throws: what is no object of JSON, or has metadata of another shape.
    init(_ bytes: [UInt8]) throws(Refusal) {
        root = try JSONNode(document: bytes).object()
        let metadata = try root.object("metadata")
        annotations = try metadata.object("annotations").members
        labels = try metadata.object("labels").members
    }

    /// Of a pod that somebody wants to create.
    init(review: PodReview) throws(Refusal) {
        guard review.pod.count <= InjectionLimits.podBytesMax else {
            throw Refusal(
                .root, "is larger than \(InjectionLimits.podBytesMax) bytes",
                fix: "move data to volumes")
        }
        try self.init(review.pod)
    }
}

/// The parts of a pod that injection reads.
struct PodView {
    let spec: JSONObject
    let annotations: [String: JSONNode]
    let volumes: [JSONNode]
    /// Init containers before the ordinary ones, each in its order, without ephemeral ones.
    let containers: [ContainerView]
    let ephemeralContainers: [ContainerView]

    /// Checks limits and shapes; nothing else is decided here.
    init(_ head: PodHead) throws(Refusal) {
        annotations = head.annotations
        spec = try head.root.object("spec")
        volumes = try spec.elements("volumes", max: InjectionLimits.volumeCountMax)
        var containers: [ContainerView] = []
        var ephemeral: [ContainerView] = []
        var count = 0
        for kind in ContainerView.Kind.allCases {
            let nodes = try spec.elements(
                kind.rawValue, max: InjectionLimits.containerCountMax)
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
        let (wordsMax, fix) = (InjectionLimits.commandWordCountMax, "put them in a file")
        command = try object.texts("command", max: wordsMax, fix: fix)
        arguments = try object.texts("args", max: wordsMax, fix: fix)
        guard command.count + arguments.count <= wordsMax else {
            throw Refusal(
                object.path["args"], "and command have more than \(wordsMax) words", fix: fix)
        }
        environment = try Self.environment(of: object)
        mounts = try Self.mounts(of: object)
        handlers = try Self.handlers(of: object)
        terminationMessagePath = try object.text("terminationMessagePath")
        let security = try object.object("securityContext")
        isPrivileged = try security.flag("privileged") ?? false
        addedCapabilities = try security.object("capabilities").texts(
            "add", max: InjectionLimits.capabilityCountMax)
    }

    private static func environment(
        of object: JSONObject
    ) throws(Refusal) -> [EnvironmentEntry] {
        var entries: [EnvironmentEntry] = []
        let nodes = try object.elements(
            "env", max: InjectionLimits.environmentCountMax, fix: "use envFrom")
        for node in nodes {
            let entry = try node.object()
            entries.append(
                EnvironmentEntry(
                    node: node, name: try entry.text("name") ?? "",
                    value: entry["valueFrom"] == nil ? try entry.text("value") ?? "" : nil))
        }
        return entries
    }

    private static func mounts(of object: JSONObject) throws(Refusal) -> [Mount] {
        var mounts: [Mount] = []
        for node in try object.elements(
            "volumeMounts", max: InjectionLimits.mountCountMax)
        {
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
                let command = try exec.texts(
                    "command", max: InjectionLimits.commandWordCountMax, fix: "put them in a file")
                guard !command.isEmpty else { continue }
                handlers.append(Handler(path: exec.path["command"], command: command))
            }
        }
        return handlers
    }
}
