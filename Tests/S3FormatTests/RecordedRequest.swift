// SPDX-License-Identifier: Apache-2.0
import Foundation
import S3Format
import TestKit

/// A request of boto3, as `Tests/s3format/requests.py` recorded it.
struct RecordedRequest: Decodable, Sendable {
    let operation: String
    let `case`: String
    /// The key that boto3 was given.
    let key: String?
    let method: String
    let path: String
    let query: String
    let headers: [[String]]
    let body: String?

    static let domain = "s3.example.test"

    static let all: [RecordedRequest] = {
        let path = Checkout.root + "Fixtures/s3-requests/requests.jsonl"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        // The first line says which boto3 it was.
        return text.split(separator: "\n").dropFirst().compactMap {
            try? JSONDecoder().decode(RecordedRequest.self, from: Data($0.utf8))
        }
    }()

    static func named(_ operation: String, _ name: String) -> RecordedRequest? {
        all.first { $0.operation == operation && $0.case == name }
    }

    /// - Parameter path: another than was recorded.
    func parsed(
        rules: S3Rules = S3Rules(domains: [domain]), path: String? = nil,
        adding fields: [S3Headers.Field] = []
    ) throws(S3Error) -> S3Request {
        let own = headers.map { S3Headers.Field($0[0], $0[1]) }
        return try S3Request(
            method: method, path: path ?? self.path, rawQuery: query,
            headers: S3Headers(own + fields), rules: rules)
    }
}

/// The code of a refusal, or nil where none came.
func code(_ call: () throws(S3Error) -> some Any) -> S3ErrorCode? {
    do throws(S3Error) {
        _ = try call()
        return nil
    } catch { return error.code }
}

/// A request without much.
func request(
    _ method: String, _ path: String, _ query: String = "",
    _ headers: KeyValuePairs<String, String> = [:], rules: S3Rules = S3Rules()
) throws(S3Error) -> S3Request {
    try S3Request(
        method: method, path: path, rawQuery: query,
        headers: S3Headers(headers.map { S3Headers.Field($0.key, $0.value) }), rules: rules)
}

extension S3Key: ExpressibleByStringInterpolation {
    /// For tests, whose keys have no NUL.
    public init(stringLiteral text: String) { self = S3Key(text) ?? .empty }
}

extension S3Key {
    /// Keys that somebody between a client and a server gets wrong.
    static let awkward: [S3Key] = [
        "plain", "a/b/c", "a b", " a ", "a+b", "a%20b", "a%2Fb", "%", "%zz", "ümläut", "u\u{308}",
        "日本/語", "😀", "//double//", "/leading", "trailing/", "..", "../up", ".", "a/../b",
        "?query=1", "#fragment", "a&b=c", "&amp;", "a;b", "a'b", "a\"b", "a<b>c", "]]>", "a\\b",
        "a\tb", "a\nb", "a\rb", "a\r\nb", "\u{1}\u{1F}\u{7F}\u{80}\u{FFFE}\u{FFFF}", "\u{FEFF}",
        "\u{212A}", "K", "\u{10FFFF}", String(repeating: "é", count: 512),
        String(repeating: "&", count: 1024),
    ].compactMap { S3Key($0) }
}
