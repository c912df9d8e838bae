// SPDX-License-Identifier: Apache-2.0

/// Writes a document in UTF-8.
package struct XMLWriter: Sendable {
    /// https://docs.aws.amazon.com/AmazonS3/latest/API/ListObjectsV2.html
    static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    /// What a long answer sends ahead of the rest.
    package static let declaration = #"<?xml version="1.0" encoding="UTF-8"?>"# + "\n"

    package private(set) var bytes: [UInt8]

    /// - Parameter hasDeclaration: false: it has been sent already.
    package init(hasDeclaration: Bool = true) {
        bytes = hasDeclaration ? Array(Self.declaration.utf8) : []
    }

    /// The root, or an element with others.
    mutating func element(
        _ name: String, namespace: String?, _ content: (inout XMLWriter) -> Void
    ) {
        append("<\(name)")
        if let namespace { append(#" xmlns="\#(namespace)""#) }
        append(">")
        content(&self)
        append("</\(name)>")
    }

    mutating func element(_ name: String, _ content: (inout XMLWriter) -> Void) {
        element(name, namespace: nil, content)
    }

    mutating func leaf(_ name: String, _ text: some StringProtocol) {
        append("<\(name)>")
        escape(text.utf8)
        append("</\(name)>")
    }

    mutating func leaf(_ name: String, _ number: some FixedWidthInteger) {
        leaf(name, String(number))
    }

    mutating func leaf(_ name: String, _ flag: Bool) { leaf(name, flag ? "true" : "false") }

    /// nil: no element.
    mutating func optionalLeaf(_ name: String, _ text: String?) {
        if let text { leaf(name, text) }
    }

    private mutating func append(_ text: String) { bytes += text.utf8 }

    /// Control characters become references: a reader would make a line feed of a carriage
    /// return. XML 1.0 has no references to most of them, S3 sends them nevertheless; who lists
    /// such keys asks for `encoding-type=url`.
    private mutating func escape(_ text: some Sequence<UInt8>) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "&"): append("&amp;")
            case UInt8(ascii: "<"): append("&lt;")
            case UInt8(ascii: ">"): append("&gt;")
            case UInt8(ascii: "\""): append("&quot;")
            case 0..<0x20, 0x7F: append("&#x\(String(byte, radix: 16, uppercase: true));")
            default: bytes.append(byte)
            }
        }
    }
}
