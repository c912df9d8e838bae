// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import Synchronization
import Testing

extension ClusterCheck {
    static let reads = [
        ClusterCheck("a list comes in pages that show one state") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            for name in ["a", "b", "c", "e", "f"] {
                try await call.create(configMap(name), collection)
            }
            let first = try await call.list(collection, limit: 2)
            #expect(first.names == ["a", "b"])
            try await call.create(configMap("d"), collection)
            #expect(first.continuation != nil)
            let second = try await call.list(
                collection, limit: 2, continuation: first.continuation)
            #expect(second.continuation != nil)
            let third = try await call.list(
                collection, limit: 2, continuation: second.continuation)
            #expect(second.names == ["c", "e"])
            #expect(third.names == ["f"])
            #expect(third.continuation == nil)
            #expect(first.resourceVersion == second.resourceVersion)
            #expect(third.resourceVersion == second.resourceVersion)
            #expect(try await call.list(collection).names == ["a", "b", "c", "d", "e", "f"])
        },
        ClusterCheck("a page's token grows too old") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            for name in ["a", "b", "c"] { try await call.create(configMap(name), collection) }
            let token = try await call.list(collection, limit: 1).continuation
            let continuation = try #require(token)
            try await call.create(configMap("d"), collection)
            _ = try bench.forget()
            await expectFailure("gone", { $0 == .gone }) {
                try await call.list(collection, limit: 1, continuation: continuation)
            }
        },
        ClusterCheck("labels and fields select") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            for (name, labels) in [
                ("a", ["app": "web", "tier": "front"]), ("b", ["app": "db"]), ("c", [:]),
            ] {
                try await call.create(configMap(name, labels: labels), collection)
            }
            for (selector, expected) in [
                ("app=web", ["a"]), ("app", ["a", "b"]), ("!app", ["c"]),
                ("app!=web", ["b", "c"]), ("app in (web,db),tier=front", ["a"]),
                ("app notin (web)", ["b", "c"]),
            ] {
                let page = try await call.list(collection, .init(labels: selector))
                #expect(page.names == expected, "\(selector)")
            }
            #expect(
                try await call.list(collection, .init(fields: "metadata.name=b")).names == ["b"])
            await expectFailure("a bad selector", \.isBadRequest) {
                try await call.list(collection, .init(labels: "a b c"))
            }
            await expectFailure("an unknown field", \.isBadRequest) {
                try await call.list(collection, .init(fields: "data.k=v"))
            }
        },
        ClusterCheck("all namespaces are listed at once, items of built-in kinds bare") { bench in
            let names = [try await bench.namespace(), try await bench.namespace()]
            let call = try ClusterCaller(bench.api)
            let label = ["check": names[0]]
            for name in names {
                try await call.create(configMap("a", labels: label), .configMaps(name))
            }
            let page = try await call.list(
                .configMaps(nil), .init(labels: "check=" + names[0]))
            let items = try page.items.map { try JSONTree($0) }
            #expect(Set(items.compactMap { $0.meta("namespace")?.text }) == Set(names))
            #expect(items.allSatisfy { $0["kind"] == nil && $0["apiVersion"] == nil })
        },
        ClusterCheck("items of a kind of our own say what they are") { bench in
            let collection = try await CustomKind.define(bench)
            let call = try ClusterCaller(bench.api)
            try await call.create(CustomKind.object("a", size: 1, in: collection), collection)
            let items = try await call.list(collection).items.map { try JSONTree($0) }
            #expect(items.map { $0["kind"] } == [.string("Thing")])
        },
    ]

    static let watches = [
        ClusterCheck("a watch tells every change since a version, in order") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            try await call.create(configMap("before"), collection)
            let version = try await call.list(collection).resourceVersion
            try await call.create(configMap("a", ["k": "1"]), collection)
            let events = try await collect(bench, collection, since: version, count: 4) {
                let changed = try await call.patch(
                    collection.object("a"), .merge, ["data": ["k": "2"]])
                try await call.create(configMap("b"), collection)
                try await call.delete(collection.object("a"))
                return changed.version
            }
            #expect(events.map(\.line) == ["+a 1", "~a 2", "+b ", "-a 2"])
            // Goes on from any of them.
            let second = try #require(events.dropFirst().first?.version)
            let rest = try await collect(bench, collection, since: second, count: 2) { "" }
            #expect(rest.map(\.line) == ["+b ", "-a 2"])
        },
        ClusterCheck("a watch tells of a selection as if nothing else were there") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let version = try await call.list(collection).resourceVersion
            let selection = ObjectSelection(labels: "in=yes")
            let events = try await collect(
                bench, collection, selection, since: version, count: 4
            ) {
                try await call.create(configMap("other"), collection)
                try await call.create(configMap("a", labels: ["in": "yes"]), collection)
                for label in ["no", "yes"] {
                    try await call.patch(
                        collection.object("a"), .merge,
                        ["metadata": ["labels": ["in": .string(label)]]])
                }
                try await call.delete(collection.object("a"))
                return ""
            }
            #expect(events.map(\.line) == ["+a ", "-a ", "+a ", "-a "])
        },
        ClusterCheck("a version that the server forgot is gone") { bench in
            // What the server keeps of a new kind begins with the kind.
            let collection = try await CustomKind.define(bench)
            let old = try bench.forget()
            let api = try bench.api
            await expectFailure("gone", { $0 == .gone }) {
                try await api.watch(
                    collection, .init(), since: old, time: .seconds(5)
                ) { _ in .more }
            }
        },
        ClusterCheck("a watch ends when its time is over") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let version = try await ClusterCaller(bench.api).list(collection).resourceVersion
            let start = ContinuousClock().now
            let changes = Mutex(0)
            try await bench.api.watch(
                collection, .init(), since: version, time: .seconds(1)
            ) { event in
                if case .bookmark = event {} else { changes.withLock { $0 += 1 } }
                return .more
            }
            // That it ended by itself, and was not given up by the client, is that nothing was
            // thrown.
            #expect(ContinuousClock().now - start >= .milliseconds(900))
            #expect(changes.withLock { $0 } == 0)
        },
        ClusterCheck("a watch ends when its task is cancelled") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let api = try bench.api
            let version = try await ClusterCaller(api).list(collection).resourceVersion
            let watch = Task {
                try await api.watch(
                    collection, .init(), since: version, time: KubernetesLimits.watchTimeMax
                ) { _ in .more }
            }
            try await Task.sleep(for: .milliseconds(300))
            watch.cancel()
            // One that went on would end with its time, and without a failure.
            await expectFailure("cancelled", { $0 == .cancelled }) { try await watch.value }
        },
    ]

    static let rights = [
        ClusterCheck("a token that is not known is refused, everywhere") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let api = try bench.api(.stranger)
            let call = ClusterCaller(api)
            await expectFailure("get", { $0 == .unauthorized }) {
                try await call.get(collection.object("a"))
            }
            await expectFailure("create", { $0 == .unauthorized }) {
                try await call.create(configMap("a"), collection)
            }
            await expectFailure("watch", { $0 == .unauthorized }) {
                try await api.watch(
                    collection, .init(), since: "1", time: .seconds(1)
                ) { _ in .more }
            }
        },
        ClusterCheck("only what is granted may be done") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = ClusterCaller(try bench.api(.operator))
            try await call.create(configMap("a"), collection)
            #expect(try await call.list(collection).items.count == 1)
            await expectFailure("delete", \.isForbidden) {
                try await call.delete(collection.object("a"))
            }
            var secrets = collection
            secrets.resource = "secrets"
            let hidden = secrets
            await expectFailure("secrets", \.isForbidden) { try await call.list(hidden) }
            var pods = collection
            pods.resource = "pods"
            let status = pods.object("a").status
            await expectFailure("status", \.isForbidden) {
                try await call.patch(status, .merge, [:])
            }
            let nobody = ClusterCaller(try bench.api(.nobody))
            await expectFailure("nobody", \.isForbidden) {
                try await nobody.get(collection.object("a"))
            }
            // Rights come before what is there.
            await expectFailure("nobody, missing", \.isForbidden) {
                try await nobody.get(collection.object("missing"))
            }
        },
    ]
}

