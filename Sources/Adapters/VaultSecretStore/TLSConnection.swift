// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import COpenSSLShims
import Glibc
internal import Ports
internal import SecretMemory
internal import SocketAddresses
internal import WrapperConfiguration

/// One verified TLS connection over a non-blocking socket.
final class TLSConnection {
    /// What a read brought.
    enum Received {
        case bytes(Int)
        /// The peer ended the stream with close_notify.
        case closed
        /// The stream ended without close_notify.
        case cut
    }

    let origin: Origin
    private let socket: Socket
    private let ssl: OpaquePointer
    /// For messages about a refused client certificate.
    private let clientCertificateFile: String?

    /// Shakes hands; `socket` is connected.
    init(
        over socket: consuming Socket, to origin: Origin, context: TLSContext,
        clientCertificateFile: String?, deadline: Deadline
    ) throws(SecretStoreFailure) {
        guard let made = SSL_new(context.pointer) else {
            throw TLSFailure.classify(
                OpenSSLErrors.take(), verification: Int(X509_V_OK), origin: origin,
                clientCertificateFile: clientCertificateFile)
        }
        self.origin = origin
        self.socket = socket
        self.clientCertificateFile = clientCertificateFile
        ssl = made
        guard SSL_set_fd(made, self.socket.descriptor) == 1, expect(origin.host) else {
            throw .tlsFailed(host: origin.host, detail: OpenSSLErrors.take().text)
        }
        while true {
            ERR_clear_error()
            let result = BrokenPipeSignal.heldBack { SSL_connect(made) }
            if result == 1 { return }
            try wait(after: result, deadline: deadline)
        }
    }

    deinit {
        // One try at close_notify; nobody waits for the answer.
        BrokenPipeSignal.heldBack { _ = SSL_shutdown(ssl) }
        SSL_free(ssl)
        ERR_clear_error()
    }

    /// Whether another request may be sent: a server that has closed an idle connection, or sent
    /// what nobody asked for, is not asked again. Session tickets are no matter.
    var isUsable: Bool {
        ERR_clear_error()
        var byte: UInt8 = 0
        let count = BrokenPipeSignal.heldBack { SSL_peek(ssl, &byte, 1) }
        let isQuiet = SSL_get_error(ssl, count) == SSL_ERROR_WANT_READ
        ERR_clear_error()
        return isQuiet
    }

    /// Reads into `bytes`.
    func read(
        into bytes: UnsafeMutableRawBufferPointer, deadline: Deadline
    ) throws(SecretStoreFailure) -> Received {
        while true {
            ERR_clear_error()
            // Reading writes too: OpenSSL answers a stream that ends early with an alert.
            let count = BrokenPipeSignal.heldBack {
                SSL_read(ssl, bytes.baseAddress, Int32(clamping: bytes.count))
            }
            if count > 0 { return .bytes(Int(count)) }
            let reason = SSL_get_error(ssl, count)
            if reason == SSL_ERROR_ZERO_RETURN { return .closed }
            if reason == SSL_ERROR_SSL, ERR_peek_error() != 0,
                openssl_is_unexpected_eof(ERR_peek_error()) == 1
            {
                ERR_clear_error()
                return .cut
            }
            try wait(after: count, deadline: deadline)
        }
    }

    /// Writes everything.
    func write(_ bytes: RawSpan, deadline: Deadline) throws(SecretStoreFailure) {
        var offset = 0
        while offset < bytes.byteCount {
            ERR_clear_error()
            let rest = bytes.extracting(droppingFirst: offset)
            let count = rest.withUnsafeBytes { raw in
                BrokenPipeSignal.heldBack {
                    SSL_write(ssl, raw.baseAddress, Int32(clamping: raw.count))
                }
            }
            if count > 0 {
                offset += Int(count)
            } else if SSL_get_error(ssl, count) == SSL_ERROR_SYSCALL {
                try explainRefusal(errorNumber: errno, deadline: deadline)
            } else {
                try wait(after: count, deadline: deadline)
            }
        }
    }

