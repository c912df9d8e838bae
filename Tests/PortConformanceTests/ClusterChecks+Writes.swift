// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import Testing

extension ClusterCheck {
    static let writes = [
        ClusterCheck("what is created can be read, with what the server adds") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let made = try await call.create(configMap("a", ["k": "v \u{1F512} <&>"]), collection)
            let read = try await call.get(collection.object("a"))
            #expect(made == read)
            #expect(read.value(at: "data", "k") == "v \u{1F512} <&>")
            #expect(read["kind"] == "ConfigMap" && read["apiVersion"] == "v1")
            #expect(read.meta("namespace")?.text == collection.namespace)
            for name in ["uid", "resourceVersion", "creationTimestamp"] {
                #expect(read.meta(name)?.text?.isEmpty == false, "\(name)")
            }
        },
        ClusterCheck("a name is made of its prefix") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            var object = configMap("")
            object["metadata"] = ["generateName": "web-"]
            let names = [
                try await call.create(object, collection).meta("name")?.text,
                try await call.create(object, collection).meta("name")?.text,
            ]
            #expect(names[0] != names[1])
            #expect(names.allSatisfy { $0?.hasPrefix("web-") == true && $0 != "web-" })
        },
        ClusterCheck("each change has a version of its own, and no change has none") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let first = try await call.create(configMap("a", ["k": "1"]), collection)
            let same = try await call.replace(collection.object("a"), first)
            #expect(same.version == first.version)
            var changed = first
            changed["data"] = ["k": "2"]
            let second = try await call.replace(collection.object("a"), changed)
            #expect(second.version != first.version)
            #expect(second.meta("uid") == first.meta("uid"))
        },
        ClusterCheck("a stale state is not replaced, one that is not named is") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            let first = try await call.create(configMap("a", ["k": "1"]), collection)
            try await call.replace(reference, configMap("a", ["k": "2"]))
            await expectFailure("conflict", \.isConflict) {
                try await call.replace(
                    reference, configMap("a", ["k": "3"], version: first.version))
            }
            #expect(try await call.get(reference).value(at: "data", "k") == "2")
        },
        ClusterCheck("a Lease is replaced only in a state that is named, or made anew") { bench in
            let collection = ResourceCollection.leases(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("lock")
            var record = LeaseRecord(name: "lock", namespace: collection.namespace ?? "")
            record.holder = "one"
            record.durationSeconds = 15
            record.renewTime = WallClockText.microseconds(1_767_225_600_123_456_789)
            let made = try await bench.api.create(
                record.rendered(), in: collection, WriteOptions())
            let first = try LeaseRecord(made)
            #expect(first.renewTime == "2026-01-01T00:00:00.123456Z")
            await expectFailure("invalid", { $0.isInvalid("metadata.resourceVersion") }) {
                try await bench.api.replace(reference, with: record.rendered(), WriteOptions())
            }
            var second = first
            second.holder = "two"
            let replaced = try LeaseRecord(
                try await bench.api.replace(reference, with: second.rendered(), WriteOptions()))
            #expect(replaced.holder == "two")
            await expectFailure("conflict", \.isConflict) {
                try await bench.api.replace(reference, with: first.rendered(), WriteOptions())
            }
            let other = collection.object("other")
            let fresh = LeaseRecord(name: "other", namespace: collection.namespace ?? "")
            var held = fresh
            held.durationSeconds = 1
            _ = try await bench.api.replace(other, with: held.rendered(), WriteOptions())
            #expect(try await call.get(other).meta("name") == "other")
        },
        ClusterCheck("a dry run stores nothing") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            let tried = try await call.create(configMap("a"), collection, isDryRun: true)
            #expect(tried.meta("name") == "a")
            await expectFailure("not found", \.isNotFound) { try await call.get(reference) }
            let made = try await call.create(configMap("a"), collection)
            let dry = try await call.replace(
                reference, configMap("a", ["k": "v"]), isDryRun: true)
            #expect(dry.value(at: "data", "k") == "v")
            try await call.delete(reference, isDryRun: true)
            #expect(try await call.get(reference).version == made.version)
        },
        ClusterCheck("an object and its status are written at their own paths") { bench in
            let collection = try await CustomKind.define(bench)
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            let made = try await call.create(
                CustomKind.object("a", size: 1, ready: 1, in: collection), collection)
            #expect(made["status"] == nil)
            #expect(made.meta("generation") == 1)
            let told = try await call.patch(
                reference.status, .merge, ["spec": ["size": 9], "status": ["ready": 2]])
            #expect(told.value(at: "spec", "size") == 1)
            #expect(told.value(at: "status", "ready") == 2)
            #expect(told.meta("generation") == 1)
            let wanted = try await call.patch(
                reference, .merge, ["spec": ["size": 9], "status": ["ready": 3]])
            #expect(wanted.value(at: "spec", "size") == 9)
            #expect(wanted.value(at: "status", "ready") == 2)
            #expect(wanted.meta("generation") == 2)
            var replaced = wanted
            replaced["status"] = ["ready": 4]
            let after = try await call.replace(reference.status, replaced)
            #expect(after.value(at: "status", "ready") == 4)
            await expectFailure("conflict", \.isConflict) {
                try await call.replace(reference.status, replaced)
            }
        },
    ]

    static let refusals = [
        ClusterCheck("what is there is not created again") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            try await call.create(configMap("a"), collection)
            await expectFailure("already exists", \.isAlreadyExists) {
                try await call.create(configMap("a"), collection)
            }
        },
        ClusterCheck("what is not there is not found") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let missing = collection.object("missing")
            await expectFailure("get", \.isNotFound) { try await call.get(missing) }
            await expectFailure("replace", \.isNotFound) {
                try await call.replace(missing, configMap("missing"))
            }
            await expectFailure("patch", \.isNotFound) {
                try await call.patch(missing, .merge, ["data": ["k": "v"]])
            }
            await expectFailure("delete", \.isNotFound) { try await call.delete(missing) }
            await expectFailure("namespace", \.isNotFound) {
                try await call.create(configMap("a"), .configMaps("no-such-namespace"))
            }
            let unknown = ResourceCollection(
                group: "nobody.example", version: "v1", resource: "things", namespace: "default")
            await expectFailure("kind", \.isNotFound) { try await call.list(unknown) }
        },
        ClusterCheck("a wrong object is refused, with the field") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            await expectFailure("name", { $0.isInvalid("metadata.name") }) {
                try await call.create(configMap("Not A Name"), collection)
            }
            var nameless = configMap("")
            nameless["metadata"] = [:]
            let without = nameless
            await expectFailure("no name", { $0.isInvalid("metadata.name") }) {
                try await call.create(without, collection)
            }
            var other = configMap("a")
            other["kind"] = "Secret"
            let otherKind = other
            await expectFailure("kind", \.isBadRequest) {
                try await call.create(otherKind, collection)
            }
            await expectFailure("no JSON", \.isBadRequest) {
                try await bench.api.create(Array("{".utf8), in: collection, WriteOptions())
            }
            try await call.create(configMap("a"), collection)
            await expectFailure("another name", \.isBadRequest) {
                try await call.replace(collection.object("a"), configMap("b"))
            }
            var elsewhere = configMap("c")
            elsewhere["metadata"] = ["name": "c", "namespace": "default"]
            let inDefault = elsewhere
            await expectFailure("another namespace", \.isBadRequest) {
                try await call.create(inDefault, collection)
            }
        },
        ClusterCheck("no failure quotes the object") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let needle = "needle-in-the-object"
            let bodies = [
                #"{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "\#(needle)!"}}"#,
                #"{"data": {"k": "\#(needle)"}}"#, #"{"data": "\#(needle)"#,
                #"{"kind": "ConfigMap", "apiVersion": "v1", "data": "\#(needle)"}"#,
            ]
            for body in bodies {
                await expectFailure("a refusal", { !"\($0)".contains(needle) }) {
                    try await bench.api.create(
                        Array(body.utf8), in: collection, WriteOptions())
                }
            }
        },
        ClusterCheck("a request beyond the limit is refused") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let value = String(repeating: "a", count: KubernetesLimits.requestBytesMax)
            await expectFailure("too large", \.isTooLarge) {
                try await call.create(configMap("a", ["k": value]), collection)
            }
        },
    ]
}

