// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import CCurlShims
internal import Foundation
internal import Synchronization

/// One request.
struct CurlRequest: Sendable {
    var url: String
    /// `Name: value`.
    var headers: [String] = []
    /// PEM; nil: the system's authorities.
    var authorities: [UInt8]?
    /// PEM, both or none.
    var certificate: [UInt8]?
    var privateKey: [UInt8]?
    /// `NAME:PORT:HOST:PORT`: the name in the address leads to another host.
    var connectTo: String?
    var time: Duration
    var connectTime: Duration
    var bytesMax: Int
    /// HTTP without TLS, and no other: for what is never secret.
    var isWithoutTLS = false
    /// Whether the peer's certificates are told, too.
    var wantsCertificates = false
    /// Sent by PUT; nil: GET.
    var putText: String?
}

/// What came, whatever its status.
struct CurlAnswer: Sendable {
    var status: Int
    var body: [UInt8]
    /// The peer's address in digits.
    var address: String
    /// Of each certificate of the peer, the leaf first: names and texts as libcurl gives them
    /// (CURLINFO_CERTINFO).
    var certificates: [[String: String]]
}

enum CurlFailure: Error, Sendable, Equatable {
    case cancelled, timedOut, tooLarge
    case tls(String)
    case unreachable(String)
    /// Something that the request sets is not to be used: a certificate, a key, an address.
    case invalid(String)
}

/// Transfers one after the other, on one connection where the server keeps it.
///
/// libcurl blocks: transfers run on a queue of their own. The handle is used on that queue only.
final class CurlSession: @unchecked Sendable {
    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private let handle: UnsafeMutableRawPointer?
    private let queue = DispatchQueue(label: "io.cloudtaser.curl")

    init() {
        handle = Self.isReady ? curl_easy_init() : nil
    }

    deinit { curl_easy_cleanup(handle) }

    func perform(_ request: CurlRequest) async throws(CurlFailure) -> CurlAnswer {
        let cancellation = Cancellation()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                queue.async {
                    continuation.resume(returning: self.result(of: request, cancellation))
                }
            }
        } onCancel: {
            cancellation.set()
        }
        return try result.get()
    }

    private func result(
        of request: CurlRequest, _ cancellation: Cancellation
    ) -> Result<CurlAnswer, CurlFailure> {
        guard let handle else { return .failure(.unreachable("libcurl cannot be used")) }
        do throws(CurlFailure) {
            return .success(try CurlTransfer(handle).run(request, cancellation))
        } catch { return .failure(error) }
    }
}

/// Set by whoever waits, read by the transfer.
final class Cancellation: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}
