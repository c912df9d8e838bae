// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import CCurlShims

/// One transfer on a handle, from its options to its answer.
struct CurlTransfer {
    private let handle: UnsafeMutableRawPointer

    init(_ handle: UnsafeMutableRawPointer) { self.handle = handle }

    /// What the callbacks write to.
    private final class Received {
        var bytes: [UInt8] = []
        let limit: Int
        let cancellation: Cancellation
        var isTooLarge = false

        init(limit: Int, _ cancellation: Cancellation) {
            self.limit = limit
            self.cancellation = cancellation
        }
    }

    func run(
        _ request: CurlRequest, _ cancellation: Cancellation
    ) throws(CurlFailure) -> CurlAnswer {
        // Connections stay with the handle; options do not.
        curl_easy_reset(handle)
        var lists: [UnsafeMutablePointer<curl_slist>?] = []
        defer { lists.forEach { curl_slist_free_all($0) } }
        let received = Received(limit: request.bytesMax, cancellation)
        try set(request, &lists)
        let context = Unmanaged.passUnretained(received).toOpaque()
        try check(curl_set_receiver(handle, Self.receive, context))
        try check(curl_set_number(handle, CURLOPT_NOPROGRESS, 0))
        try check(curl_set_watcher(handle, Self.watch, context))
        let code = withExtendedLifetime(received) { curl_easy_perform(handle) }
        guard code == CURLE_OK else { throw failure(code, received) }
        var status = 0
        curl_get_number(handle, CURLINFO_RESPONSE_CODE, &status)
        return CurlAnswer(
            status: status, body: received.bytes, address: text(CURLINFO_PRIMARY_IP),
            certificates: request.wantsCertificates ? certificates : [])
    }

    // MARK: - Options

