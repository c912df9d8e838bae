// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat
internal import KubernetesPorts

/// An API server's state and rules, without HTTP and time: a store with one revision for all
/// objects, a history that can be compacted, types, users and their rights. Every refusal is the
/// `Status` that a kube-apiserver answers.
package struct SimulatedAPIServer: Sendable {
    /// Where an object is stored. Not its version: that only decides how it is shown.
    package struct Key: Hashable, Comparable, Sendable {
        package var group: String
        package var resource: String
        package var namespace: String
        package var name: String

        package static func < (left: Key, right: Key) -> Bool {
            (left.group, left.resource, left.namespace, left.name)
                < (right.group, right.resource, right.namespace, right.name)
        }
    }

    /// One step of the history.
    struct Change: Sendable {
        let revision: Int
        let key: Key
        /// nil: it was created.
        let before: JSONTree?
        /// nil: it was deleted.
        let after: JSONTree?
    }

    /// Who asks, and what they may do.
    package struct User: Sendable {
        package var name: String
        /// Verbs by `resource.group`, with `*` for any. Subresources are `pods/status`.
        package var verbs: [String: Set<String>]

        package init(name: String, verbs: [String: Set<String>]) {
            self.name = name
            self.verbs = verbs
        }

        /// May do anything.
        package static let administrator = User(name: "administrator", verbs: ["*": ["*"]])
    }

    /// Why a call is refused.
    package struct Refusal: Error, Sendable, Equatable {
        package let status: StatusDocument
    }

    package internal(set) var objects: [Key: JSONTree] = [:]
    /// Which manager set which fields, for server-side apply.
    var owners: [Key: [String: Set<FieldPath>]] = [:]
    /// Raised by each write that changes something.
    package internal(set) var revision = 100
    var history: [Change] = []
    /// Versions before this one are forgotten.
    package private(set) var compacted = 0
    var types = ResourceType.builtIn
    private var users: [String: User] = [:]
    /// Seconds since 1970, for timestamps.
    package var secondsSince1970: Int64 = 1_767_225_600
    private var lastUID = 0
    /// What `list` promised for later pages, by token.
    var snapshots: [Int: [Key: JSONTree]] = [:]

    /// With the namespaces that every cluster has.
    package init() {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            let namespace: JSONTree = [
                "apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)],
                "status": ["phase": "Active"],
            ]
            let key = Key(group: "", resource: "namespaces", namespace: "", name: name)
            store(stamped(namespace, type: ResourceType.namespaces), at: key)
        }
    }

    package mutating func addUser(_ user: User, token: String) { users[token] = user }

    /// Forgets everything that watches and later pages need from before now.
    package mutating func compact() {
        compacted = revision
        history = []
        snapshots = [:]
    }

    // MARK: - What is asked for

    /// The user of a token.
    func user(_ token: String?) throws(Refusal) -> User {
        guard let token, let user = users[token] else {
            throw Refusal(401, "Unauthorized", "Unauthorized")
        }
        return user
    }

    /// Rights come before everything else: who may not look does not learn what there is.
    func authorize(
        _ token: String?, _ verb: String, _ collection: ResourceCollection,
        subresource: String? = nil
    ) throws(Refusal) {
        let user = try user(token)
        let own = subresource.map { "\(collection.resource)/\($0)" } ?? collection.resource
        let names = ["*", collection.group.isEmpty ? own : "\(own).\(collection.group)"]
        let isAllowed = names.contains { name in
            user.verbs[name].map { $0.contains(verb) || $0.contains("*") } ?? false
        }
        guard isAllowed else {
            throw Refusal(
                403, "Forbidden",
                "\(own) is forbidden: User \"\(user.name)\" cannot \(verb) resource \"\(own)\"")
        }
    }

    func type(of collection: ResourceCollection) throws(Refusal) -> ResourceType {
        let type = types.first {
            $0.group == collection.group && $0.resource == collection.resource
                && $0.versions.contains(collection.version)
        }
        guard let type, type.isNamespaced || collection.namespace == nil else {
            throw Refusal(404, "NotFound", "the server could not find the requested resource")
        }
        return type
    }

    func key(_ reference: ObjectReference) -> Key {
        Key(
            group: reference.collection.group, resource: reference.collection.resource,
            namespace: reference.collection.namespace ?? "", name: reference.name)
    }

    func existing(_ reference: ObjectReference) throws(Refusal) -> JSONTree {
        guard let object = objects[key(reference)] else {
            throw Refusal(
                404, "NotFound",
                "\(reference.collection.resource) \"\(reference.name)\" not found")
        }
        return object
    }

    // MARK: - Storing

    /// A write that changes something: the next revision, told to watches.
    mutating func store(_ object: JSONTree, at key: Key) {
        revision += 1
        var object = object
        object.setMetadata("resourceVersion", .string(String(revision)))
        let before = objects[key]
        objects[key] = object
        history.append(Change(revision: revision, key: key, before: before, after: object))
        if key.resource == "customresourcedefinitions" { registerTypes(of: object) }
    }

    mutating func erase(_ key: Key) -> JSONTree? {
        guard var object = objects.removeValue(forKey: key) else { return nil }
        revision += 1
        owners[key] = nil
        object.setMetadata("resourceVersion", .string(String(revision)))
        history.append(Change(revision: revision, key: key, before: object, after: nil))
        return object
    }

    /// What the server adds to a new object.
    mutating func stamped(_ object: JSONTree, type: ResourceType) -> JSONTree {
        var object = object
        lastUID += 1
        let digits = String(lastUID)
        let tail = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        object.setMetadata("uid", .string("00000000-0000-4000-8000-" + tail))
        object.setMetadata("creationTimestamp", .string(WallClockText.seconds(secondsSince1970)))
        if type.hasGeneration { object.setMetadata("generation", 1) }
        return object
    }

    /// The next characters of a `generateName`.
    mutating func nameSuffix() -> String {
        lastUID += 1
        let digits = String(lastUID, radix: 36)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}

extension SimulatedAPIServer.Refusal {
    init(
        _ code: Int, _ reason: String, _ message: String,
        causes: [StatusDocument.Cause] = []
    ) {
        status = StatusDocument(code: code, reason: reason, message: message, causes: causes)
    }

    static func invalid(_ field: String, _ reason: String) -> Self {
        Self(
            422, "Invalid", "\(field): \(reason)", causes: [.init(reason: reason, field: field)])
    }
}

extension JSONTree {
    func metadata(_ name: String) -> JSONTree? { value(at: "metadata", name) }

    mutating func setMetadata(_ name: String, _ value: JSONTree?) {
        var metadata = self["metadata"] ?? [:]
        metadata[name] = value
        self["metadata"] = metadata
    }
}
