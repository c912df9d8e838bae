// SPDX-License-Identifier: Apache-2.0
import ObjectServer
import ObjectServerPorts
import ServedHTTP
import Synchronization
import TestKit
import Testing

typealias Work =
    @Sendable (ServedRequest, any RequestBody, any ResponseWriter) async throws -> Void

/// Answers as a test says; what it throws ends the answer early.
struct Scripted: RequestHandler {
    let work: Work

    func handle(
        _ request: ServedRequest, body: any RequestBody, response: any ResponseWriter
    ) async {
        try? await work(request, body, response)
    }
}

/// A server without TLS.
func server(
    change: (inout ObjectServerLimits) -> Void = { _ in }, identity: TLSIdentity? = nil,
    _ work: @escaping Work
) async throws -> ObjectServer {
    var limits = ObjectServerLimits()
    // A busy machine breaks no bound of time that a test does not set.
    limits.headTime = .seconds(3600)
    limits.idleTime = .seconds(3600)
    limits.bodyRateWindow = .seconds(3600)
    limits.answerTime = .seconds(3600)
    limits.drainTime = .seconds(3600)
    limits.lingerTime = .seconds(10)
    change(&limits)
    return try await ObjectServer(
        address: "127.0.0.1", port: 0, identity: identity, limits: limits,
        handler: Scripted(work: work))
}

extension ResponseWriter {
    /// A whole answer.
    func answer(_ status: Int, _ text: String) async throws {
        let bytes = Array(text.utf8)
        try await head(
            ResponseHead(
                status: status, fields: [HeaderField("Content-Length", String(bytes.count))]))
        try await write(bytes)
        try await end(trailers: [])
    }
}

extension RequestBody {
    func count(upTo most: Int = 64 << 10) async throws -> Int {
        var count = 0
        while let bytes = try await next(upTo: most) { count += bytes.count }
        return count
    }

    func text() async throws -> String {
        var all: [UInt8] = []
        while let bytes = try await next(upTo: 1000) { all += bytes }
        return String(decoding: all, as: UTF8.self)
    }
}

/// Reads everything and says how much it was.
let counting: Work = { request, body, response in
    let target = String(decoding: request.head.target, as: UTF8.self)
    try await response.answer(200, "\(target) \(try await body.count())\n")
}

func get(_ target: String, more: String = "") -> String {
    "GET \(target) HTTP/1.1\r\nHost: a\r\n\(more)\r\n"
}

func put(_ body: String, target: String = "/put", more: String = "") -> String {
    "PUT \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\(more)\r\n\(body)"
}

func putHead(_ count: Int, more: String = "") -> String {
    "PUT /put HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\(more)\r\n"
}

func chunked(_ chunks: [String], end: String = "0\r\n\r\n") -> String {
    "PUT /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunks.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }.joined() + end
}

/// Comes back when it holds; a test that waits in vain is ended by its time limit.
func until(_ holds: () -> Bool) async throws {
    while !holds() { try await Task.sleep(for: .milliseconds(5)) }
}

/// Lines that handlers write and tests read.
final class Journal: Sendable {
    private let entries = Mutex<[String]>([])

    var lines: [String] { entries.withLock { $0 } }
    func note(_ line: String) { entries.withLock { $0.append(line) } }
}

/// Where handlers wait.
final class Gate: Sendable {
    private let state = Mutex((isOpen: false, waiting: 0))

    var waiting: Int { state.withLock { $0.waiting } }
    func open() { state.withLock { $0.isOpen = true } }

    func pass() async {
        state.withLock { $0.waiting += 1 }
        while !state.withLock({ $0.isOpen }) { try? await Task.sleep(for: .milliseconds(5)) }
    }
}