    private func set(
        _ request: CurlRequest, _ lists: inout [UnsafeMutablePointer<curl_slist>?]
    ) throws(CurlFailure) {
        try check(curl_set_number(handle, CURLOPT_NOSIGNAL, 1))
        try check(curl_set_text(handle, CURLOPT_URL, request.url))
        // A redirect would carry the token to somebody else.
        try check(curl_set_number(handle, CURLOPT_FOLLOWLOCATION, 0))
        let scheme = Int(request.isWithoutTLS ? CURLPROTO_HTTP : CURLPROTO_HTTPS)
        try check(curl_set_number(handle, CURLOPT_PROTOCOLS, scheme))
        try check(curl_set_number(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)))
        try check(curl_set_number(handle, CURLOPT_TIMEOUT_MS, Self.milliseconds(request.time)))
        try check(
            curl_set_number(
                handle, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(request.connectTime)))
        try check(curl_set_text(handle, CURLOPT_ACCEPT_ENCODING, "gzip"))
        try check(curl_set_text(handle, CURLOPT_USERAGENT, "cloudtaser"))
        if request.wantsCertificates { try check(curl_set_number(handle, CURLOPT_CERTINFO, 1)) }
        if let authorities = request.authorities {
            // Else the system's folder would be believed beside them.
            try check(curl_set_text(handle, CURLOPT_CAPATH, nil))
            try check(curl_set_text(handle, CURLOPT_CAINFO, nil))
            try set(CURLOPT_CAINFO_BLOB, authorities)
        }
        if let certificate = request.certificate, let key = request.privateKey {
            try check(curl_set_text(handle, CURLOPT_SSLCERTTYPE, "PEM"))
            try check(curl_set_text(handle, CURLOPT_SSLKEYTYPE, "PEM"))
            try set(CURLOPT_SSLCERT_BLOB, certificate)
            try set(CURLOPT_SSLKEY_BLOB, key)
        }
        if !request.headers.isEmpty {
            lists.append(Self.list(request.headers))
            try check(curl_set_list(handle, CURLOPT_HTTPHEADER, lists.last ?? nil))
        }
        if let text = request.putText {
            try check(curl_set_text(handle, CURLOPT_CUSTOMREQUEST, "PUT"))
            try check(curl_set_number(handle, CURLOPT_POSTFIELDSIZE, text.utf8.count))
            try check(curl_set_text(handle, CURLOPT_COPYPOSTFIELDS, text))
        }
        if let connectTo = request.connectTo {
            lists.append(Self.list([connectTo]))
            try check(curl_set_list(handle, CURLOPT_CONNECT_TO, lists.last ?? nil))
        }
    }

    private func set(_ option: CURLoption, _ bytes: [UInt8]) throws(CurlFailure) {
        let code = bytes.withUnsafeBytes {
            curl_set_bytes(handle, option, $0.baseAddress, $0.count)
        }
        try check(code)
    }

    private static func list(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
        lines.reduce(nil) { curl_slist_append($0, $1) }
    }

    private static func milliseconds(_ time: Duration) -> Int {
        let (seconds, attoseconds) = time.components
        return max(1, Int(clamping: seconds &* 1000) + Int(attoseconds / 1_000_000_000_000_000))
    }

    private func check(_ code: CURLcode) throws(CurlFailure) {
        guard code == CURLE_OK else { throw .invalid(Self.text(code)) }
    }

    // MARK: - Callbacks

    private static let receive:
        @convention(c) (
            UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?
        ) -> Int = { bytes, size, count, context in
            guard let context, let bytes else { return 0 }
            let received = Unmanaged<Received>.fromOpaque(context).takeUnretainedValue()
            guard received.bytes.count + size * count <= received.limit else {
                received.isTooLarge = true
                return 0
            }
            received.bytes.append(
                contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
            return size * count
        }

    private static let watch:
        @convention(c) (
            UnsafeMutableRawPointer?, curl_off_t, curl_off_t, curl_off_t, curl_off_t
        ) -> Int32 = { context, _, _, _, _ in
            guard let context else { return 0 }
            let received = Unmanaged<Received>.fromOpaque(context).takeUnretainedValue()
            return received.cancellation.isSet ? 1 : 0
        }

    // MARK: - Results

    private func failure(_ code: CURLcode, _ received: Received) -> CurlFailure {
        switch code {
        case CURLE_ABORTED_BY_CALLBACK: .cancelled
        case CURLE_WRITE_ERROR where received.isTooLarge: .tooLarge
        case CURLE_OPERATION_TIMEDOUT: .timedOut
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CIPHER,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CACERT_BADFILE:
            .tls(Self.text(code))
        case CURLE_SSL_CERTPROBLEM: .invalid(Self.text(code))
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .invalid(Self.text(code))
        case CURLE_COULDNT_CONNECT: .unreachable("cannot connect")
        default: .unreachable(Self.text(code))
        }
    }

    /// libcurl's words for a code: no text of the peer's.
    private static func text(_ code: CURLcode) -> String {
        curl_easy_strerror(code).map { String(cString: $0) } ?? "error \(code.rawValue)"
    }

    private func text(_ info: CURLINFO) -> String {
        var text: UnsafeMutablePointer<CChar>?
        curl_get_text(handle, info, &text)
        return text.map { String(cString: $0) } ?? ""
    }

    /// `Name:value` lines of each certificate.
    private var certificates: [[String: String]] {
        var found: UnsafeMutablePointer<curl_certinfo>?
        guard curl_get_certificates(handle, &found) == CURLE_OK, let found else { return [] }
        return (0..<Int(found.pointee.num_of_certs)).map { index in
            var lines: [String: String] = [:]
            var next = found.pointee.certinfo[index]
            while let entry = next {
                let line = String(cString: entry.pointee.data)
                if let colon = line.firstIndex(of: ":") {
                    lines[String(line[..<colon])] = String(line[line.index(after: colon)...])
                }
                next = entry.pointee.next
            }
            return lines
        }
    }
}
