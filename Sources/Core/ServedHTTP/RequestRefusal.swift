// SPDX-License-Identifier: Apache-2.0

/// Why a request is not taken. Nothing of what was sent is repeated.
package enum RequestRefusal: Error, Sendable, Hashable {
    /// No request line of RFC 9112, section 3.
    case requestLineMalformed
    /// HTTP, but not 1.1.
    case versionUnsupported
    case targetTooLong(limit: Int)
    /// Neither `/path` nor `http://host/path`.
    case targetMalformed
    case headTooLarge(limit: Int)
    case tooManyFields(limit: Int)
    /// No name, a space before the colon, a folded line, a byte that may not be there.
    case fieldMalformed
    /// A bare CR or LF.
    case lineEndMalformed
    /// None, several, or something that is no host.
    case hostMalformed
    /// The target names another host than `Host`.
    case hostsDisagree
    /// Both `Content-Length` and `Transfer-Encoding`: two servers could read two requests.
    case lengthAndCoding
    /// Several, or no decimal number.
    case lengthMalformed
    /// Anything but one `Transfer-Encoding: chunked`.
    case codingUnsupported
    /// Anything but one `Expect: 100-continue`.
    case expectationUnknown
    /// The framing of a chunked body (RFC 9112, section 7.1).
    case chunkMalformed
    case chunkLineTooLong(limit: Int)
    case trailersTooLarge(limit: Int)
    /// The head did not come in time.
    case tooLate

    /// Of the answer (RFC 9110, section 15).
    package var status: Int {
        switch self {
        case .versionUnsupported: 505
        case .targetTooLong: 414
        case .headTooLarge, .tooManyFields: 431
        case .codingUnsupported: 501
        case .expectationUnknown: 417
        case .tooLate: 408
        default: 400
        }
    }

    /// A line for people.
    package var reason: String {
        switch self {
        case .requestLineMalformed: "this is no HTTP/1.1 request line"
        case .versionUnsupported: "send HTTP/1.1"
        case .targetTooLong(let limit): "the request target is longer than \(limit) bytes"
        case .targetMalformed: "the request target is neither /path nor http://host/path"
        case .headTooLarge(let limit): "the head is larger than \(limit) bytes"
        case .tooManyFields(let limit): "the head has more than \(limit) fields"
        case .fieldMalformed: "a header field is malformed; send name, colon, value on one line"
        case .lineEndMalformed: "a line does not end with CR LF"
        case .hostMalformed: "send one Host field with a host and, if need be, a port"
        case .hostsDisagree: "the request target and Host name different hosts; send the same"
        case .lengthAndCoding: "send Content-Length or Transfer-Encoding, not both"
        case .lengthMalformed: "send one Content-Length with a decimal number"
        case .codingUnsupported: "the one transfer coding here is chunked"
        case .expectationUnknown: "the one expectation here is 100-continue"
        case .chunkMalformed: "the body's chunks are malformed"
        case .chunkLineTooLong(let limit): "the line of a chunk is longer than \(limit) bytes"
        case .trailersTooLarge(let limit): "the trailers are larger than \(limit) bytes"
        case .tooLate: "the request's head did not come in time"
        }
    }
}
