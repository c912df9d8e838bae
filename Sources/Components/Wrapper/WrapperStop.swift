// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import Ports
package import SecretMemory
package import WrapperConfiguration

/// How a run of the wrapper ends.
package enum WrapperStop: Error, Sendable, Equatable {
    /// The program ran; its status is passed on.
    case programEnded(ChildExit)
    /// A signal asked the wrapper to stop before there was a program that it could be passed to.
    case stopRequested(signal: Int32)
    /// No program runs. `detail` says what, to what; it never holds a value.
    case refused(WrapperExit, detail: String)

    package var statusCode: Int32 {
        switch self {
        case .programEnded(let exit): exit.statusCode
        case .stopRequested(let signal): 128 + signal
        case .refused(let exit, _): exit.rawValue
        }
    }

    /// What happened, in one line for a log.
    package var cause: String {
        switch self {
        case .programEnded(let exit): "the program ended with status \(exit.statusCode)"
        case .stopRequested(let signal): "asked to stop by signal \(signal)"
        case .refused(let exit, let detail): "\(exit.cause) (\(detail))"
        }
    }

    package init(_ failure: ConfigurationFailure) {
        self = .refused(.configurationInvalid, detail: failure.message)
    }

    package init(_ failure: ProcessHostFailure) {
        self =
            switch failure {
            case .notFound(let program): .refused(.notFound, detail: program)
            case .notExecutable(let program, let number):
                .refused(.notExecutable, detail: "\(program) (\(ErrorNumber.text(number)))")
            case .argumentsTooLarge(let program):
                .refused(
                    .valueTooLarge,
                    detail: "\(program): execve refuses arguments and environment of this size")
            case .refused(let call, let number):
                .refused(.hostRefusesDelivery, detail: "\(call) (\(ErrorNumber.text(number)))")
            case .memory(let failure): WrapperStop(failure)
            case .deliveryFailed(let step, let number):
                .refused(.deliveryFailed, detail: "step \(step) (\(ErrorNumber.text(number)))")
            case .systemCall(let call, let number):
                .refused(.internalFailure, detail: "\(call) (\(ErrorNumber.text(number)))")
            }
    }

    package init(_ failure: NodeAgentFailure) {
        self =
            switch failure {
            case .absent(let number): .refused(.agentAbsent, detail: ErrorNumber.text(number))
            case .refused(let reason): .refused(.agentRefused, detail: reason)
            case .timedOut: .refused(.agentAbsent, detail: "no answer in time")
            case .malformed:
                .refused(.agentRefused, detail: "its answer is none that an agent gives")
            case .systemCall(let call, let number):
                .refused(.agentAbsent, detail: "\(call) (\(ErrorNumber.text(number)))")
            }
    }

    package init(_ failure: SecretMemoryFailure) {
        let detail =
            switch failure {
            case .sizeOutOfRange(let requested, let limit):
                "\(requested) bytes asked for, the limit is \(limit)"
            case .tierUnavailable(let shortage): Self.text(shortage)
            case .capacityExceeded(let capacity): "\(capacity) bytes are used up"
            case .systemCall(let call, let number): "\(call) (\(ErrorNumber.text(number)))"
            }
        self = .refused(.secretMemoryUnavailable, detail: detail)
    }

    private static func text(_ shortage: MemoryShortage) -> String {
        let cause = shortage.errorNumber == 0 ? "" : " (\(ErrorNumber.text(shortage.errorNumber)))"
        let limit = shortage.limitBytes.map { "; RLIMIT_MEMLOCK allows \($0) bytes" } ?? ""
        return "\(shortage.bytes) bytes of \(shortage.required.name) memory are required, "
            + "\(shortage.best.name) is the best to be had\(cause)\(limit)"
    }

    package init(_ failure: DeliveryFailure) {
        self =
            switch failure {
            case .nameInvalid(let name):
                .refused(.configurationInvalid, detail: "'\(name)' is not a valid name")
            case .nameRepeated(let name):
                .refused(.configurationInvalid, detail: "'\(name)' is there twice")
            case .valueContainsNUL(let name): .refused(.valueContainsNUL, detail: name)
            case .valueTooLarge(let name, let limit):
                .refused(.valueTooLarge, detail: "\(name): more than \(limit) bytes")
            case .imageTooLarge(let limit):
                .refused(.valueTooLarge, detail: "all values together: more than \(limit) bytes")
            case .memory(let failure): WrapperStop(failure)
            }
    }
}

