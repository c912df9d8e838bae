// SPDX-License-Identifier: Apache-2.0
package import Ports
internal import SecretMemory

extension SecretStoreFailure {
    /// One of each case, about `host` and `path`: what can be injected at a call.
    package static func oneOfEach(
        host: String = "vault.test", path: String = "secret/app", field: String = "password"
    ) -> [SecretStoreFailure] {
        reaching(host) + answering(host)
            + [
                .credentialUnreadable(path: "/run/credential", errorNumber: 2),
                .credentialMissing(method: "approle"),
                .loginRefused(method: "approle", role: "app", status: 400),
                .wrappingTokenInvalid, .wrappingTokenForeign(creationPath: path), .tokenInvalid,
                .permissionDenied(path: path),
                .notFound(path: path), .mountUnknown(path: path), .versionDeleted(path: path),
                .versionDestroyed(path: path), .fieldMissing(path: path, field: field),
                .fieldNotText(path: path, field: field), .leaseUnknown, .renewalRefused,
                .responseMalformed(path: path, detail: "simulated"),
                .responseTruncated(path: path),
                .responseTooLarge(path: path, limitBytes: 1 << 20),
                .unexpectedStatus(path: path, status: 418),
                .valueContainsNUL(path: path, field: field),
                .valueTooLarge(path: path, field: field, limitBytes: 1 << 20),
                .memory(.capacityExceeded(capacityBytes: 4096)),
            ]
    }

    private static func reaching(_ host: String) -> [SecretStoreFailure] {
        [
            .nameNotResolved(host: host),
            .connectionFailed(host: host, port: 8200, errorNumber: 111),
            .timedOut(host: host, seconds: 30),
            .certificateUntrusted(host: host, detail: "simulated"),
            .certificateNameMismatch(host: host),
            .certificateExpired(host: host, detail: "simulated"),
            .tlsFailed(host: host, detail: "simulated"),
            .trustAnchorsUnreadable(path: "/run/authority.pem"),
            .clientCertificateRejected(path: "/run/client.pem", detail: "simulated"),
            .interrupted,
        ]
    }

    private static func answering(_ host: String) -> [SecretStoreFailure] {
        [
            .sealed(host: host), .uninitialized(host: host), .standby(host: host),
            .rateLimited(host: host, retryAfterSeconds: 3),
            .rateLimited(host: host, retryAfterSeconds: nil),
            .serverError(host: host, status: 500), .originForbidden(origin: "https://\(host)"),
            .redirectForbidden(from: "https://\(host)", to: "https://other.test"),
        ]
    }

    /// The case's name, for labels and for counting which were injected. A new case does not
    /// compile before it has one.
    package var caseName: String {
        switch self {
        case .nameNotResolved: "nameNotResolved"
        case .connectionFailed: "connectionFailed"
        case .timedOut: "timedOut"
        case .certificateUntrusted: "certificateUntrusted"
        case .certificateNameMismatch: "certificateNameMismatch"
        case .certificateExpired: "certificateExpired"
        case .tlsFailed: "tlsFailed"
        case .trustAnchorsUnreadable: "trustAnchorsUnreadable"
        case .clientCertificateRejected: "clientCertificateRejected"
        case .interrupted: "interrupted"
        case .sealed: "sealed"
        case .uninitialized: "uninitialized"
        case .standby: "standby"
        case .rateLimited: "rateLimited"
        case .serverError: "serverError"
        case .originForbidden: "originForbidden"
        case .redirectForbidden: "redirectForbidden"
        case .credentialUnreadable: "credentialUnreadable"
        case .credentialMissing: "credentialMissing"
        case .loginRefused: "loginRefused"
        case .wrappingTokenInvalid: "wrappingTokenInvalid"
        case .wrappingTokenForeign: "wrappingTokenForeign"
        case .tokenInvalid: "tokenInvalid"
        case .permissionDenied: "permissionDenied"
        case .notFound: "notFound"
        case .mountUnknown: "mountUnknown"
        case .versionDeleted: "versionDeleted"
        case .versionDestroyed: "versionDestroyed"
        case .fieldMissing: "fieldMissing"
        case .fieldNotText: "fieldNotText"
        case .leaseUnknown: "leaseUnknown"
        case .renewalRefused: "renewalRefused"
        case .responseMalformed: "responseMalformed"
        case .responseTruncated: "responseTruncated"
        case .responseTooLarge: "responseTooLarge"
        case .unexpectedStatus: "unexpectedStatus"
        case .valueContainsNUL: "valueContainsNUL"
        case .valueTooLarge: "valueTooLarge"
        case .memory: "memory"
        }
    }
}