extension ObjectPage {
    var names: [String] {
        items.map { (try? JSONTree($0))?.meta("name")?.text ?? "(no object)" }
    }
}

/// A change as a test compares it.
struct SeenChange: Sendable {
    let sign: String
    let object: [UInt8]

    init?(_ event: WatchEvent) {
        switch event {
        case .added(let object): (sign, self.object) = ("+", object)
        case .modified(let object): (sign, self.object) = ("~", object)
        case .deleted(let object): (sign, self.object) = ("-", object)
        case .bookmark: return nil
        }
    }

    /// `+name value-of-k`
    var line: String {
        let tree = (try? JSONTree(object)) ?? .null
        let value = tree.value(at: "data", "k")?.text ?? ""
        return sign + (tree.meta("name")?.text ?? "(no object)") + " " + value
    }

    var version: String? { (try? JSONTree(object))?.version }
}

/// So many changes of a watch that runs while `actions` does; bookmarks are left out.
private func collect(
    _ bench: any ClusterBench, _ collection: ResourceCollection,
    _ selection: ObjectSelection = .init(), since version: String, count: Int,
    while actions: () async throws -> String
) async throws -> [SeenChange] {
    let api = try bench.api
    async let watched = seen(api, collection, selection, since: version, count: count)
    _ = try await actions()
    return try await watched
}

/// A version may be told before its watch is served: the watch is stopped by its count.
private func seen(
    _ api: any KubernetesAPI, _ collection: ResourceCollection, _ selection: ObjectSelection,
    since version: String, count: Int
) async throws -> [SeenChange] {
    let changes = Mutex<[SeenChange]>([])
    try await api.watch(collection, selection, since: version, time: .seconds(300)) { event in
        guard let change = SeenChange(event) else { return .more }
        let total = changes.withLock { changes in
            changes.append(change)
            return changes.count
        }
        return total < count ? .more : .stop
    }
    return changes.withLock { $0 }
}
