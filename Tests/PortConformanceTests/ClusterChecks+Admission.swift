// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import KubernetesPorts
import Testing

extension ClusterCheck {
    static let admission = [
        ClusterCheck("a webhook changes what is created, and only where it is asked") { bench in
            let service = try await bench.serve { review in
                answer(review, patch: [["op": "add", "path": "/data/added", "value": "yes"]])
            }
            try await withWebhook(bench, service) { call, collection in
                let made = try await call.create(configMap("a", ["k": "v"]), collection)
                #expect(made["data"] == ["k": "v", "added": "yes"])
                #expect(try await call.get(collection.object("a")) == made)
                // Another namespace is not selected.
                let other = ResourceCollection.configMaps(try await bench.namespace())
                let plain = try await call.create(configMap("a", ["k": "v"]), other)
                #expect(plain["data"] == ["k": "v"])
                // Nor is another operation.
                let changed = try await call.patch(
                    collection.object("a"), .merge, ["data": ["added": .null]])
                #expect(changed["data"] == ["k": "v"])
            }
        },
        ClusterCheck("a webhook's refusal is told in its words, whatever its code") { bench in
            let service = try await bench.serve { review in
                answer(review, refusal: ["code": 403, "message": "no thanks"])
            }
            try await withWebhook(bench, service) { call, collection in
                await expectFailure("a refusal", { $0.isDenied("no thanks") }) {
                    try await call.create(configMap("a"), collection)
                }
                await expectFailure("not stored", \.isNotFound) {
                    try await call.get(collection.object("a"))
                }
            }
        },
        ClusterCheck("a webhook sees dry runs, and who asks for what") { bench in
            let service = try await bench.serve { review in
                let request = (try? JSONTree(review))?["request"]
                let isRight =
                    request?["dryRun"] == true && request?["operation"] == "CREATE"
                    && request?.value(at: "resource", "resource") == "configmaps"
                    && request?.value(at: "userInfo", "username") == "administrator"
                    && request?.value(at: "object", "data", "k") == "v"
                return isRight ? answer(review) : answer(review, refusal: ["code": 400])
            }
            try await withWebhook(bench, service) { call, collection in
                let object = configMap("a", ["k": "v"])
                try await call.create(object, collection, isDryRun: true)
                await expectFailure("no dry run", { $0.isDenied("") }) {
                    try await call.create(object, collection)
                }
            }
        },
        ClusterCheck("what no webhook can be asked about is refused, or let through") { bench in
            let nowhere = AdmissionService(
                url: "https://127.0.0.1:1/", authority: try await bench.serve { $0 }.authority,
                server: nil)
            try await withWebhook(bench, nowhere) { call, collection in
                await expectFailure("down", { $0.isDenied("failed calling webhook") }) {
                    try await call.create(configMap("a"), collection)
                }
            }
            try await withWebhook(bench, nowhere, policy: "Ignore") { call, collection in
                try await call.create(configMap("a"), collection)
            }
        },
        ClusterCheck("an answer that is none counts as no answer") { bench in
            for junk in ["{}", "<html>", #"{"kind":"AdmissionReview","response":{}}"#] {
                let service = try await bench.serve { _ in Array(junk.utf8) }
                try await withWebhook(bench, service) { call, collection in
                    await expectFailure(junk, { $0.isDenied("failed calling webhook") }) {
                        try await call.create(configMap("a"), collection)
                    }
                }
            }
            let stranger = try await bench.serve { review in answer(review, uid: "another") }
            try await withWebhook(bench, stranger) { call, collection in
                await expectFailure("uid", { $0.isDenied("failed calling webhook") }) {
                    try await call.create(configMap("a"), collection)
                }
            }
        },
    ]
}

extension KubernetesFailure {
    func isDenied(_ text: String) -> Bool {
        guard case .deniedByAdmission(let message) = self else { return false }
        return text.isEmpty || message.contains(text)
    }
}

/// The answer to a review.
private func answer(
    _ review: [UInt8], patch: JSONTree? = nil, refusal: JSONTree? = nil, uid: String? = nil
) -> [UInt8] {
    let own = (try? JSONTree(review))?.value(at: "request", "uid") ?? .null
    var response: JSONTree = [
        "uid": uid.map { .string($0) } ?? own, "allowed": .bool(refusal == nil),
    ]
    if let refusal { response["status"] = refusal }
    if let patch {
        response["patchType"] = "JSONPatch"
        response["patch"] = .string(Data(patch.rendered()).base64EncodedString())
    }
    return JSONTree.object([
        .init("apiVersion", "admission.k8s.io/v1"), .init("kind", "AdmissionReview"),
        .init("response", response),
    ]).rendered()
}

/// Configures a webhook for new config maps in a namespace of its own, and waits until it counts:
/// until another of the same configuration, which nobody answers, has a marked object refused.
private func withWebhook(
    _ bench: any ClusterBench, _ service: AdmissionService, policy: String = "Fail",
    _ body: (ClusterCaller, ResourceCollection) async throws -> Void
) async throws {
    let call = try ClusterCaller(bench.api)
    let namespace = try await bench.namespace()
    let label: JSONTree = ["check": .string(namespace)]
    try await call.patch(
        ResourceCollection.namespaces.object(namespace), .merge, ["metadata": ["labels": label]])
    let configurations = ResourceCollection(
        group: "admissionregistration.k8s.io", version: "v1",
        resource: "mutatingwebhookconfigurations")
    var client: JSONTree = ["url": .string(service.url)]
    if !service.authority.isEmpty {
        client["caBundle"] = .string(Data(service.authority.utf8).base64EncodedString())
    }
    let rule: JSONTree = [
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["configmaps"],
    ]
    try await call.create(
        [
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration", "metadata": ["name": .string(namespace)],
            "webhooks": [
                [
                    "name": "check.example.com", "sideEffects": "None", "clientConfig": client,
                    "admissionReviewVersions": ["v1"], "failurePolicy": .string(policy),
                    "timeoutSeconds": 30, "rules": [rule],
                    "namespaceSelector": ["matchLabels": label],
                    "objectSelector": [
                        "matchExpressions": [["key": "marked", "operator": "DoesNotExist"]]
                    ],
                ],
                [
                    "name": "marked.example.com", "sideEffects": "None",
                    "clientConfig": ["url": "https://127.0.0.1:1/"],
                    "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
                    "timeoutSeconds": 30, "rules": [rule],
                    "namespaceSelector": ["matchLabels": label],
                    "objectSelector": ["matchLabels": ["marked": "yes"]],
                ],
            ],
        ], configurations)
    try await waitUntilAsked(call, .configMaps(namespace))
    try await body(call, .configMaps(namespace))
    try await call.delete(configurations.object(namespace))
}

/// A server takes a moment until it follows a new configuration: one that refuses config maps with
/// this value of the label `marked`, by asking nobody.
func waitUntilAsked(
    _ call: ClusterCaller, _ collection: ResourceCollection, marked value: String = "yes"
) async throws {
    let marked = configMap("marked", labels: ["marked": value])
    for _ in 0..<1200 {
        do {
            try await call.create(marked, collection, isDryRun: true)
        } catch let failure as KubernetesFailure {
            guard failure.isDenied("marked.example.com") else { throw failure }
            return
        }
        try await Task.sleep(for: .milliseconds(100))
    }
    Issue.record("the webhook is not asked")
}
