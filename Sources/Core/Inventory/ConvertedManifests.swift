// SPDX-License-Identifier: Apache-2.0
internal import Injection
package import KubernetesFormat

/// Manifests of workloads that ask the vault for what they had from Secrets.
package struct ConvertedManifests: Sendable {
    package struct Converted: Sendable {
        package let object: ClusterObject
        /// The object with annotations, without the entries and without what a server owns.
        package let tree: JSONTree
        /// For a reader.
        package let notes: [String]
    }

    package let converted: [Converted]
    /// What stays: object, place and reason, a line each.
    package let left: [String]
    /// Fields that the vault needs, by path, both in order.
    package let fields: [(path: String, names: [String])]

    package init(_ inventory: Inventory, _ settings: ConversionSettings) {
        var converted: [Converted] = []
        var left: [String] = []
        var fields: [String: Set<String>] = [:]
        for workload in inventory.originals where !workload.isOver {
            let plan = ConversionPlan(workload, settings)
            let name = workload.object.reference
            left += plan.left.map { "\(name): \($0.path): \($0.reason)" }
            guard !plan.converting.isEmpty else { continue }
            let manifest = ConvertedManifest(workload, plan.converting, settings)
            for request in manifest.requests {
                fields[request.path, default: []].formUnion(request.fields.map(\.key))
            }
            converted.append(
                Converted(
                    object: workload.object, tree: manifest.tree,
                    notes: Self.notes(workload, plan).map { "\(name): \($0)" }))
        }
        self.converted = converted
        self.left = left
        self.fields = fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted()) }
    }

    private static func notes(_ workload: Workload, _ plan: ConversionPlan) -> [String] {
        var notes: [String] = []
        if !plan.others.isEmpty {
            let names = plan.others.joined(separator: ", ")
            notes.append("annotations are for all containers: \(names) get the values too")
        }
        let isLive = workload.object.tree.value(at: "metadata", "uid") != nil
        if isLive, workload.isPod || workload.object.kind == "Job" {
            notes.append("it cannot be changed while it is there: delete it, then create this")
        }
        return notes
    }

    /// One list of all.
    package var list: JSONTree {
        ["apiVersion": "v1", "kind": "List", "items": .array(converted.map(\.tree))]
    }

    /// Commands that put the values where they will be read: from files of the fields' names, so
    /// that no value is in a command line.
    package var vaultCommands: [String] {
        fields.map { path, names in
            "bao kv put \(path) " + names.map { "\($0)=@\($0)" }.joined(separator: " ")
        }
    }
}

/// One of them.
struct ConvertedManifest {
    struct Request {
        let path: String
        var fields: [(key: String, name: String)]
    }

    let requests: [Request]
    let tree: JSONTree

    init(_ workload: Workload, _ uses: [ConvertibleUse], _ settings: ConversionSettings) {
        var requests: [Request] = []
        for value in uses.flatMap(\.values) {
            let path = settings.path(ofSecret: value.secret, for: workload)
            let index = requests.firstIndex { $0.path == path } ?? requests.count
            if index == requests.count { requests.append(Request(path: path, fields: [])) }
            guard !requests[index].fields.contains(where: { $0.name == value.name }) else {
                continue
            }
            requests[index].fields.append((value.key, value.name))
        }
        self.requests = requests
        let annotations: [(PodAnnotation, String)] = [
            (.inject, "true"),
            (
                .vaultRole,
                workload.annotation(PodAnnotation.vaultRole.rawValue)
                    ?? settings.role(of: workload)
            ),
            (.secretPaths, requests.map(\.path).joined(separator: ",")),
            (
                .environmentMap,
                requests.map { request in
                    request.fields.map { "\($0.key)=\($0.name)" }.joined(separator: ",")
                }.joined(separator: ";")
            ),
        ]
        var object = ServerFields.removed(from: workload.object.tree, of: workload)
        // Member names from the object to what has the pod's metadata and spec.
        let place = workload.podPath.split(separator: ".").dropLast().map(String.init)
        object.change(place[...]) { template in
            template.change(["metadata", "annotations"]) { found in
                for (annotation, text) in annotations { found[annotation.rawValue] = .string(text) }
            }
            // Servers that know no match conditions ask the webhook by the label alone.
            template.change(["metadata", "labels"]) { found in
                found[PodAnnotation.inject.rawValue] = "true"
            }
            template.change(["spec"]) { Self.remove(uses, of: workload, from: &$0) }
        }
        tree = object
    }

