// SPDX-License-Identifier: Apache-2.0

/// Bounds of every call. An adapter may be stricter, never more generous.
package enum KubernetesLimits {
    /// Body of one request: what an API server takes (`MaxRequestBodyBytes` is 3 MiB).
    package static let requestBytesMax = 3 << 20
    /// Body of one answer; a page of 500 pods of ordinary size has 5 MiB.
    package static let responseBytesMax = 32 << 20
    /// One line of a watch: one object, with etcd's limit of 1.5 MiB and room for escapes.
    package static let watchLineBytesMax = 4 << 20
    /// Items of one page of a list.
    package static let pageItemsMax = 500
    /// Time of one call but a watch, its retries included.
    package static let requestTime = Duration.seconds(30)
    /// How long a watch may last before it is begun anew.
    package static let watchTimeMax = Duration.seconds(600)
    /// Characters of a text of the server that a failure carries.
    package static let messageCharactersMax = 512
}

/// The objects of one kind, in one namespace or in all: what a path of the API names.
package struct ResourceCollection: Sendable, Hashable {
    /// Empty: the core group.
    package var group: String
    package var version: String
    /// The plural, as in a path: `pods`.
    package var resource: String
    /// nil: a resource without namespaces, or all namespaces (only for `list` and `watch`).
    package var namespace: String?

    package init(group: String, version: String, resource: String, namespace: String? = nil) {
        self.group = group
        self.version = version
        self.resource = resource
        self.namespace = namespace
    }

    package func object(_ name: String) -> ObjectReference { ObjectReference(self, name: name) }
}

/// One object, or one of its subresources (`status`, `token`).
package struct ObjectReference: Sendable, Hashable {
    package var collection: ResourceCollection
    package var name: String
    package var subresource: String?

    package init(_ collection: ResourceCollection, name: String, subresource: String? = nil) {
        self.collection = collection
        self.name = name
        self.subresource = subresource
    }

    /// The same object's `status`.
    package var status: ObjectReference {
        ObjectReference(collection, name: name, subresource: "status")
    }
}

/// Which objects of a collection. Empty: all.
package struct ObjectSelection: Sendable, Hashable {
    /// As `labelSelector` spells it: `app=web,tier!=db`.
    package var labels: String
    /// As `fieldSelector` spells it: `metadata.name=web`.
    package var fields: String

    package init(labels: String = "", fields: String = "") {
        self.labels = labels
        self.fields = fields
    }
}

/// One page of a list: raw objects. The API server leaves `apiVersion` and `kind` out of them.
package struct ObjectPage: Sendable, Equatable {
    /// Each item's JSON, byte for byte as it came.
    package var items: [[UInt8]]
    /// The state that the whole list shows; a watch goes on from here.
    package var resourceVersion: String
    /// For the next page; nil: this was the last.
    package var continuation: String?

    package init(items: [[UInt8]], resourceVersion: String, continuation: String?) {
        self.items = items
        self.resourceVersion = resourceVersion
        self.continuation = continuation
    }
}

/// How a patch is to be read.
package enum PatchKind: Sendable, Hashable {
    /// RFC 6902.
    case json
    /// RFC 7396.
    case merge
    /// Server-side apply: makes the object when there is none. `isForced` takes over fields that
    /// other managers own.
    case apply(manager: String, isForced: Bool)
}

/// What a write is to do besides its main effect.
package struct WriteOptions: Sendable, Hashable {
    /// Everything but storing it.
    package var isDryRun: Bool

    package init(isDryRun: Bool = false) { self.isDryRun = isDryRun }
}

/// What must hold for a delete to happen.
package struct DeletePreconditions: Sendable, Hashable {
    package var uid: String?
    package var resourceVersion: String?

    package init(uid: String? = nil, resourceVersion: String? = nil) {
        self.uid = uid
        self.resourceVersion = resourceVersion
    }
}

/// One line of a watch.
package enum WatchEvent: Sendable, Equatable {
    /// The object's JSON, as it came.
    case added([UInt8])
    case modified([UInt8])
    /// The object's last state.
    case deleted([UInt8])
    /// Nothing of the selection has changed up to this version.
    case bookmark(resourceVersion: String)
}

/// Whether the receiver of a watch wants more.
package enum WatchDecision: Sendable, Equatable { case more, stop }

/// What only looks at a cluster needs of its API; the contract is that of `KubernetesAPI`.
package protocol KubernetesReading: Sendable {
    /// - Returns: the object's JSON.
    func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8]

    /// One page.
    ///
    /// - Parameters:
    ///   - limit: items of the page, at most; from 1 to `pageItemsMax`.
    ///   - continuation: of the page before; nil: the first page. A token that is too old is
    ///     `gone`: the list begins anew.
    func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage
}

/// The API of a Kubernetes cluster, raw JSON in and out.
///
/// Contract:
/// - Objects are bytes: what the caller does not read survives byte for byte in what it writes,
///   and no field is lost to a type that does not know it.
/// - Each call ends within its limit of time, each answer stays within its limit of size.
/// - A failure says what the server refused, never with the content of an object.
/// - Reads, and writes that say which state they change or may be done twice, are repeated by an
///   adapter after a failure that will pass (`KubernetesFailure.isTransient`); `create` and
///   `delete` without preconditions never are.
/// - `resourceVersion` is opaque: handed on as it came, compared only for equality.
/// - Cancelling the task ends any call with `cancelled`.
package protocol KubernetesAPI: KubernetesReading {
    /// Changes since `resourceVersion`, in their order, with bookmarks. Returns when `receive`
    /// says `stop`, or when the server or `time` ended the watch: it then goes on from the version
    /// of the last event or bookmark. A version that the server has forgotten is `gone`: list anew.
    ///
    /// - Parameter time: at most `watchTimeMax`, whole seconds.
    func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure)

    /// - Returns: the object as it is stored.
    func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8]

    /// Calls a subresource that makes something (`token`, `eviction`, `binding`).
    func create(
        _ object: [UInt8], at reference: ObjectReference, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8]

    /// Replaces the whole object, or its subresource. An object that carries a `resourceVersion`
    /// is replaced only in that state; any other is `conflict`.
    func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8]

    func patch(
        _ reference: ObjectReference, _ kind: PatchKind, _ patch: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8]

    /// An object that others hold by finalizers only gets its time of deletion.
    func delete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions, _ options: WriteOptions
    ) async throws(KubernetesFailure)
}
