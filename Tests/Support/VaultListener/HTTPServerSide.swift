// SPDX-License-Identifier: Apache-2.0
internal import Simulation

/// Takes requests off a stream: head to the empty line, then Content-Length bytes.
struct HTTPRequestReader {
    private var pending: [UInt8] = []

    /// nil at the end of the stream or when the peer speaks no HTTP.
    mutating func next(from stream: TLSServerStream) -> SimulatedVault.Request? {
        while true {
            if let end = headEnd() { return finish(headEnd: end, from: stream) }
            guard pending.count < 64 << 10, let more = stream.read() else { return nil }
            pending.append(contentsOf: more)
        }
    }

    /// Offset just after the empty line.
    private func headEnd() -> Int? {
        guard pending.count >= 4 else { return nil }
        let mark: [UInt8] = [13, 10, 13, 10]
        for start in 0...(pending.count - 4)
        where pending[start] == 13 && Array(pending[start..<start + 4]) == mark {
            return start + 4
        }
        return nil
    }

    private mutating func finish(
        headEnd: Int, from stream: TLSServerStream
    ) -> SimulatedVault.Request? {
        let head = String(decoding: pending[..<headEnd], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        guard let first = lines.first else { return nil }
        let words = first.split(separator: " ")
        guard words.count == 3 else { return nil }
        var request = SimulatedVault.Request(
            method: String(words[0]), path: Self.decoded(words[1].prefix { $0 != "?" }))
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            var value = line[line.index(after: colon)...]
            while value.first == " " { value.removeFirst() }
            request.headers.append((name: String(line[..<colon]), value: String(value)))
        }
        let length = request.header("Content-Length").flatMap { Int($0) } ?? 0
        while pending.count < headEnd + length {
            guard let more = stream.read() else { return nil }
            pending.append(contentsOf: more)
        }
        request.body = Array(pending[headEnd..<headEnd + length])
        pending.removeFirst(headEnd + length)
        return request
    }

    /// Undoes percent-encoding.
    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(Substring(digits)), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Writes responses.
enum HTTPResponseWriter {
    static func whole(_ response: SimulatedVault.Response, closing: Bool) -> [UInt8] {
        var fields = ["Content-Length: \(response.body.count)"]
        if closing { fields.append("Connection: close") }
        return Array(head(response, fields).utf8) + response.body
    }

    static func chunked(_ response: SimulatedVault.Response, chunkBytes: Int) -> [UInt8] {
        var bytes = Array(head(response, ["Transfer-Encoding: chunked"]).utf8)
        var rest = response.body[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(chunkBytes)
            bytes += Array((String(chunk.count, radix: 16) + "\r\n").utf8) + chunk
            bytes += Array("\r\n".utf8)
            rest = rest.dropFirst(chunkBytes)
        }
        return bytes + Array("0\r\n\r\n".utf8)
    }

    private static func head(_ response: SimulatedVault.Response, _ fields: [String]) -> String {
        let lines =
            ["HTTP/1.1 \(response.status) Simulated"]
            + response.headers.map { "\($0.name): \($0.value)" } + fields
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }
}
