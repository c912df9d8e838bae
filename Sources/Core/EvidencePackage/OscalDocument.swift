// SPDX-License-Identifier: Apache-2.0
package import Compliance
package import KubernetesFormat

/// One OSCAL document: a file's name and its one top-level member.
package struct OscalDocument: Sendable, Equatable {
    /// Release of the models that the documents are written for.
    package static let version = "1.2.1"
    /// Namespace of property and part names that OSCAL does not define.
    static let namespace = "https://cloudtaser.io/ns/oscal"

    package let fileName: String
    /// `catalog`, `component-definition` …
    package let model: String
    package let content: JSONTree

    package init(fileName: String, model: String, content: JSONTree) {
        self.fileName = fileName
        self.model = model
        self.content = content
    }

    /// Indented JSON that ends in one newline.
    package var text: String { whole.indented }

    /// The text in pieces, so that a large one is never there as a whole.
    package func forEachPiece<WriteFailure: Error>(
        _ body: (String) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        try whole.forEachIndentedPiece(body)
    }

    private var whole: JSONTree { .object([.init(model, content)]) }
}

/// What the catalogue's folder says about its publication: `publication.json`.
///
/// ```json
/// {"revised": "2026-11-27T00:00:00Z", "version": "0.1.0"}
/// ```
package struct Publication: Sendable, Equatable {
    package static let fileName = "publication.json"

    /// When the catalogue was last changed in meaning; nobody's clock.
    package let revised: EvidenceTime
    package let version: String

    package init(revised: EvidenceTime, version: String) {
        self.revised = revised
        self.version = version
    }

    package init(json: [UInt8]) throws(PackageFailure) {
        let tree = try PackageInput.tree(json, Self.fileName)
        guard let revised = tree["revised"]?.text.flatMap({ EvidenceTime($0) }) else {
            throw .inputMalformed(
                file: Self.fileName, detail: "'revised' is no time like 2026-11-27T00:00:00Z")
        }
        guard let version = tree["version"]?.text, OscalText.line(version) == version,
            !version.isEmpty
        else {
            throw .inputMalformed(file: Self.fileName, detail: "'version' is no line of text")
        }
        self.init(revised: revised, version: version)
    }
}

/// Texts as OSCAL's data types take them.
enum OscalText {
    /// StringDatatype and single-line markup: no control characters, no white space at the ends.
    static func line(_ text: String) -> String {
        let words = text.unicodeScalars.split { $0.properties.isWhitespace || isControl($0) }
        return words.map { String(String.UnicodeScalarView($0)) }.joined(separator: " ")
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control
            || scalar.properties.generalCategory == .format
    }

    /// NCName (TokenDatatype): begins with a letter or `_`; letters, digits, `.`, `-`, `_`.
    static func isToken(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first else { return false }
        return isStart(first) && text.unicodeScalars.allSatisfy(isPart)
    }

    /// `text` as a token: what a token cannot hold becomes `_`. Two texts may become one token;
    /// the reference check finds it.
    static func token(_ text: String) -> String {
        let parts = text.unicodeScalars.map { isPart($0) ? $0 : "_" }
        let token = String(String.UnicodeScalarView(parts))
        return token.unicodeScalars.first.map(isStart) == true ? token : "_" + token
    }

    private static func isStart(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || isASCIILetter(scalar)
    }

    private static func isPart(_ scalar: Unicode.Scalar) -> Bool {
        isStart(scalar) || ("0"..."9").contains(scalar) || [".", "-"].contains(scalar)
    }

    private static func isASCIILetter(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }
}

/// Parts that every document has.
struct OscalWriter {
    static let requirementsFile = "requirements-catalog.json"
    static let claimsFile = "claims-catalog.json"
    static let componentsFile = "component-definition.json"
    static let mappingFile = "mapping-collection.json"
    static let resultsFile = "assessment-results.json"

    let uuids: NameUUIDs
    let publication: Publication

    func metadata(title: String, modified: EvidenceTime? = nil, remarks: String) -> JSONTree {
        [
            "title": .string(title),
            "last-modified": .string((modified ?? publication.revised).text),
            "version": .string(publication.version),
            "oscal-version": .string(OscalDocument.version),
            "remarks": .string(remarks),
        ]
    }

    static func property(_ name: String, _ value: String) -> JSONTree {
        [
            "name": .string(name), "ns": .string(OscalDocument.namespace),
            "value": .string(OscalText.line(value)),
        ]
    }

    /// Of the requirement or claim `id`.
    static func statementID(_ id: String) -> String { OscalText.token(id) + "_smt" }

    /// The component that claims are about; the same in each document.
    var componentUUID: String { uuids.uuid("component", "cloudtaser") }
}

extension JSONTree {
    /// nil where OSCAL wants no member: an empty array is refused there.
    static func filled(_ elements: [JSONTree]) -> JSONTree? {
        elements.isEmpty ? nil : .array(elements)
    }

    /// Two spaces for each level, members in their order, one newline at the end.
    package var indented: String {
        var text = ""
        forEachIndentedPiece { text += $0 }
        return text
    }

    private static let pieceBytes = 1 << 20

    fileprivate func forEachIndentedPiece<WriteFailure: Error>(
        _ body: (String) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        var text = ""
        try write(to: &text, level: 0) { (text: inout String) throws(WriteFailure) in
            guard text.utf8.count >= Self.pieceBytes else { return }
            try body(text)
            text.removeAll(keepingCapacity: true)
        }
        try body(text + "\n")
    }

    private func write<WriteFailure: Error>(
        to text: inout String, level: Int,
        _ afterValue: (inout String) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        let inner = String(repeating: "  ", count: level + 1)
        let outer = String(repeating: "  ", count: level)
        switch self {
        case .object(let members) where !members.isEmpty:
            text += "{\n"
            for (index, member) in members.enumerated() {
                text += inner + JSONTree.string(member.name).compact + ": "
                try member.value.write(to: &text, level: level + 1, afterValue)
                text += index + 1 < members.count ? ",\n" : "\n"
            }
            text += outer + "}"
        case .array(let elements) where !elements.isEmpty:
            text += "[\n"
            for (index, element) in elements.enumerated() {
                text += inner
                try element.write(to: &text, level: level + 1, afterValue)
                text += index + 1 < elements.count ? ",\n" : "\n"
            }
            text += outer + "]"
        default: text += compact
        }
        try afterValue(&text)
    }

    private var compact: String { String(decoding: rendered(), as: UTF8.self) }
}