    private static func remove(
        _ uses: [ConvertibleUse], of workload: Workload, from spec: inout JSONTree
    ) {
        var number = 0
        for kind in Workload.Container.Kind.allCases {
            guard var containers = spec[kind.rawValue]?.elements else { continue }
            for index in containers.indices {
                for list in ["env", "envFrom"] {
                    let gone = Set(
                        uses.filter { $0.container == number && $0.list == list }.map(\.index))
                    guard !gone.isEmpty, let entries = containers[index][list]?.elements else {
                        continue
                    }
                    let rest = entries.enumerated().filter { !gone.contains($0.offset) }
                    containers[index][list] = rest.isEmpty ? nil : .array(rest.map(\.element))
                }
                number += 1
            }
            spec[kind.rawValue] = .array(containers)
        }
    }
}

/// What an API server writes into objects, and refuses or ignores from anybody else.
enum ServerFields {
    private static let metadata = [
        "managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds",
    ]
    private static let annotations = [
        AnnotationCredentials.lastApplied, "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
    ]
    private static let jobLabels = [
        "controller-uid", "job-name", "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
    ]

    static func removed(from tree: JSONTree, of workload: Workload) -> JSONTree {
        var tree = tree
        let isLive = tree.value(at: "metadata", "uid") != nil
        tree["status"] = nil
        tree.changeIfThere(["metadata"]) { found in
            for name in metadata { found[name] = nil }
        }
        tree.remove(annotations, from: ["metadata", "annotations"])
        let place = workload.podPath.split(separator: ".").dropLast().map(String.init)
        if !place.isEmpty {
            tree.changeIfThere(place[...]) { template in
                guard case .null? = template.value(at: "metadata", "creationTimestamp") else {
                    return
                }
                template.changeIfThere(["metadata"]) { $0["creationTimestamp"] = nil }
            }
        }
        guard isLive else { return tree }
        if workload.isPod { tree.changeIfThere(["spec"]) { $0["nodeName"] = nil } }
        if workload.object.kind == "Job", tree.value(at: "spec", "manualSelector") != .bool(true) {
            tree.changeIfThere(["spec"]) { $0["selector"] = nil }
            tree.remove(jobLabels, from: ["metadata", "labels"])
            tree.remove(jobLabels, from: ["spec", "template", "metadata", "labels"])
        }
        return tree
    }
}

extension JSONTree {
    /// Changes what the names lead to; what is missing on the way is made.
    fileprivate mutating func change(
        _ path: ArraySlice<String>, _ body: (inout JSONTree) -> Void
    ) {
        guard let name = path.first else { return body(&self) }
        var next = self[name] ?? [:]
        next.change(path.dropFirst(), body)
        self[name] = next
    }

    /// The same, and nothing where something is missing.
    fileprivate mutating func changeIfThere(
        _ path: ArraySlice<String>, _ body: (inout JSONTree) -> Void
    ) {
        guard let name = path.first else { return body(&self) }
        guard var next = self[name] else { return }
        next.changeIfThere(path.dropFirst(), body)
        self[name] = next
    }

    /// Removes members, and the object with the last of them.
    fileprivate mutating func remove(_ names: [String], from path: [String]) {
        guard let last = path.last else { return }
        changeIfThere(path.dropLast()) { parent in
            guard var found = parent[last], found.members?.isEmpty == false else { return }
            for name in names { found[name] = nil }
            parent[last] = found.members?.isEmpty == true ? nil : found
        }
    }
}
