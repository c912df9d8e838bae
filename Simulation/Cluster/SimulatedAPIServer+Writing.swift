// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat
package import KubernetesPorts

/// A write has three steps, because admission asks others in between: `prepare…` decides what would
/// be stored, webhooks may change it, and `commit` stores it if the state still allows that.
extension SimulatedAPIServer {
    /// What a write would do.
    package struct Pending: Sendable {
        package enum Operation: String, Sendable { case create = "CREATE", update = "UPDATE" }

        package let operation: Operation
        package let reference: ObjectReference
        package internal(set) var object: JSONTree
        /// nil: it is new.
        package let before: JSONTree?
        package let isDryRun: Bool
        package let user: String
        let type: ResourceType
        /// Which manager applied which fields; nil: an ordinary write.
        var applied: (manager: String, fields: Set<FieldPath>)?
    }

    package mutating func prepareCreate(
        _ body: [UInt8], in collection: ResourceCollection, _ options: WriteOptions, token: String?
    ) throws(Refusal) -> Pending {
        try authorize(token, "create", collection)
        let type = try type(of: collection)
        var object = try parsed(body, type, collection)
        if object.metadata("name") == nil, let prefix = object.metadata("generateName")?.text {
            object.setMetadata("name", .string(prefix + nameSuffix()))
        }
        guard let name = object.metadata("name")?.text, !name.isEmpty else {
            throw .invalid("metadata.name", "FieldValueRequired")
        }
        guard Self.isName(name) else { throw .invalid("metadata.name", "FieldValueInvalid") }
        guard (object.metadata("resourceVersion")?.text ?? "").isEmpty else {
            throw Refusal(
                500, "InternalError", "resourceVersion should not be set on objects to be created")
        }
        if type.hasStatus, type.isCustom { object["status"] = nil }
        let reference = collection.object(name)
        try checkNamespace(collection)
        object = stamped(object, type: type)
        return Pending(
            operation: .create, reference: reference, object: object, before: nil,
            isDryRun: options.isDryRun, user: try user(token).name, type: type)
    }

    package mutating func prepareReplace(
        _ reference: ObjectReference, _ body: [UInt8], _ options: WriteOptions, token: String?
    ) throws(Refusal) -> Pending {
        let collection = reference.collection
        try authorize(token, "update", collection, subresource: reference.subresource)
        let type = try type(of: collection)
        try checkSubresource(reference, of: type)
        let object = try parsed(body, type, collection)
        guard object.metadata("name")?.text == reference.name else {
            throw Refusal(
                400, "BadRequest", "the name of the object does not match the name on the URL")
        }
        if objects[key(reference)] == nil, type.isCreatedByReplacing, reference.subresource == nil {
            return try prepareCreate(body, in: collection, options, token: token)
        }
        let before = try existing(reference)
        let version = object.metadata("resourceVersion")?.text ?? ""
        if version.isEmpty, !type.isReplacedUnconditionally {
            throw .invalid("metadata.resourceVersion", "FieldValueInvalid")
        }
        return Pending(
            operation: .update, reference: reference,
            object: try replaced(before, with: object, reference, type), before: before,
            isDryRun: options.isDryRun, user: try user(token).name, type: type)
    }

