// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

extension Manifests {
    /// A file that is one document of ours, of any shape.
    package static func document(at path: String) throws(Failure) -> JSONTree {
        let bytes = try FileBytes.read(path, limit: bytesMax)
        if let tree = try? JSONTree(bytes) { return tree }
        let stream = YAMLDocuments(bytes)
        let documents = (0..<stream.partCount).flatMap { stream.documents(of: $0) }.filter {
            if case .success(.null) = $0.content { return false }
            return true
        }
        guard documents.count == 1, let first = documents.first else {
            throw .unreadable(path: path, reason: "holds \(documents.count) documents, not one")
        }
        switch first.content {
        case .success(let tree): return tree
        case .failure(let failure):
            throw .unreadable(path: path, reason: "line \(first.line): \(failure.reason)")
        }
    }
}