extension WrapperStop {
    package init(_ failure: SecretStoreFailure) {
        let (exit, detail) = Self.explain(failure)
        self = .refused(exit, detail: detail)
    }

    private static func explain(_ failure: SecretStoreFailure) -> (WrapperExit, String) {
        switch failure {
        case .nameNotResolved(let host): (.vaultUnreachable, "\(host) does not resolve")
        case .connectionFailed(let host, let port, let number):
            (.vaultUnreachable, "\(host):\(port) (\(ErrorNumber.text(number)))")
        case .timedOut(let host, let seconds): (.vaultTimedOut, "\(host), \(seconds) s")
        case .certificateUntrusted(let host, let detail):
            (.certificateUntrusted, "\(host): \(detail)")
        case .certificateNameMismatch(let host): (.certificateNameMismatch, host)
        case .certificateExpired(let host, let detail): (.certificateExpired, "\(host): \(detail)")
        case .tlsFailed(let host, let detail): (.tlsFailed, "\(host): \(detail)")
        case .trustAnchorsUnreadable(let path): (.credentialUnreadable, "VAULT_CACERT \(path)")
        case .clientCertificateRejected(let path, let detail):
            (.credentialUnreadable, "\(path): \(detail)")
        case .sealed(let host): (.vaultSealed, host)
        case .uninitialized(let host): (.vaultUninitialized, host)
        case .standby(let host): (.vaultStandby, host)
        case .rateLimited(let host, let seconds):
            (.rateLimited, seconds.map { "\(host), retry after \($0) s" } ?? host)
        case .serverError(let host, let status): (.vaultError, "\(host): status \(status)")
        case .originForbidden(let origin): (.originForbidden, origin)
        case .redirectForbidden(let from, let target):
            (.redirectForbidden, "from \(from) to \(target)")
        default: explainLogin(failure)
        }
    }

    private static func explainLogin(_ failure: SecretStoreFailure) -> (WrapperExit, String) {
        switch failure {
        case .credentialUnreadable(let path, let number):
            (.credentialUnreadable, "\(path) (\(ErrorNumber.text(number)))")
        case .credentialMissing(let method): (.credentialUnreadable, "none given for \(method)")
        case .loginRefused(let method, let role, let status):
            (.loginRefused, "method \(method), role '\(role)', status \(status)")
        case .tokenInvalid: (.tokenInvalid, "expired, revoked or unknown")
        case .wrappingTokenInvalid:
            (.wrappingTokenInvalid, "the vault knows none like it")
        case .wrappingTokenForeign(let path):
            (.wrappingTokenInvalid, "made at \(path), where no secret ids of this mount are made")
        case .leaseUnknown: (.tokenInvalid, "the lease is unknown or revoked")
        case .renewalRefused: (.vaultError, "the lease or token may not be renewed")
        case .interrupted: (.vaultUnreachable, "broken off")
        case .permissionDenied(let path): (.permissionDenied, path)
        case .notFound(let path): (.secretNotFound, path)
        case .mountUnknown(let path): (.secretNotFound, "\(path): no secrets engine there")
        case .versionDeleted(let path): (.versionDeleted, path)
        case .versionDestroyed(let path): (.versionDestroyed, path)
        case .fieldMissing(let path, let field): (.fieldMissing, "\(path), field '\(field)'")
        case .fieldNotText(let path, let field): (.fieldNotText, "\(path), field '\(field)'")
        case .responseMalformed(let path, let detail): (.responseMalformed, "\(path): \(detail)")
        case .responseTruncated(let path): (.responseTruncated, path)
        case .responseTooLarge(let path, let limit):
            (.responseTooLarge, "\(path): more than \(limit) bytes")
        case .unexpectedStatus(let path, let status): (.vaultError, "\(path): status \(status)")
        case .valueContainsNUL(let path, let field):
            (.valueContainsNUL, "\(path), field '\(field)'")
        case .valueTooLarge(let path, let field, let limit):
            (.valueTooLarge, "\(path), field '\(field)': more than \(limit) bytes")
        case .memory(let failure):
            switch WrapperStop(failure) {
            case .refused(let exit, let detail): (exit, detail)
            case .programEnded, .stopRequested: (.internalFailure, "")
            }
        default: (.internalFailure, "\(failure)")
        }
    }
}
