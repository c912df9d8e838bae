// SPDX-License-Identifier: Apache-2.0

/// What several documents have.
extension XMLElement {
    func encoding() throws(S3DocumentFailure) -> S3KeyEncoding {
        guard let text = text("EncodingType") else { return .none }
        guard let encoding = S3KeyEncoding(rawValue: text) else {
            throw .malformed("\(name) has an EncodingType that is not known")
        }
        return encoding
    }

    func optionalKey(
        _ name: String, _ encoding: S3KeyEncoding
    ) throws(S3DocumentFailure) -> S3Key? {
        guard let text = text(name) else { return nil }
        guard let key = encoding.decoded(text) else {
            throw .malformed("\(name) is not encoded as the list says")
        }
        return key
    }

    func key(_ name: String, _ encoding: S3KeyEncoding) throws(S3DocumentFailure) -> S3Key {
        guard let key = try optionalKey(name, encoding), !key.isEmpty else {
            throw .malformed("\(self.name) has no \(name)")
        }
        return key
    }

    func time(_ name: String) throws(S3DocumentFailure) -> S3Timestamp {
        guard let time = S3Timestamp(try required(name)) else {
            throw .malformed("\(name) is no time")
        }
        return time
    }

    func size() throws(S3DocumentFailure) -> Int64 {
        guard let size = try number("Size", Int64.self) else {
            throw .malformed("\(name) has no Size")
        }
        return size
    }

    /// - Returns: of each child of this name.
    func entries<Entry>(
        _ name: String,
        _ make: (XMLElement) throws(S3DocumentFailure) -> Entry
    ) throws(S3DocumentFailure) -> [Entry] {
        var entries: [Entry] = []
        for child in children where child.name == name { entries.append(try make(child)) }
        return entries
    }

    func commonPrefixes(_ encoding: S3KeyEncoding) throws(S3DocumentFailure) -> [S3Key] {
        try entries("CommonPrefixes") { element throws(S3DocumentFailure) in
            try element.key("Prefix", encoding)
        }
    }
}

extension XMLWriter {
    mutating func encoding(_ encoding: S3KeyEncoding) {
        if encoding != .none { leaf("EncodingType", encoding.rawValue) }
    }

    mutating func commonPrefixes(_ prefixes: [S3Key], _ encoding: S3KeyEncoding) {
        for prefix in prefixes {
            element("CommonPrefixes") { $0.leaf("Prefix", encoding.encoded(prefix)) }
        }
    }
}
