// SPDX-License-Identifier: Apache-2.0

/// What a client attaches to an object: `x-amz-meta-*`.
package struct S3Metadata: Sendable, Hashable {
    package struct Entry: Sendable, Hashable {
        /// Lower case, without `x-amz-meta-`.
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name.lowercased()
            self.value = value
        }
    }

    package static let prefix = "x-amz-meta-"
    /// Names that start so are the format's own: what a client says there could pass for the
    /// envelope of an object.
    package static let reservedPrefix = "ct1"

    /// In the order of their names.
    package let entries: [Entry]

    package static let empty = S3Metadata(entries: [])

    /// For what comes from upstream, or is made here: nothing is reserved, nothing is counted.
    package init(entries: [Entry]) {
        self.entries = entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// What a client sends.
    package init(_ headers: S3Headers) throws(S3Error) {
        try Self.refuseReserved(headers)
        let names = Set(headers.names(with: Self.prefix)).sorted()
        var entries: [Entry] = []
        for name in names {
            let entry = Entry(String(name.dropFirst(Self.prefix.count)), headers[name] ?? "")
            guard !entry.name.isEmpty, S3Headers.isValue(entry.value) else {
                throw S3Error(.invalidArgument, "An x-amz-meta header is malformed.")
            }
            entries.append(entry)
        }
        let count = entries.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard count <= S3Limits.metadataBytesMax else {
            throw S3Error(
                .metadataTooLarge,
                details: [
                    .init("Size", String(count)),
                    .init("MaxSizeAllowed", String(S3Limits.metadataBytesMax)),
                ])
        }
        self.init(entries: entries)
    }

    package subscript(name: String) -> String? { entries.first { $0.name == name }?.value }

    /// As they are sent.
    package var headers: [S3Headers.Field] {
        entries.map { S3Headers.Field(Self.prefix + $0.name, $0.value) }
    }

    static func refuseReserved(_ headers: S3Headers) throws(S3Error) {
        guard headers.names(with: prefix + reservedPrefix).isEmpty else {
            throw S3Error(
                .invalidArgument,
                "Metadata whose name starts with \(reservedPrefix) is reserved; use another name.")
        }
    }
}