    package mutating func prepareDelete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions, token: String?
    ) throws(Refusal) {
        try authorize(token, "delete", reference.collection)
        _ = try type(of: reference.collection)
        let object = try existing(reference)
        for (name, wanted) in [
            ("uid", preconditions.uid), ("resourceVersion", preconditions.resourceVersion),
        ] {
            guard let wanted, object.metadata(name)?.text != wanted else { continue }
            throw .conflict(reference, "the \(name) in the precondition does not match")
        }
    }

    package mutating func delete(_ reference: ObjectReference) throws(Refusal) {
        var object = try existing(reference)
        guard (object.metadata("finalizers")?.elements ?? []).isEmpty else {
            guard object.metadata("deletionTimestamp") == nil else { return }
            let now = WallClockText.seconds(secondsSince1970)
            object.setMetadata("deletionTimestamp", .string(now))
            object.setMetadata("deletionGracePeriodSeconds", 0)
            return store(object, at: key(reference))
        }
        _ = erase(key(reference))
    }

    // MARK: - Committing

    /// Stores what was prepared; others may have written since.
    package mutating func commit(_ pending: Pending) throws(Refusal) -> JSONTree {
        let key = key(pending.reference)
        var object = pending.object
        switch pending.operation {
        case .create:
            guard objects[key] == nil else {
                throw Refusal(
                    409, "AlreadyExists",
                    "\(key.resource) \"\(key.name)\" already exists")
            }
            try checkNamespace(pending.reference.collection)
        case .update:
            let current = try existing(pending.reference)
            guard current.metadata("resourceVersion") == pending.before?.metadata("resourceVersion")
            else { throw .changed(pending.reference) }
            if Self.isSame(current, object) { return current }
            if pending.type.hasGeneration, Self.wanted(current) != Self.wanted(object) {
                let generation = current.metadata("generation")?.wholeNumber ?? 0
                object.setMetadata("generation", .number(String(generation + 1)))
            }
        }
        guard !pending.isDryRun else { return object }
        if isBeingDeleted(object) {
            _ = erase(key)
            return object
        }
        own(pending, object)
        store(object, at: key)
        return objects[key] ?? object
    }

    /// The last finalizer of an object that was deleted is gone.
    private func isBeingDeleted(_ object: JSONTree) -> Bool {
        object.metadata("deletionTimestamp") != nil
            && (object.metadata("finalizers")?.elements ?? []).isEmpty
    }

    // MARK: - Rules

    private func parsed(
        _ body: [UInt8], _ type: ResourceType, _ collection: ResourceCollection
    ) throws(Refusal) -> JSONTree {
        guard body.count <= KubernetesLimits.requestBytesMax else {
            throw Refusal(413, "RequestEntityTooLarge", "limit is 3145728")
        }
        guard var object = try? JSONTree(body), case .object = object else {
            throw Refusal(400, "BadRequest", "couldn't get version/kind; json parse error")
        }
        let version = collection.group.isEmpty ? "" : collection.group + "/"
        guard object["kind"]?.text == type.kind,
            object["apiVersion"]?.text == version + collection.version
        else { throw Refusal(400, "BadRequest", "the object is not of the expected kind") }
        let own = object.metadata("namespace")?.text ?? ""
        guard own.isEmpty || own == collection.namespace ?? "" else {
            throw Refusal(
                400, "BadRequest",
                "the namespace of the provided object does not match the namespace sent")
        }
        if let namespace = collection.namespace {
            object.setMetadata("namespace", .string(namespace))
        }
        object.setMetadata("managedFields", nil)
        return object
    }

    func checkNamespace(_ collection: ResourceCollection) throws(Refusal) {
        guard let namespace = collection.namespace else { return }
        let key = Key(group: "", resource: "namespaces", namespace: "", name: namespace)
        guard objects[key] != nil else {
            throw Refusal(404, "NotFound", "namespaces \"\(namespace)\" not found")
        }
    }

    /// What a new whole object leaves of the old one: who it is stays, and each of the object and
    /// its status is written at its own path only.
    func replaced(
        _ before: JSONTree, with object: JSONTree, _ reference: ObjectReference,
        _ type: ResourceType
    ) throws(Refusal) -> JSONTree {
        let version = object.metadata("resourceVersion")?.text ?? ""
        guard version.isEmpty || version == before.metadata("resourceVersion")?.text else {
            throw .changed(reference)
        }
        let uid = object.metadata("uid")?.text ?? ""
        guard uid.isEmpty || uid == before.metadata("uid")?.text else {
            throw .conflict(reference, "the UID in the precondition does not match")
        }
        var result = object
        if reference.subresource == "status" {
            result = before
            result["status"] = object["status"]
        } else if type.hasStatus {
            result["status"] = before["status"]
        }
        for name in [
            "uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            result.setMetadata(name, before.metadata(name))
        }
        return result
    }

    private static func isSame(_ left: JSONTree, _ right: JSONTree) -> Bool {
        var (left, right) = (left, right)
        left.setMetadata("resourceVersion", nil)
        right.setMetadata("resourceVersion", nil)
        return left == right
    }

    /// Everything but metadata and status.
    private static func wanted(_ object: JSONTree) -> JSONTree {
        var object = object
        object["metadata"] = nil
        object["status"] = nil
        return object
    }

    /// A DNS subdomain (RFC 1123).
    static func isName(_ name: String) -> Bool {
        guard name.utf8.count <= 253 else { return false }
        return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && part.first != "-" && part.last != "-"
                && part.utf8.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
                }
        }
    }
}

extension SimulatedAPIServer.Refusal {
    static func conflict(_ reference: ObjectReference, _ detail: String) -> Self {
        Self(
            409, "Conflict",
            "Operation cannot be fulfilled on \(reference.collection.resource) "
                + "\"\(reference.name)\": \(detail)")
    }

    static func changed(_ reference: ObjectReference) -> Self {
        conflict(reference, "the object has been modified")
    }
}
