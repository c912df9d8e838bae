// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat
internal import Ports

/// A secret's path as configured: mount and name, no empty or dotted parts.
struct SecretPath: Equatable {
    /// Without slashes at the ends.
    let text: String

    init(_ path: String) throws(SecretStoreFailure) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard parts.count >= 2, !parts.contains("."), !parts.contains("..") else {
            throw .mountUnknown(path: path)
        }
        text = parts.joined(separator: "/")
    }
}

/// What `sys/internal/ui/mounts/<path>` says: the mount and what kind of engine it is.
struct SecretMount: Equatable {
    enum Kind: Equatable {
        case keyValue1, keyValue2
        /// Its answers are taken as they come: `database`, `pki`, …
        case other
    }

    /// With a slash at the end.
    let path: String
    let kind: Kind
    /// Its answers say when a certificate ends.
    let isPKI: Bool

    init(answer body: RawSpan, for wanted: SecretPath) throws(SecretStoreFailure) {
        let answer = try parsing(wanted.text) { () throws(JSONFormatFailure) in
            let root = try JSONFormat.check(body)
            func text(_ path: [String]) throws(JSONFormatFailure) -> String? {
                guard let value = try JSONFormat.value(at: path, from: root, in: body) else {
                    return nil
                }
                return try JSONText.publicText(value, in: body)
            }
            return (
                type: try text(["data", "type"]), path: try text(["data", "path"]),
                version: try text(["data", "options", "version"])
            )
        }
        guard let type = answer.type, let mount = answer.path, mount.hasSuffix("/"),
            wanted.text.hasPrefix(mount)
        else { throw .mountUnknown(path: wanted.text) }
        path = mount
        isPKI = type == "pki"
        if type == "kv" || type == "generic" {
            kind = answer.version == "2" ? .keyValue2 : .keyValue1
        } else {
            kind = .other
        }
    }

    /// The path to ask for. In KV v2 a rest that starts with `data/` already is the API's path,
    /// so a KV v2 secret whose own name starts with `data/` must be written `mount/data/data/…`.
    func apiPath(of wanted: SecretPath) -> String {
        let rest = String(wanted.text.dropFirst(path.count))
        let isAPIPath = kind != .keyValue2 || rest.hasPrefix("data/")
        return "/v1/\(path)\(isAPIPath ? "" : "data/")\(rest)"
    }
}

/// Reads a secret text out of an answer: a token, an unwrapped secret id.
enum SecretTextAnswer {
    /// Where the text at `names` stands, unescaped in place.
    static func text(
        at names: [String], in body: UnsafeMutableRawBufferPointer, path: String, limit: Int,
        mayBeEmpty: Bool = false
    ) throws(SecretStoreFailure) -> Range<Int> {
        let range = try parsing(path) { () throws(JSONFormatFailure) -> Range<Int>? in
            let span = UnsafeRawBufferPointer(body).bytes
            let root = try JSONFormat.check(span)
            guard let value = try JSONFormat.value(at: names, from: root, in: span),
                value.kind == .string
            else { return nil }
            return try JSONText.decodeInPlace(value, in: body)
        }
        guard let range, mayBeEmpty || !range.isEmpty, range.count <= limit else {
            let name = names.joined(separator: ".")
            throw .responseMalformed(path: path, detail: "no \(name) of a usable size")
        }
        return range
    }
}

/// A wanted field that has a text.
private struct FoundField {
    let value: JSONValue
    /// Of a list of PEM blocks, such as the chain that the PKI engine answers: its elements. Their
    /// text is what a bundle file holds, one block below the other (RFC 7468). No other list has a
    /// text that everybody would write the same way.
    private(set) var blocks: [JSONValue] = []
    /// Of the text.
    private(set) var byteCount = 0
    private(set) var containsNUL = false

    /// Nil for what has no text.
    init?(_ value: JSONValue, in body: RawSpan) throws(JSONFormatFailure) {
        self.value = value
        if value.kind == .array {
            blocks = try JSONFormat.elements(of: value, in: body)
            for block in blocks {
                guard try JSONText.begins(with: "-----BEGIN ", block, in: body) else { return nil }
            }
            guard !blocks.isEmpty else { return nil }
            byteCount = blocks.count - 1
        }
        for part in blocks.isEmpty ? [value] : blocks {
            guard let measure = try JSONText.measure(part, in: body) else { return nil }
            byteCount += measure.byteCount
            containsNUL = containsNUL || measure.containsNUL
        }
    }
}

/// Takes the wanted fields out of the answer to a read.
struct SecretReader {
    /// Largest value handed over (bytes).
    let valueBytesMax: Int
    let path: String
    let isVersioned: Bool

    /// Checks every field, then hands each over.
    func deliver(
        _ fields: [String], from body: UnsafeMutableRawBufferPointer,
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        let values = try locate(fields, in: UnsafeRawBufferPointer(body).bytes)
        // A field asked for twice is decoded once: decoding changes the document.
        var decoded: [JSONValue: Range<Int>] = [:]
        for found in values where decoded[found.value] == nil {
            decoded[found.value] = try parsing(path) { () throws(JSONFormatFailure) in
                guard found.blocks.isEmpty else {
                    return try JSONText.joinInPlace(
                        found.blocks, of: found.value, separator: UInt8(ascii: "\n"), in: body)
                }
                return try JSONText.decodeInPlace(found.value, in: body)
            }
        }
        for (index, found) in values.enumerated() {
            guard let range = decoded[found.value] else { continue }
            try receive(index, UnsafeRawBufferPointer(rebasing: body[range]).bytes)
        }
    }

