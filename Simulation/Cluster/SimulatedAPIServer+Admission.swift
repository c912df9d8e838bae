// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts

extension SimulatedAPIServer {
    /// One webhook that has to be asked about a write.
    package struct Webhook: Sendable {
        package let name: String
        /// `https://host:port/path`, or `service/NAMESPACE/NAME/PATH`.
        package let address: String
        /// `failurePolicy: Ignore`
        package let isOptional: Bool
        package let mayChange: Bool
        /// `reinvocationPolicy: IfNeeded`
        package let isReinvoked: Bool
        package let timeoutSeconds: Int
    }

    /// Who is to be asked, changing webhooks first, each kind in the order of the names of their
    /// configurations.
    package func webhooks(for pending: Pending) -> [Webhook] {
        let kinds = [
            ("mutatingwebhookconfigurations", true), ("validatingwebhookconfigurations", false),
        ]
        return kinds.flatMap { resource, mayChange -> [Webhook] in
            objects.filter { $0.key.resource == resource }.sorted { $0.key < $1.key }
                .flatMap { $0.value["webhooks"]?.elements ?? [] }
                .filter { isAsked($0, about: pending) }
                .map { Self.webhook($0, mayChange: mayChange) }
        }
    }

    private func isAsked(_ webhook: JSONTree, about pending: Pending) -> Bool {
        let collection = pending.reference.collection
        // What configures admission is not admitted by it.
        guard collection.group != "admissionregistration.k8s.io" else { return false }
        let resource =
            pending.reference.subresource.map { "\(collection.resource)/\($0)" }
            ?? collection.resource
        let isNamed = (webhook["rules"]?.elements ?? []).contains { rule in
            func has(_ list: String, _ value: String) -> Bool {
                (rule[list]?.elements ?? []).contains { [value, "*"].contains($0.text) }
            }
            return has("operations", pending.operation.rawValue)
                && has("apiGroups", collection.group) && has("apiVersions", collection.version)
                && has("resources", resource)
        }
        guard isNamed else { return false }
        if pending.isDryRun, !["None", "NoneOnDryRun"].contains(webhook["sideEffects"]?.text) {
            return false
        }
        let objects = Selector(object: webhook["objectSelector"])
        guard objects.matches(pending.object) || pending.before.map(objects.matches) == true
        else { return false }
        guard let namespace = collection.namespace else { return true }
        let key = Key(group: "", resource: "namespaces", namespace: "", name: namespace)
        return Selector(object: webhook["namespaceSelector"])
            .matches(self.objects[key] ?? .object([]))
    }

    private static func webhook(_ object: JSONTree, mayChange: Bool) -> Webhook {
        let service = object.value(at: "clientConfig", "service")
        let path = service?["path"]?.text ?? ""
        let place = [service?["namespace"]?.text ?? "", service?["name"]?.text ?? ""]
        return Webhook(
            name: object["name"]?.text ?? "",
            address: object.value(at: "clientConfig", "url")?.text
                ?? "service/" + place.joined(separator: "/") + path,
            isOptional: object["failurePolicy"]?.text == "Ignore", mayChange: mayChange,
            isReinvoked: object["reinvocationPolicy"]?.text == "IfNeeded",
            timeoutSeconds: object["timeoutSeconds"]?.wholeNumber ?? 10)
    }

    /// The AdmissionReview that a webhook is asked with. Its uid is the object's, and a count.
    package func review(_ pending: Pending, count: Int) -> (uid: String, body: [UInt8]) {
        let collection = pending.reference.collection
        let uid = "\(pending.object.metadata("uid")?.text ?? "")-\(count)"
        let kind: JSONTree = [
            "group": .string(collection.group), "version": .string(collection.version),
            "kind": .string(pending.type.kind),
        ]
        let resource: JSONTree = [
            "group": .string(collection.group), "version": .string(collection.version),
            "resource": .string(collection.resource),
        ]
        var request: JSONTree = [
            "uid": .string(uid), "kind": kind, "resource": resource, "requestKind": kind,
            "requestResource": resource, "name": .string(pending.reference.name),
            "operation": .string(pending.operation.rawValue),
            "userInfo": ["username": .string(pending.user)],
            "object": pending.object, "oldObject": pending.before ?? .null,
            "dryRun": .bool(pending.isDryRun),
        ]
        if let namespace = collection.namespace { request["namespace"] = .string(namespace) }
        if let subresource = pending.reference.subresource {
            request["subResource"] = .string(subresource)
        }
        let body: JSONTree = [
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request,
        ]
        return (uid, body.rendered())
    }

    /// What a webhook's answer makes of a write.
    ///
    /// - Throws: the refusal that the client gets. Junk counts as no answer.
    package func apply(
        answer: [UInt8], of webhook: Webhook, uid: String, to pending: inout Pending
    ) throws(Refusal) {
        guard let review = try? JSONTree(answer), let response = review["response"],
            review["kind"]?.text == "AdmissionReview",
            review["apiVersion"]?.text == "admission.k8s.io/v1", response["uid"]?.text == uid,
            case .bool(let isAllowed) = response["allowed"] ?? .null
        else { return try apply(failure: "invalid response", of: webhook) }
        guard isAllowed else {
            let status = response["status"]
            let code = status?["code"]?.wholeNumber ?? 400
            let message = status?["message"]?.text
            throw Refusal(
                max(code, 400), status?["reason"]?.text ?? "",
                "admission webhook \"\(webhook.name)\" denied the request"
                    + (message.map { ": " + $0 } ?? " without explanation"))
        }
        guard webhook.mayChange, let encoded = response["patch"]?.text else { return }
        guard response["patchType"]?.text == "JSONPatch", let bytes = Base64.decoded(encoded),
            let patch = try? JSONTree(bytes),
            let object = try? JSONPatch.apply(patch, to: pending.object)
        else { throw Self.noAnswer(webhook, "the patch cannot be applied") }
        pending.object = object
    }

    /// What it means that a webhook cannot be asked.
    package func apply(failure detail: String, of webhook: Webhook) throws(Refusal) {
        guard webhook.isOptional else { throw Self.noAnswer(webhook, detail) }
    }

    private static func noAnswer(_ webhook: Webhook, _ detail: String) -> Refusal {
        Refusal(
            500, "InternalError",
            "Internal error occurred: failed calling webhook \"\(webhook.name)\": \(detail)")
    }
}