    /// A server that refuses our certificate says so and closes. With TLS 1.3 that may happen
    /// while we already write; its alert is then still to be read.
    private func explainRefusal(
        errorNumber: Int32, deadline: Deadline
    ) throws(SecretStoreFailure) {
        ERR_clear_error()
        var byte: UInt8 = 0
        let count = BrokenPipeSignal.heldBack { SSL_read(ssl, &byte, 1) }
        if SSL_get_error(ssl, count) == SSL_ERROR_SSL {
            try wait(after: count, deadline: deadline)
        }
        throw .connectionFailed(
            host: origin.host, port: origin.port,
            errorNumber: errorNumber == 0 ? ECONNRESET : errorNumber)
    }

    /// Whom the certificate must name; a DNS name is also sent in the hello.
    private func expect(_ host: String) -> Bool {
        // The dot of an absolute name is for resolvers; certificates do not carry it.
        let host = host.hasSuffix(".") ? String(host.dropLast()) : host
        if SocketAddress(numeric: host, port: 0) != nil {
            return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1
        }
        let flags =
            X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
        SSL_set_hostflags(ssl, UInt32(flags))
        return SSL_set1_host(ssl, host) == 1 && openssl_set_server_name(ssl, host) == 1
    }

    /// After a call that did not finish: waits for the socket, or throws why it failed.
    private func wait(after result: Int32, deadline: Deadline) throws(SecretStoreFailure) {
        let systemError = errno
        let events: Int32
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: events = POLLIN
        case SSL_ERROR_WANT_WRITE: events = POLLOUT
        case SSL_ERROR_SYSCALL:
            throw .connectionFailed(
                host: origin.host, port: origin.port,
                errorNumber: systemError == 0 ? ECONNRESET : systemError)
        default:
            throw TLSFailure.classify(
                OpenSSLErrors.take(), verification: SSL_get_verify_result(ssl), origin: origin,
                clientCertificateFile: clientCertificateFile)
        }
        switch deadline.wait(for: socket.descriptor, events: events) {
        case .ready: return
        case .interrupted: throw .interrupted
        case .timedOut: throw .timedOut(host: origin.host, seconds: deadline.seconds)
        }
    }
}

/// Tells certificate problems apart.
enum TLSFailure {
    static func classify(
        _ errors: OpenSSLErrors, verification: Int, origin: Origin, clientCertificateFile: String?
    ) -> SecretStoreFailure {
        let host = origin.host
        if let memory = OpenSSLAllocator.report, memory.refused > 0 {
            return .memory(.capacityExceeded(capacityBytes: memory.arenaBytes))
        }
        switch Int32(clamping: verification) {
        case X509_V_OK: break
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return .certificateNameMismatch(host: host)
        case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID:
            return .certificateExpired(host: host, detail: text(verification))
        default:
            return .certificateUntrusted(host: host, detail: text(verification))
        }
        // Alerts by which a server says what it thinks of our certificate.
        let aboutClientCertificate: Set<Int32> = [
            SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
            SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_TLSV1_ALERT_ACCESS_DENIED,
        ]
        if errors.reasons.contains(where: aboutClientCertificate.contains) {
            return .clientCertificateRejected(
                path: clientCertificateFile ?? "(none given)", detail: errors.text)
        }
        if errors.isUnexpectedEnd {
            return .connectionFailed(host: host, port: origin.port, errorNumber: ECONNRESET)
        }
        return .tlsFailed(host: host, detail: errors.text)
    }

    private static func text(_ verification: Int) -> String {
        String(cString: X509_verify_cert_error_string(verification))
    }
}

/// OpenSSL writes with write(2), which raises SIGPIPE when the peer has gone.
enum BrokenPipeSignal {
    /// Runs `body` with SIGPIPE blocked for this thread, and takes one that it raised.
    static func heldBack<Result>(_ body: () -> Result) -> Result {
        var signals = sigset_t()
        var before = sigset_t()
        var pending = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        sigpending(&pending)
        let wasPending = sigismember(&pending, SIGPIPE) == 1
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        let result = body()
        let systemError = errno
        if !wasPending {
            var immediately = timespec()
            while sigtimedwait(&signals, nil, &immediately) < 0, errno == EINTR {}
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        errno = systemError
        return result
    }
}
