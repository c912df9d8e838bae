// SPDX-License-Identifier: Apache-2.0

/// Bounds of a request's head.
package struct HeadLimits: Sendable, Hashable {
    /// Everything up to the empty line, line ends included.
    package var headBytesMax = 32 << 10
    package var fieldCountMax = 100
    /// A key of 1,024 bytes is 3,072 when it is percent-encoded; a signature in the query with a
    /// session token takes a few thousand more.
    package var targetBytesMax = 16 << 10

    package init() {}
}

/// Reads the head of a request strictly (RFC 9112, sections 2 to 5): what two servers could read
/// in two ways is refused, and so is what the RFC lets a server repair.
package struct RequestHeadReader: Sendable {
    /// Bytes of the longest method that is taken.
    package static let methodBytesMax = 32

    private let limits: HeadLimits
    /// Where the line that is being read begins, and how far it has been looked at.
    private var lineStart = 0
    private var offset = 0
    private var hasSkippedEmptyLine = false
    private var line: (method: String, target: [UInt8])?
    private var fields: [HeaderField] = []

    package init(limits: HeadLimits) { self.limits = limits }

    /// Whether something of a request has come.
    package var hasBegun: Bool { offset > 0 }

    /// - Parameter bytes: all that came since the last request, more at each call.
    /// - Returns: the head and how many bytes it has; nil: the rest is to come.
    package mutating func read(
        _ bytes: RawSpan
    ) throws(RequestRefusal) -> (head: RequestHead, byteCount: Int)? {
        while let end = try nextLineEnd(bytes) {
            let range = lineStart..<end
            lineStart = end + 2
            offset = lineStart
            if line == nil {
                // RFC 9112, section 2.2: one empty line before the request is let pass.
                if range.isEmpty, !hasSkippedEmptyLine {
                    hasSkippedEmptyLine = true
                    continue
                }
                line = try Self.requestLine(bytes, range)
                guard line?.target.count ?? 0 <= limits.targetBytesMax else {
                    throw .targetTooLong(limit: limits.targetBytesMax)
                }
            } else if range.isEmpty {
                return (try finished(), lineStart)
            } else {
                guard fields.count < limits.fieldCountMax else {
                    throw .tooManyFields(limit: limits.fieldCountMax)
                }
                fields.append(try Self.field(bytes, range))
            }
        }
        return nil
    }

    /// The offset of the next CR LF.
    private mutating func nextLineEnd(_ bytes: RawSpan) throws(RequestRefusal) -> Int? {
        while offset < bytes.byteCount {
            guard offset < limits.headBytesMax else {
                throw line == nil && offset > limits.targetBytesMax
                    ? .targetTooLong(limit: limits.targetBytesMax)
                    : .headTooLarge(limit: limits.headBytesMax)
            }
            let byte = bytes[byte: offset]
            if byte == carriageReturn {
                guard offset + 1 < bytes.byteCount else { return nil }
                guard bytes[byte: offset + 1] == lineFeed else { throw .lineEndMalformed }
                guard offset + 2 <= limits.headBytesMax else {
                    throw .headTooLarge(limit: limits.headBytesMax)
                }
                return offset
            }
            guard byte != lineFeed else { throw .lineEndMalformed }
            guard isFieldByte(byte) else {
                throw line == nil ? .requestLineMalformed : .fieldMalformed
            }
            offset += 1
            if line == nil { try checkUnfinishedRequestLine() }
        }
        return nil
    }

    private func checkUnfinishedRequestLine() throws(RequestRefusal) {
        // Method, target, version and the spaces between them.
        let most = Self.methodBytesMax + 1 + limits.targetBytesMax + 1 + Self.version.count
        guard offset - lineStart <= most else {
            throw .targetTooLong(limit: limits.targetBytesMax)
        }
    }

    // MARK: - Lines

    private static let version = Array("HTTP/1.1".utf8)

    private static func requestLine(
        _ bytes: RawSpan, _ line: Range<Int>
    ) throws(RequestRefusal) -> (method: String, target: [UInt8]) {
        var parts: [Range<Int>] = []
        var start = line.lowerBound
        for offset in line where bytes[byte: offset] == space {
            parts.append(start..<offset)
            start = offset + 1
        }
        parts.append(start..<line.upperBound)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else {
            throw .requestLineMalformed
        }
        let method = copy(bytes, parts[0])
        guard method.count <= methodBytesMax, method.allSatisfy(isTokenByte) else {
            throw .requestLineMalformed
        }
        let version = copy(bytes, parts[2])
        guard version == Self.version else {
            throw version.starts(with: Array("HTTP/".utf8)) && version.count == 8
                ? .versionUnsupported : .requestLineMalformed
        }
        return (String(decoding: method, as: UTF8.self), copy(bytes, parts[1]))
    }

    private static func field(
        _ bytes: RawSpan, _ line: Range<Int>
    ) throws(RequestRefusal) -> HeaderField {
        var colon = line.lowerBound
        // A folded line begins with white space, which no name has; nor is any before the colon.
        while colon < line.upperBound, isTokenByte(bytes[byte: colon]) { colon += 1 }
        guard colon > line.lowerBound, colon < line.upperBound,
            bytes[byte: colon] == UInt8(ascii: ":")
        else { throw .fieldMalformed }
        var value = (colon + 1)..<line.upperBound
        while let first = value.first, isWhitespace(bytes[byte: first]) {
            value = value.dropFirst()
        }
        while let last = value.last, isWhitespace(bytes[byte: last]) { value = value.dropLast() }
        // Repaired bytes would no longer be those that were signed.
        guard let text = String(validating: copy(bytes, value), as: UTF8.self) else {
            throw .fieldMalformed
        }
        return HeaderField(
            String(decoding: copy(bytes, line.lowerBound..<colon), as: UTF8.self), text)
    }

    private static func copy(_ bytes: RawSpan, _ range: Range<Int>) -> [UInt8] {
        range.map { bytes[byte: $0] }
    }

    // MARK: - The whole

    private func finished() throws(RequestRefusal) -> RequestHead {
        guard let line else { throw .requestLineMalformed }
        let hosts = fields.values(of: "Host")
        guard hosts.count == 1, let host = hosts.first, RequestTarget.isAuthority(host) else {
            throw .hostMalformed
        }
        let target = try RequestTarget(line.target)
        if let named = target.authority {
            guard named.count == host.utf8.count,
                zip(named, host.utf8).allSatisfy({ lowered($0) == lowered($1) })
            else { throw .hostsDisagree }
        }
        return RequestHead(
            method: line.method, target: line.target, fields: fields, authority: host,
            pathStart: target.pathStart)
    }
}
