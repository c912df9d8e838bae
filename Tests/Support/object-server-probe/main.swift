// SPDX-License-Identifier: Apache-2.0
import Glibc
import ObjectServer
import ObjectServerPorts
import ServedHTTP

// The object server in a process of its own, so that its memory can be measured. It prints its
// port, then its resident memory and the bytes it says it buffers for each line that it reads.
//
// PUT takes a body and answers with its length; GET /N answers with N bytes; POST sends back what
// it gets.

struct Probe: RequestHandler {
    static let pieceBytes = 128 << 10

    func handle(
        _ request: ServedRequest, body: any RequestBody, response: any ResponseWriter
    ) async {
        switch request.head.method {
        case "PUT": try? await take(body, response)
        case "POST": try? await echo(body, response)
        default: try? await give(request, response)
        }
    }

    private func take(
        _ body: any RequestBody, _ response: any ResponseWriter
    ) async throws(StreamFailure) {
        var count = 0
        while let bytes = try await body.next(upTo: Self.pieceBytes) { count += bytes.count }
        let text = Array("\(count)\n".utf8)
        try await response.head(head(text.count))
        try await response.write(text)
        try await response.end(trailers: [])
    }

    private func echo(
        _ body: any RequestBody, _ response: any ResponseWriter
    ) async throws(StreamFailure) {
        try await response.head(ResponseHead(status: 200))
        while let bytes = try await body.next(upTo: Self.pieceBytes) {
            try await response.write(bytes)
        }
        try await response.end(trailers: [])
    }

    private func give(
        _ request: ServedRequest, _ response: any ResponseWriter
    ) async throws(StreamFailure) {
        var left = Int(String(decoding: request.head.target.dropFirst(), as: UTF8.self)) ?? 0
        try await response.head(head(left))
        let piece = [UInt8](repeating: 120, count: Self.pieceBytes)
        while left > 0 {
            try await response.write(left < piece.count ? Array(piece[..<left]) : piece)
            left -= min(left, piece.count)
        }
        try await response.end(trailers: [])
    }

    private func head(_ count: Int) -> ResponseHead {
        ResponseHead(status: 200, fields: [HeaderField("Content-Length", String(count))])
    }
}

/// Of this process (proc(5), `statm`).
func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [UInt8](repeating: 0, count: 256)
    let count = fread(&line, 1, line.count, file)
    let words = line[..<count].split(separator: UInt8(ascii: " "))
    let pages = words.dropFirst().first.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
    return pages * sysconf(Int32(_SC_PAGESIZE))
}

func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = write(STDOUT_FILENO, bytes, bytes.count)
}

let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 0
let identity: TLSIdentity? =
    if CommandLine.arguments.count == 4 {
        try TLSIdentity(
            certificates: contents(of: CommandLine.arguments[2]),
            key: contents(of: CommandLine.arguments[3]))
    } else { nil }

func contents(of path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
}

let server = try await ObjectServer(
    address: "127.0.0.1", port: port, identity: identity, limits: ObjectServerLimits(),
    handler: Probe())
say("\(server.port)")
while readLine() != nil {
    say("\(residentBytes()) \(server.bufferedBytes) \(server.connectionCount)")
}