    /// The number of the version that was read; nil where there are none.
    func version(in body: RawSpan) throws(SecretStoreFailure) -> Int? {
        guard isVersioned else { return nil }
        return try number(["data", "metadata", "version"], in: body).map { Int($0) }
    }

    /// How long the certificate that was issued is valid, by its `data.expiration` (POSIX
    /// seconds); nil: the answer does not say.
    func certificateLifetime(
        in body: RawSpan, now: Int64
    ) throws(SecretStoreFailure) -> Duration? {
        try number(["data", "expiration"], in: body).map { end in
            let left = end.subtractingReportingOverflow(now)
            return .seconds(left.overflow ? 0 : max(0, left.partialValue))
        }
    }

    private func number(_ names: [String], in body: RawSpan) throws(SecretStoreFailure) -> Int64? {
        try parsing(path) { () throws(JSONFormatFailure) in
            try GrantAnswer.number(names, from: JSONFormat.check(body), in: body)
        }
    }

    /// What a 404 means: in KV v2 a deleted or destroyed version still has its metadata.
    func missing(_ body: RawSpan) -> SecretStoreFailure {
        let state = try? parsing(path) { () throws(JSONFormatFailure) in
            try versionState(from: JSONFormat.check(body), in: body)
        }
        return state.flatMap { $0 } ?? .notFound(path: path)
    }

    /// The object that holds the fields.
    func secret(in body: RawSpan) throws(SecretStoreFailure) -> JSONValue {
        let names = isVersioned ? ["data", "data"] : ["data"]
        let root = try parsing(path) { () throws(JSONFormatFailure) in
            try JSONFormat.check(body)
        }
        let secret = try parsing(path) { () throws(JSONFormatFailure) in
            try JSONFormat.value(at: names, from: root, in: body)
        }
        guard let secret, secret.kind == .object else {
            let state = try parsing(path) { () throws(JSONFormatFailure) in
                try versionState(from: root, in: body)
            }
            throw state
                ?? .responseMalformed(path: path, detail: "no object at data of the answer")
        }
        return secret
    }

    private func locate(
        _ fields: [String], in body: RawSpan
    ) throws(SecretStoreFailure) -> [FoundField] {
        let secret = try secret(in: body)
        var values: [FoundField] = []
        for field in fields { values.append(try locate(field, of: secret, in: body)) }
        return values
    }

    private func locate(
        _ field: String, of secret: JSONValue, in body: RawSpan
    ) throws(SecretStoreFailure) -> FoundField {
        let value = try parsing(path) { () throws(JSONFormatFailure) in
            try JSONFormat.member(field, of: secret, in: body)
        }
        guard let value else { throw .fieldMissing(path: path, field: field) }
        let found = try parsing(path) { () throws(JSONFormatFailure) in
            try FoundField(value, in: body)
        }
        guard let found else { throw .fieldNotText(path: path, field: field) }
        guard !found.containsNUL else { throw .valueContainsNUL(path: path, field: field) }
        guard found.byteCount <= valueBytesMax else {
            throw .valueTooLarge(path: path, field: field, limitBytes: valueBytesMax)
        }
        return found
    }

    private func versionState(
        from root: JSONValue, in body: RawSpan
    ) throws(JSONFormatFailure) -> SecretStoreFailure? {
        guard isVersioned,
            let metadata = try JSONFormat.value(
                at: ["data", "metadata"], from: root, in: body)
        else { return nil }
        if let destroyed = try JSONFormat.member("destroyed", of: metadata, in: body),
            destroyed.kind == .bool, destroyed.range.count == "true".utf8.count
        {
            return .versionDestroyed(path: path)
        }
        if let deleted = try JSONFormat.member("deletion_time", of: metadata, in: body),
            deleted.kind == .string, deleted.range.count > 2
        {
            return .versionDeleted(path: path)
        }
        return nil
    }
}

/// Runs a step of reading JSON; its failure is the answer's.
func parsing<Result>(
    _ path: String, _ body: () throws(JSONFormatFailure) -> Result
) throws(SecretStoreFailure) -> Result {
    do throws(JSONFormatFailure) {
        return try body()
    } catch {
        let detail =
            switch error {
            case .syntax(let offset): "not JSON, at byte \(offset)"
            case .encoding(let offset): "not UTF-8, at byte \(offset)"
            case .tooDeep(let limit): "JSON nested deeper than \(limit)"
            case .loneSurrogate(let offset): "half a surrogate pair, at byte \(offset)"
            case .duplicateName(let offset): "a name stands twice, at byte \(offset)"
            }
        throw .responseMalformed(path: path, detail: detail)
    }
}

extension RawSpan {
    /// Whether `text` occurs anywhere.
    func contains(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard byteCount >= wanted.count else { return false }
        return (0...(byteCount - wanted.count)).contains { start in
            (0..<wanted.count).allSatisfy { index in
                unsafeLoad(fromByteOffset: start + index, as: UInt8.self) == wanted[index]
            }
        }
    }
}
