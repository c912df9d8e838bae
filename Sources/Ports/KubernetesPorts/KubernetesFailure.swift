// SPDX-License-Identifier: Apache-2.0

/// One field that the server refused. The refused value is left out: it may be anything.
package struct RefusedField: Sendable, Hashable {
    /// `spec.containers[0].name`; empty: the whole object.
    package let path: String
    /// The server's word: `FieldValueInvalid`, `FieldValueRequired`.
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// Why a call to the API server failed. Texts carry hosts, paths of the API, and names, never a
/// token, a header or the content of an object.
package enum KubernetesFailure: Error, Sendable, Hashable {
    // Reaching the server
    case unreachable(host: String, detail: String)
    case timedOut(host: String)
    /// Its certificate is not to be trusted, or it did not take ours.
    case tlsFailed(host: String, detail: String)
    /// A token file, certificate or credential plugin that cannot be used.
    case credentialUnavailable(detail: String)
    case configurationInvalid(detail: String)
    case cancelled
    // The server's answer
    /// 401
    case unauthorized
    /// 403
    case forbidden(message: String)
    /// 404: the object, its namespace, or the whole kind.
    case notFound(path: String)
    /// 409 to a create.
    case alreadyExists(path: String)
    /// 409: somebody changed the object, owns a field, or a precondition does not hold.
    case conflict(path: String, fields: [RefusedField])
    /// 410: the version or the page's token is too old. List anew.
    case gone
    /// 422
    case invalid(path: String, fields: [RefusedField])
    /// 400: the request itself is wrong.
    case badRequest(path: String)
    /// A webhook of admission said no, or none could be asked.
    case deniedByAdmission(message: String)
    /// 429
    case tooManyRequests(retryAfterSeconds: Int?)
    /// 5xx
    case serverError(status: Int, retryAfterSeconds: Int?)
    case unexpectedStatus(path: String, status: Int)
    // Bounds and forms
    case requestTooLarge(bytes: Int, limit: Int)
    case responseTooLarge(path: String, limit: Int)
    case responseMalformed(path: String, detail: String)

    /// Whether the same call may succeed a little later without anything being changed.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .timedOut, .tooManyRequests, .serverError: true
        default: false
        }
    }
}

/// The next credential for the API server; asked before each call.
package protocol ClusterCredentials: Sendable {
    /// - Parameter isRefused: the server just answered 401 to the last one.
    func current(isRefused: Bool) async throws(KubernetesFailure) -> ClusterCredential
}

/// What a client shows to the API server.
package struct ClusterCredential: Sendable, Equatable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    /// Nil: no token, the client certificate has to do.
    package let bearerToken: String?
    /// PEM.
    package let certificate: [UInt8]?
    /// PEM.
    package let privateKey: [UInt8]?

    package init(
        bearerToken: String? = nil, certificate: [UInt8]? = nil, privateKey: [UInt8]? = nil
    ) {
        self.bearerToken = bearerToken
        self.certificate = certificate
        self.privateKey = privateKey
    }

    package var description: String { "(cluster credential)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// Where a cluster's API is and how to trust it.
package struct ClusterEndpoint: Sendable, Equatable {
    /// `https://10.0.0.1:443`, without a path behind it unless the API is below one.
    package var server: String
    /// PEM of the authorities; nil: those of the system.
    package var authorities: [UInt8]?
    /// Instead of the host in `server`, for the certificate; nil: that host.
    package var serverName: String?
    /// The namespace that the configuration names.
    package var namespace: String?

    package init(
        server: String, authorities: [UInt8]?, serverName: String? = nil, namespace: String? = nil
    ) {
        self.server = server
        self.authorities = authorities
        self.serverName = serverName
        self.namespace = namespace
    }
}
