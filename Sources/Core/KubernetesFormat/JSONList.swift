// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat

/// A `List` or a list of one kind (`PodList`) whose items are made into trees one after the other.
package struct JSONList {
    private let document: [UInt8]
    private let items: JSONValue
    /// `Pod` of a `PodList`, which leaves it out of its items; empty for a `List`.
    private let itemKind: String
    private let apiVersion: String?

    /// nil: no list, or no JSON.
    package init?(_ document: [UInt8]) {
        let bytes = document.span.bytes
        do throws(JSONFormatFailure) {
            let root = try JSONFormat.check(bytes)
            guard root.kind == .object,
                let kind = try Self.text("kind", root, bytes), kind.hasSuffix("List"),
                let items = try JSONFormat.member("items", of: root, in: bytes),
                items.kind == .array
            else { return nil }
            self.items = items
            itemKind = String(kind.dropLast("List".count))
            apiVersion = try Self.text("apiVersion", root, bytes)
        } catch { return nil }
        self.document = document
    }

    private static func text(
        _ name: String, _ root: JSONValue, _ bytes: RawSpan
    ) throws(JSONFormatFailure) -> String? {
        guard let value = try JSONFormat.member(name, of: root, in: bytes),
            value.kind == .string
        else { return nil }
        return try JSONText.publicText(value, in: bytes)
    }

    /// - Parameter body: says whether to go on. A failure: the item has a name twice.
    package func forEachItem(_ body: (Result<JSONTree, JSONTree.Failure>) -> Bool) {
        let bytes = document.span.bytes
        guard let elements = try? JSONFormat.elements(of: items, in: bytes) else { return }
        for element in elements {
            guard body(result(element, bytes)) else { return }
        }
    }

    private func result(
        _ element: JSONValue, _ bytes: RawSpan
    ) -> Result<JSONTree, JSONTree.Failure> {
        do throws(JSONTree.Failure) {
            var tree = try JSONTree(element, in: bytes)
            if tree.members != nil, tree["kind"] == nil, !itemKind.isEmpty {
                tree["kind"] = .string(itemKind)
                tree["apiVersion"] = apiVersion.map { .string($0) }
            }
            return .success(tree)
        } catch { return .failure(error) }
    }
}
