// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
package import KubernetesPorts

extension SimulatedAPIServer {
    package mutating func preparePatch(
        _ reference: ObjectReference, _ kind: PatchKind, _ body: [UInt8], _ options: WriteOptions,
        token: String?
    ) throws(Refusal) -> Pending {
        let collection = reference.collection
        try authorize(token, "patch", collection, subresource: reference.subresource)
        let type = try type(of: collection)
        try checkSubresource(reference, of: type)
        guard let patch = try? JSONTree(body) else {
            throw Refusal(400, "BadRequest", "error decoding patch")
        }
        if case .apply(let manager, let isForced) = kind {
            return try prepareApply(
                reference, patch, manager: manager, isForced: isForced, options, token: token,
                type: type)
        }
        let before = try existing(reference)
        var object: JSONTree
        if kind == .merge {
            guard case .object = patch else {
                throw Refusal(400, "BadRequest", "error decoding patch")
            }
            object = JSONMergePatch.apply(patch, to: before)
        } else {
            object = try patched(before, patch, reference)
        }
        guard object.metadata("uid") == before.metadata("uid") else {
            throw .invalid("metadata.uid", "FieldValueInvalid")
        }
        // A patch that does not name a version says nothing about it.
        if object.metadata("resourceVersion") == nil {
            object.setMetadata("resourceVersion", before.metadata("resourceVersion"))
        }
        return Pending(
            operation: .update, reference: reference,
            object: try replaced(before, with: object, reference, type), before: before,
            isDryRun: options.isDryRun, user: try user(token).name, type: type)
    }

    private func patched(
        _ before: JSONTree, _ patch: JSONTree, _ reference: ObjectReference
    ) throws(Refusal) -> JSONTree {
        do throws(JSONPatch.Failure) {
            return try JSONPatch.apply(patch, to: before)
        } catch {
            switch error {
            case .malformed: throw Refusal(400, "BadRequest", "error decoding patch")
            case .pathMissing, .testFailed:
                throw Refusal(422, "Invalid", "the server rejected our request due to an error")
            }
        }
    }

    private mutating func prepareApply(
        _ reference: ObjectReference, _ patch: JSONTree, manager: String, isForced: Bool,
        _ options: WriteOptions, token: String?, type: ResourceType
    ) throws(Refusal) -> Pending {
        guard !manager.isEmpty else {
            throw .invalid("fieldManager", "FieldValueRequired")
        }
        guard patch["kind"]?.text == type.kind, let version = patch["apiVersion"]?.text,
            version.hasSuffix(reference.collection.version)
        else { throw Refusal(400, "BadRequest", "the object is not of the expected kind") }
        let leaves = FieldLeaves(of: patch, isCustom: type.isCustom)
        let fields = Set(leaves.values.keys)
        let key = key(reference)
        guard let before = objects[key] else {
            return try prepareAppliedCreate(
                reference, patch, (manager, fields), options, token: token, type: type)
        }
        if let wanted = patch.metadata("resourceVersion")?.text,
            wanted != before.metadata("resourceVersion")?.text
        {
            throw .changed(reference)
        }
        let current = FieldLeaves(of: before, isCustom: type.isCustom).values
        let ownedByOthers = (owners[key] ?? [:]).filter { $0.key != manager }
            .reduce(into: Set<FieldPath>()) { $0.formUnion($1.value) }
        let contested = leaves.values.filter { path, value in
            ownedByOthers.contains(path) && current[path] != value
                && !Self.adds(value, nothingTo: path.value(in: before))
        }.keys.sorted()
        guard contested.isEmpty || isForced else {
            throw Refusal(
                409, "Conflict", "Apply failed with \(contested.count) conflicts",
                causes: contested.map {
                    .init(reason: "FieldManagerConflict", field: $0.description)
                })
        }
        var object = before
        let own = owners[key]?[manager] ?? []
        let dropped = own.subtracting(fields).subtracting(ownedByOthers)
        for path in dropped where !path.isKey { path.remove(from: &object) }
        for path in dropped where path.isKey { path.remove(from: &object) }
        for path in leaves.order {
            guard let value = leaves.values[path],
                !Self.adds(value, nothingTo: path.value(in: object))
            else { continue }
            path.set(value, in: &object)
        }
        return Pending(
            operation: .update, reference: reference,
            object: try replaced(before, with: object, reference, type), before: before,
            isDryRun: options.isDryRun, user: try user(token).name, type: type,
            applied: (manager, fields))
    }

    /// An empty map says that there is one, and nothing about what is in it.
    private static func adds(_ value: JSONTree, nothingTo old: JSONTree?) -> Bool {
        switch (value, old) {
        case (.object(let new), .object): new.isEmpty
        case (.array(let new), .array(let old)):
            new.isEmpty && old.allSatisfy { $0["name"] != nil }
        default: false
        }
    }

    private mutating func prepareAppliedCreate(
        _ reference: ObjectReference, _ patch: JSONTree,
        _ applied: (manager: String, fields: Set<FieldPath>), _ options: WriteOptions,
        token: String?, type: ResourceType
    ) throws(Refusal) -> Pending {
        guard reference.subresource == nil else { _ = try existing(reference); throw .gone }
        try checkNamespace(reference.collection)
        guard Self.isName(reference.name) else {
            throw .invalid("metadata.name", "FieldValueInvalid")
        }
        var object = patch
        object.setMetadata("name", .string(reference.name))
        if let namespace = reference.collection.namespace {
            object.setMetadata("namespace", .string(namespace))
        }
        if type.hasStatus, type.isCustom { object["status"] = nil }
        return Pending(
            operation: .create, reference: reference, object: stamped(object, type: type),
            before: nil, isDryRun: options.isDryRun, user: try user(token).name, type: type,
            applied: applied)
    }

    /// Notes who set which fields. An ordinary write owns what it changed, under its user's name.
    mutating func own(_ pending: Pending, _ object: JSONTree) {
        let key = key(pending.reference)
        let isCustom = pending.type.isCustom
        let after = FieldLeaves(of: object, isCustom: isCustom).values
        let before = pending.before.map { FieldLeaves(of: $0, isCustom: isCustom).values } ?? [:]
        let changed = Set(after.filter { before[$0.key] != $0.value }.keys)
        let manager = pending.applied?.manager ?? "update/" + pending.user
        let fields = pending.applied?.fields ?? changed
        var managers = owners[key] ?? [:]
        for name in managers.keys where name != manager {
            managers[name]?.subtract(changed)
            managers[name]?.formIntersection(after.keys)
        }
        managers[manager] =
            pending.applied == nil ? (managers[manager] ?? []).union(fields) : fields
        owners[key] = managers
    }
}

extension SimulatedAPIServer.Refusal {
    static let gone = Self(410, "Expired", "too old")
}
