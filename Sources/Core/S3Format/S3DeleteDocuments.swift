// SPDX-License-Identifier: Apache-2.0

/// `Delete`, the request to delete several objects
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
package struct S3DeleteRequest: Sendable, Hashable {
    package struct Entry: Sendable, Hashable {
        package let key: S3Key
        package let versionID: String?
        /// Only if it still is this one.
        package let tag: S3EntityTag?

        package init(key: S3Key, versionID: String? = nil, tag: S3EntityTag? = nil) {
            self.key = key
            self.versionID = versionID
            self.tag = tag
        }
    }

    package let entries: [Entry]
    /// Only what went wrong is answered.
    package let isQuiet: Bool

    static let root = "Delete"

    package init(entries: [Entry], isQuiet: Bool = false) {
        self.entries = entries
        self.isQuiet = isQuiet
    }

    package init(_ bytes: [UInt8]) throws(S3Error) {
        do throws(S3DocumentFailure) {
            let root = try XMLReader.read(bytes, root: Self.root)
            // Conditions that are not passed on would delete what they protect.
            let known: Set<String> = ["Key", "VersionId", "ETag"]
            entries = try root.entries("Object") { element throws(S3DocumentFailure) in
                guard element.children.allSatisfy({ known.contains($0.name) }) else {
                    throw .malformed("an Object has an element that is not supported")
                }
                let key = try element.key("Key", .none)
                guard key.count <= S3Limits.keyBytesMax else {
                    throw .malformed("a Key is longer than \(S3Limits.keyBytesMax) bytes")
                }
                return Entry(
                    key: key,
                    versionID: element.text("VersionId").flatMap { $0.isEmpty ? nil : $0 },
                    tag: element.text("ETag").map { S3EntityTag($0) })
            }
            isQuiet = try root.flag("Quiet") ?? false
        } catch { throw S3Error(error) }
        guard !entries.isEmpty, entries.count <= S3Limits.deleteKeysMax else {
            throw S3Error(.malformedXML)
        }
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            if isQuiet { writer.leaf("Quiet", true) }
            for entry in entries {
                writer.element("Object") { writer in
                    writer.leaf("Key", entry.key.text)
                    writer.optionalLeaf("VersionId", entry.versionID)
                    writer.optionalLeaf("ETag", entry.tag?.text)
                }
            }
        }
        return writer.bytes
    }
}

/// `DeleteResult`
package struct S3DeleteResult: Sendable, Hashable {
    package enum Entry: Sendable, Hashable {
        /// - `marker`: of the mark that was made, or of the one that was deleted.
        case deleted(key: S3Key, versionID: String?, isMarker: Bool, marker: String?)
        case failed(key: S3Key, versionID: String?, code: String, message: String)
    }

    package var entries: [Entry]

    static let root = "DeleteResult"

    package init(entries: [Entry]) { self.entries = entries }

    package init(_ bytes: [UInt8]) throws(S3DocumentFailure) {
        let root = try XMLReader.read(bytes, root: Self.root)
        var entries: [Entry] = []
        for child in root.children {
            switch child.name {
            case "Deleted":
                entries.append(
                    .deleted(
                        key: try child.key("Key", .none), versionID: child.text("VersionId"),
                        isMarker: try child.flag("DeleteMarker") ?? false,
                        marker: child.text("DeleteMarkerVersionId")))
            case "Error":
                entries.append(
                    .failed(
                        key: try child.optionalKey("Key", .none) ?? .empty,
                        versionID: child.text("VersionId"), code: try child.required("Code"),
                        message: child.text("Message") ?? ""))
            default: continue
            }
        }
        self.init(entries: entries)
    }

    package func rendered() -> [UInt8] {
        var writer = XMLWriter()
        writer.element(Self.root, namespace: XMLWriter.namespace) { writer in
            for entry in entries { Self.write(entry, to: &writer) }
        }
        return writer.bytes
    }

    private static func write(_ entry: Entry, to writer: inout XMLWriter) {
        switch entry {
        case .deleted(let key, let versionID, let isMarker, let marker):
            writer.element("Deleted") { writer in
                writer.leaf("Key", key.text)
                writer.optionalLeaf("VersionId", versionID)
                if isMarker { writer.leaf("DeleteMarker", true) }
                writer.optionalLeaf("DeleteMarkerVersionId", marker)
            }
        case .failed(let key, let versionID, let code, let message):
            writer.element("Error") { writer in
                writer.leaf("Key", key.text)
                writer.optionalLeaf("VersionId", versionID)
                writer.leaf("Code", code)
                writer.leaf("Message", message)
            }
        }
    }
}
