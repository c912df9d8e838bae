// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import Testing

extension ClusterCheck {
    static let patches = [
        ClusterCheck("a merge patch sets, leaves and removes") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            let made = try await call.create(configMap("a", ["x": "1", "y": "2"]), collection)
            let after = try await call.patch(
                reference, .merge, ["data": ["x": .null, "z": "3"]])
            #expect(after["data"] == ["y": "2", "z": "3"])
            #expect(after.version != made.version)
            let same = try await call.patch(reference, .merge, ["data": ["z": "3"]])
            #expect(same.version == after.version)
            await expectFailure("conflict", \.isConflict) {
                try await call.patch(
                    reference, .merge,
                    [
                        "metadata": ["resourceVersion": .string(made.version)],
                        "data": ["z": "4"],
                    ])
            }
        },
        ClusterCheck("a JSON patch is done as a whole or not at all") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            try await call.create(
                configMap("a", ["x": "1", "y": "2"], labels: ["a/b": "c"]), collection)
            let after = try await call.patch(
                reference, .json,
                [
                    ["op": "test", "path": "/data/x", "value": "1"],
                    ["op": "replace", "path": "/data/x", "value": "3"],
                    ["op": "remove", "path": "/data/y"],
                    ["op": "remove", "path": "/metadata/labels/a~1b"],
                    ["op": "add", "path": "/metadata/labels", "value": ["l": "v"]],
                ])
            #expect(after["data"] == ["x": "3"])
            #expect(after.value(at: "metadata", "labels", "l") == "v")
            await expectFailure("a test that fails", { $0.isInvalid(nil) }) {
                try await call.patch(
                    reference, .json,
                    [
                        ["op": "replace", "path": "/data/x", "value": "4"],
                        ["op": "test", "path": "/data/x", "value": "1"],
                    ])
            }
            await expectFailure("a path to nowhere", { $0.isInvalid(nil) }) {
                try await call.patch(
                    reference, .json, [["op": "remove", "path": "/data/missing"]])
            }
            await expectFailure("no patch", \.isBadRequest) {
                try await call.patch(reference, .json, ["op": "remove"])
            }
            #expect(try await call.get(reference)["data"] == ["x": "3"])
        },
        ClusterCheck("a patch cannot change who an object is") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            let made = try await call.create(configMap("a"), collection)
            await expectFailure("patch", { $0.isInvalid("metadata.uid") }) {
                try await call.patch(reference, .merge, ["metadata": ["uid": "another"]])
            }
            var other = made
            var metadata = made["metadata"] ?? [:]
            metadata["uid"] = "another"
            other["metadata"] = metadata
            let stranger = other
            await expectFailure("replace", \.isConflict) {
                try await call.replace(reference, stranger)
            }
        },
    ]

    static let applies = [
        ClusterCheck("applying makes an object, changes it and drops what is left out") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            let made = try await call.apply(
                reference, configMap("a", ["x": "1", "y": "2"]), as: "one")
            #expect(made["data"] == ["x": "1", "y": "2"])
            let after = try await call.apply(reference, configMap("a", ["x": "3"]), as: "one")
            #expect(after["data"] == ["x": "3"])
            #expect(after.meta("uid") == made.meta("uid"))
            let same = try await call.apply(reference, configMap("a", ["x": "3"]), as: "one")
            #expect(same.version == after.version)
        },
        ClusterCheck("two managers keep their own fields, and contest one") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            try await call.apply(reference, configMap("a", ["x": "1"]), as: "one")
            let both = try await call.apply(reference, configMap("a", ["y": "2"]), as: "two")
            #expect(both["data"] == ["x": "1", "y": "2"])
            do {
                try await call.apply(reference, configMap("a", ["x": "9"]), as: "two")
                Issue.record("a contested field was taken")
            } catch KubernetesFailure.conflict(_, let fields) {
                #expect(
                    fields == [RefusedField(path: ".data.x", reason: "FieldManagerConflict")])
            }
            let forced = try await call.apply(
                reference, configMap("a", ["x": "9"]), as: "two", isForced: true)
            #expect(forced["data"] == ["x": "9"], "y is no longer applied by anybody")
            await expectFailure("conflict", \.isConflict) {
                try await call.apply(reference, configMap("a", ["x": "1"]), as: "one")
            }
        },
        ClusterCheck("who wrote a field in another way owns it too") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            try await call.create(configMap("a", ["x": "1", "y": "1"]), collection)
            await expectFailure("conflict", \.isConflict) {
                try await call.apply(reference, configMap("a", ["x": "2"]), as: "one")
            }
            let shared = try await call.apply(reference, configMap("a", ["x": "1"]), as: "one")
            #expect(shared["data"] == ["x": "1", "y": "1"])
            // Owned by two: the one who leaves it out does not remove it.
            let left = try await call.apply(reference, configMap("a"), as: "one")
            #expect(left["data"] == ["x": "1", "y": "1"])
        },
        ClusterCheck("elements of a list are applied by their key") { bench in
            let collection = ResourceCollection(
                group: "admissionregistration.k8s.io", version: "v1",
                resource: "mutatingwebhookconfigurations")
            let name = try await bench.namespace()
            let reference = collection.object(name)
            let call = try ClusterCaller(bench.api)
            func configuration(_ webhooks: [String], timeout: Int = 5) -> JSONTree {
                [
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "MutatingWebhookConfiguration", "metadata": ["name": .string(name)],
                    "webhooks": .array(
                        webhooks.map {
                            [
                                "name": .string($0), "sideEffects": "None",
                                "admissionReviewVersions": ["v1"],
                                "timeoutSeconds": .number(String(timeout)),
                                "clientConfig": ["url": "https://127.0.0.1:1/"],
                                "failurePolicy": "Ignore",
                            ]
                        }),
                ]
            }
            func names(_ object: JSONTree) -> [String] {
                (object["webhooks"]?.elements ?? []).compactMap { $0["name"]?.text }
            }
            try await call.apply(reference, configuration(["a.example.com"]), as: "one")
            let both = try await call.apply(
                reference, configuration(["b.example.com"]), as: "two")
            #expect(names(both) == ["a.example.com", "b.example.com"])
            let changed = try await call.apply(
                reference, configuration(["b.example.com"], timeout: 7), as: "two")
            #expect(
                changed["webhooks"]?.elements?.map { $0["timeoutSeconds"] }
                    == [.number("5"), .number("7")])
            let without = try await call.apply(reference, configuration([]), as: "one")
            #expect(names(without) == ["b.example.com"])
            try await call.delete(reference)
        },
        ClusterCheck("an apply says who applies, and what") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            await expectFailure("no manager", { $0.isInvalid("fieldManager") }) {
                try await call.apply(collection.object("a"), configMap("a"), as: "")
            }
            await expectFailure("no kind", \.isBadRequest) {
                try await call.apply(collection.object("a"), ["data": ["x": "1"]], as: "one")
            }
        },
    ]

    static let deletes = [
        ClusterCheck("what is deleted is gone, and its name is free") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let first = try await call.create(configMap("a"), collection)
            try await call.delete(collection.object("a"))
            await expectFailure("get", \.isNotFound) {
                try await call.get(collection.object("a"))
            }
            let second = try await call.create(configMap("a"), collection)
            #expect(first.meta("uid") != second.meta("uid"))
        },
        ClusterCheck("only what is meant is deleted") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            let first = try await call.create(configMap("a"), collection)
            let second = try await call.patch(reference, .merge, ["data": ["k": "v"]])
            await expectFailure("another uid", \.isConflict) {
                try await call.delete(reference, .init(uid: "another"))
            }
            await expectFailure("another version", \.isConflict) {
                try await call.delete(reference, .init(resourceVersion: first.version))
            }
            try await call.delete(
                reference,
                .init(uid: second.meta("uid")?.text, resourceVersion: second.version))
        },
        ClusterCheck("a finalizer holds an object until it is taken away") { bench in
            let collection = ResourceCollection.configMaps(try await bench.namespace())
            let call = try ClusterCaller(bench.api)
            let reference = collection.object("a")
            var object = configMap("a")
            object["metadata"] = ["name": "a", "finalizers": ["example.com/held"]]
            try await call.create(object, collection)
            try await call.delete(reference)
            let held = try await call.get(reference)
            #expect(held.meta("deletionTimestamp")?.text?.isEmpty == false)
            try await call.patch(reference, .merge, ["metadata": ["finalizers": .null]])
            await expectFailure("get", \.isNotFound) { try await call.get(reference) }
        },
    ]
}
