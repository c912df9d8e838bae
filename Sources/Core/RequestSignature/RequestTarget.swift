// SPDX-License-Identifier: Apache-2.0

/// One parameter of a query, decoded.
package struct QueryItem: Sendable, Equatable {
    package let name: [UInt8]
    /// Empty as well when there was no `=`, which S3 does not tell apart.
    package let value: [UInt8]

    package init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }

    package init(_ name: String, _ value: String = "") {
        self.init(name: Array(name.utf8), value: Array(value.utf8))
    }
}

/// Path and query of a request (RFC 9112, section 3.2.1), decoded once and not normalised: `//`,
/// `.` and `..` are parts of keys. Whoever acts on a request acts on this reading of it, since
/// this is the one that was signed.
package struct RequestTarget: Sendable, Equatable {
    /// Starts with `/`. Any bytes.
    package let path: [UInt8]
    /// In the order they were sent.
    package let query: [QueryItem]

    /// - Parameter path: decoded, starting with `/`.
    package init(path: [UInt8], query: [QueryItem] = []) {
        precondition(path.first == UInt8(ascii: "/"), "a path starts with /")
        self.path = path
        self.query = query
    }

    /// Reads the origin form. A `+` in the query is a space, in the path it is itself.
    package init(parsing text: String) throws(SignatureRefusal) {
        let bytes = Array(text.utf8)
        guard bytes.count <= RequestLimits.targetBytesMax else {
            throw .tooLarge(.target, limit: RequestLimits.targetBytesMax)
        }
        // A fragment, a space or a control character is no part of any target.
        guard bytes.first == UInt8(ascii: "/"),
            bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") })
        else { throw .targetMalformed }
        let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
        guard let path = PercentEncoding.decoded(bytes[..<end], plusIsSpace: false) else {
            throw .targetMalformed
        }
        let items = bytes[end...].dropFirst().split(separator: UInt8(ascii: "&"))
        guard items.count <= RequestLimits.queryItemCountMax else {
            throw .tooLarge(.queryItems, limit: RequestLimits.queryItemCountMax)
        }
        var query: [QueryItem] = []
        for item in items {
            let nameEnd = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
            guard let name = PercentEncoding.decoded(item[..<nameEnd], plusIsSpace: true),
                let value = PercentEncoding.decoded(
                    item[nameEnd...].dropFirst(), plusIsSpace: true)
            else { throw .targetMalformed }
            query.append(QueryItem(name: name, value: value))
        }
        self.init(path: path, query: query)
    }

    /// The values of a parameter.
    package func values(of name: String) -> [[UInt8]] {
        query.filter { $0.name.elementsEqual(name.utf8) }.map(\.value)
    }

    /// For a request line: what the canonical request has, with the query in its own order.
    package var encoded: String {
        var text = canonicalPath
        if !query.isEmpty {
            text.append(UInt8(ascii: "?"))
            text += Self.joined(query.map(Self.encoded))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Encoded once, slashes kept.
    var canonicalPath: [UInt8] {
        var text: [UInt8] = []
        PercentEncoding.append(path, keepingSlashes: true, to: &text)
        return text
    }

    /// Encoded, then sorted by name and value.
    ///
    /// - Parameter excluded: a parameter that is not signed.
    func canonicalQuery(without excluded: String?) -> [UInt8] {
        let signed = query.filter { item in
            excluded.map { !item.name.elementsEqual($0.utf8) } ?? true
        }
        return Self.joined(
            signed.map(Self.encoded).sorted { left, right in
                left.name == right.name
                    ? left.value.lexicographicallyPrecedes(right.value)
                    : left.name.lexicographicallyPrecedes(right.name)
            })
    }

    private static func encoded(_ item: QueryItem) -> QueryItem {
        var name: [UInt8] = []
        var value: [UInt8] = []
        PercentEncoding.append(item.name, keepingSlashes: false, to: &name)
        PercentEncoding.append(item.value, keepingSlashes: false, to: &value)
        return QueryItem(name: name, value: value)
    }

    private static func joined(_ items: [QueryItem]) -> [UInt8] {
        Array(
            items.map { $0.name + [UInt8(ascii: "=")] + $0.value }
                .joined(separator: [UInt8(ascii: "&")]))
    }
}
