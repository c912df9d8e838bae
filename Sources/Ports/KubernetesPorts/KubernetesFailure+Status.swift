// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

extension ResourceCollection {
    /// `/api/v1/namespaces/default/pods`, `/apis/coordination.k8s.io/v1/leases`.
    package var path: String {
        let root = group.isEmpty ? "/api/" : "/apis/\(group)/"
        return root + version + (namespace.map { "/namespaces/\($0)" } ?? "") + "/" + resource
    }
}

extension ObjectReference {
    package var path: String {
        collection.path + "/" + name + (subresource.map { "/" + $0 } ?? "")
    }
}

extension KubernetesFailure {
    /// What an answer that is no success means
    /// (https://kubernetes.io/docs/reference/using-api/api-concepts/).
    ///
    /// - Parameters:
    ///   - status: of HTTP.
    ///   - document: the body; nil: it was no `Status`, as from a proxy in between.
    package init(
        status: Int, _ document: StatusDocument?, path: String, retryAfterSeconds: Int? = nil
    ) {
        let message = String(
            (document?.message ?? "").prefix(KubernetesLimits.messageCharactersMax))
        let fields = (document?.causes ?? []).map {
            RefusedField(path: $0.field, reason: $0.reason)
        }
        let wait = retryAfterSeconds ?? document?.retryAfterSeconds
        // The one refusal whose code is the webhook's own choice.
        if message.contains("admission webhook \"") || message.contains("failed calling webhook") {
            self = .deniedByAdmission(message: message)
            return
        }
        switch status {
        case 400: self = .badRequest(path: path)
        case 401: self = .unauthorized
        case 403: self = .forbidden(message: message)
        case 404: self = .notFound(path: path)
        case 409 where document?.reason == "AlreadyExists": self = .alreadyExists(path: path)
        case 409: self = .conflict(path: path, fields: fields)
        case 410: self = .gone
        case 413:
            let limit = KubernetesLimits.requestBytesMax
            self = .requestTooLarge(bytes: limit + 1, limit: limit)
        case 422: self = .invalid(path: path, fields: fields)
        case 429: self = .tooManyRequests(retryAfterSeconds: wait)
        case 500...599: self = .serverError(status: status, retryAfterSeconds: wait)
        default: self = .unexpectedStatus(path: path, status: status)
        }
    }
}
