// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat
package import KubernetesPorts

extension SimulatedAPIServer {
    package func get(
        _ reference: ObjectReference, token: String?
    ) throws(Refusal) -> JSONTree {
        try authorize(
            token, "get", reference.collection, subresource: reference.subresource)
        let type = try type(of: reference.collection)
        try checkSubresource(reference, of: type)
        return try existing(reference)
    }

    func checkSubresource(
        _ reference: ObjectReference, of type: ResourceType
    ) throws(Refusal) {
        guard let subresource = reference.subresource else { return }
        guard subresource == "status", type.hasStatus else {
            throw Refusal(404, "NotFound", "the server could not find the requested resource")
        }
    }

    /// A page of the state at the first page's revision. A page's token names that revision and
    /// the last key that was shown.
    package mutating func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?, token: String?
    ) throws(Refusal) -> ObjectPage {
        try authorize(token, "list", collection)
        let type = try type(of: collection)
        let selector = try Selector(selection)
        var from = 0
        var at = revision
        if let continuation {
            let parts = continuation.split(separator: ".")
            guard parts.count == 2, let revision = Int(parts[0]), let offset = Int(parts[1])
            else { throw Refusal(400, "BadRequest", "continue key is not valid") }
            guard snapshots[revision] != nil else {
                throw Refusal(410, "Expired", "The provided continue parameter is too old")
            }
            (at, from) = (revision, offset)
        }
        let state = continuation == nil ? objects : snapshots[at] ?? [:]
        let all = state.filter { key, object in
            isIn(collection, key) && selector.matches(object)
        }.sorted { $0.key < $1.key }
        let end = limit > 0 ? min(all.count, from + limit) : all.count
        let items = all[min(from, end)..<end].map { item -> [UInt8] in
            var object = item.value
            // A list of built-in objects says once what its items are.
            if !type.isCustom {
                object["apiVersion"] = nil
                object["kind"] = nil
            }
            return object.rendered()
        }
        let hasMore = end < all.count
        if hasMore { snapshots[at] = state }
        return ObjectPage(
            items: items, resourceVersion: String(at),
            continuation: hasMore ? "\(at).\(end)" : nil)
    }

    func isIn(_ collection: ResourceCollection, _ key: Key) -> Bool {
        key.group == collection.group && key.resource == collection.resource
            && (collection.namespace.map { $0 == key.namespace } ?? true)
    }

    /// Checks what a watch asks for, once.
    package func beginWatch(
        _ collection: ResourceCollection, token: String?
    ) throws(Refusal) {
        try authorize(token, "watch", collection)
        _ = try type(of: collection)
    }

    /// What a watch has to tell since a version, and the version up to which that is all.
    package func changes(
        _ collection: ResourceCollection, _ selection: ObjectSelection, since version: String
    ) throws(Refusal) -> (events: [WatchEvent], upTo: String) {
        guard let since = Int(version) else {
            throw Refusal.invalid("resourceVersion", "FieldValueInvalid")
        }
        guard since >= compacted else {
            throw Refusal(410, "Expired", "too old resource version: \(since) (\(compacted))")
        }
        let selector = try Selector(selection)
        var events: [WatchEvent] = []
        for change in history where change.revision > since && isIn(collection, change.key) {
            let wasSelected = change.before.map(selector.matches) ?? false
            let isSelected = change.after.map(selector.matches) ?? false
            switch (wasSelected, isSelected) {
            case (false, true): events.append(.added(change.after?.rendered() ?? []))
            case (true, true): events.append(.modified(change.after?.rendered() ?? []))
            case (true, false):
                var last = change.before ?? .null
                last.setMetadata("resourceVersion", .string(String(change.revision)))
                events.append(.deleted(last.rendered()))
            case (false, false): break
            }
        }
        return (events, String(revision))
    }
}
