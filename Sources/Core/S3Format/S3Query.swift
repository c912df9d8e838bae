// SPDX-License-Identifier: Apache-2.0

/// A request's query, decoded once.
package struct S3Query: Sendable, Equatable {
    package struct Parameter: Sendable, Hashable {
        package let name: String
        /// Empty: `?acl` or `?acl=`.
        package let value: String

        package init(_ name: String, _ value: String = "") {
            self.name = name
            self.value = value
        }
    }

    package let parameters: [Parameter]

    /// - Parameter raw: as it was sent, without `?`. Each name may stand once.
    package init(raw: some StringProtocol) throws(S3Error) {
        try self.init(values: raw)
        guard parameters.allSatisfy({ $0.name.utf8.allSatisfy { $0 < 0x80 } }) else {
            throw S3Error(.invalidURI)
        }
    }

    /// As `init(raw:)`, with names that may be any.
    init(values raw: some StringProtocol) throws(S3Error) {
        guard raw.utf8.count <= S3Limits.queryBytesMax else {
            throw S3Error(.invalidURI, "The query is longer than is allowed.")
        }
        let parts = raw.utf8.split(separator: UInt8(ascii: "&"))
        guard parts.count <= S3Limits.queryParametersMax else {
            throw S3Error(.invalidURI, "The query has more parameters than is allowed.")
        }
        var parameters: [Parameter] = []
        // As bytes: strings are equal when they look alike.
        var names: Set<[UInt8]> = []
        for part in parts {
            let sides = part.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.text(sides[0]),
                let value = sides.count == 2 ? Self.text(sides[1]) : ""
            else { throw S3Error(.invalidURI) }
            // Two readers may disagree about which of two counts.
            guard names.insert(Array(name.utf8)).inserted else {
                throw S3Error(.invalidArgument, "A query parameter stands more than once.")
            }
            parameters.append(Parameter(name, value))
        }
        self.parameters = parameters
    }

    package subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    private static func text(_ bytes: some Collection<UInt8>) -> String? {
        PercentEncoding.decoded(bytes, plusIsSpace: true).flatMap {
            String(validating: $0, as: UTF8.self)
        }
    }

    // MARK: - Values

    /// - Returns: nil: not there, or empty.
    func text(_ name: String) -> String? { self[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// A prefix, delimiter or marker. A part of a key is never longer than a key.
    func key(_ name: String) throws(S3Error) -> S3Key {
        guard let text = self[name] else { return .empty }
        guard let key = S3Key(text), key.count <= S3Limits.keyBytesMax else {
            throw S3Error(
                .invalidArgument, "The parameter \(name) is longer than a key, or holds a NUL.")
        }
        return key
    }

    func identifier(_ name: String) throws(S3Error) -> String? {
        guard let text = text(name) else { return nil }
        guard text.utf8.count <= S3Limits.identifierBytesMax,
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else { throw S3Error(.invalidArgument, "The parameter \(name) is not valid.") }
        return text
    }

    /// A whole number; `missing` when it is not there.
    func number(_ name: String, _ range: ClosedRange<Int>, missing: Int) throws(S3Error) -> Int {
        guard let text = text(name) else { return missing }
        guard let number = Decimal.number(text.utf8, Int.self), range.contains(number) else {
            throw S3Error(
                .invalidArgument,
                "The parameter \(name) must be a whole number from \(range.lowerBound) to "
                    + "\(range.upperBound).",
                details: [.init("ArgumentName", name)])
        }
        return number
    }

    /// Entries of a page; more than a page holds is a whole page.
    func pageSize(_ name: String) throws(S3Error) -> Int {
        let number = try number(name, 0...Int(Int32.max), missing: S3Limits.pageEntriesMax)
        return min(number, S3Limits.pageEntriesMax)
    }

    /// `encoding-type`
    func encoding() throws(S3Error) -> S3KeyEncoding {
        guard let text = text("encoding-type") else { return .none }
        guard let encoding = S3KeyEncoding(rawValue: text) else {
            throw S3Error(
                .invalidArgument, "Invalid Encoding Method specified in Request",
                details: [.init("ArgumentName", "encoding-type")])
        }
        return encoding
    }
}

/// How keys stand in a list.
package enum S3KeyEncoding: String, Sendable, Hashable {
    case none = ""
    case url

    package func encoded(_ key: S3Key) -> String {
        switch self {
        case .none: key.text
        case .url: PercentEncoding.encoded(key.bytes, keepsSlash: true)
        }
    }

    /// nil: not encoded as the list says.
    package func decoded(_ text: String) -> S3Key? {
        switch self {
        case .none: S3Key(text)
        case .url:
            PercentEncoding.decoded(text.utf8, plusIsSpace: true).flatMap { S3Key(bytes: $0) }
        }
    }
}