/// A kind of our own with a status.
enum CustomKind {
    /// Defines a new kind; the server takes a moment until it serves it.
    static func define(_ bench: any ClusterBench) async throws -> ResourceCollection {
        let namespace = try await bench.namespace()
        // One group for each check: definitions are shared by the whole server.
        let group = namespace + ".example.com"
        let definitions = ResourceCollection(
            group: "apiextensions.k8s.io", version: "v1", resource: "customresourcedefinitions")
        let schema: JSONTree = [
            "openAPIV3Schema": [
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            ]
        ]
        let definition: JSONTree = [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": .string("things." + group)],
            "spec": [
                "group": .string(group), "scope": "Namespaced",
                "names": [
                    "plural": "things", "singular": "thing", "kind": "Thing",
                    "listKind": "ThingList",
                ],
                "versions": [
                    [
                        "name": "v1", "served": true, "storage": true, "schema": schema,
                        "subresources": ["status": [:]],
                    ]
                ],
            ],
        ]
        try await ClusterCaller(bench.api).create(definition, definitions)
        let collection = ResourceCollection(
            group: group, version: "v1", resource: "things", namespace: namespace)
        for _ in 0..<1200 {
            do {
                _ = try await ClusterCaller(bench.api).list(collection)
                return collection
            } catch KubernetesFailure.notFound {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        throw KubernetesFailure.notFound(path: collection.path)
    }

    static func object(
        _ name: String, size: Int, ready: Int? = nil, in collection: ResourceCollection
    ) -> JSONTree {
        var object: JSONTree = [
            "apiVersion": .string(collection.group + "/v1"), "kind": "Thing",
            "metadata": ["name": .string(name)], "spec": ["size": .number(String(size))],
        ]
        if let ready { object["status"] = ["ready": .number(String(ready))] }
        return object
    }
}
