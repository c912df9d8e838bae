// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

extension ResourceCollection {
    /// - Throws: `configurationInvalid` for a part that could lead elsewhere: names come from
    ///   objects of others.
    package func checkedPath() throws(KubernetesFailure) -> String {
        try RequestTarget.check([group, version, namespace ?? "", resource])
        return path
    }
}

extension ObjectReference {
    /// - Throws: as for a collection, and for an object without a name.
    package func checkedPath() throws(KubernetesFailure) -> String {
        _ = try collection.checkedPath()
        try RequestTarget.check([name, subresource ?? ""])
        guard !name.isEmpty else {
            throw .configurationInvalid(detail: "an object without a name was asked for")
        }
        return path
    }
}

extension ObjectSelection {
    package var query: [(String, String)] {
        var query: [(String, String)] = []
        if !labels.isEmpty { query.append(("labelSelector", labels)) }
        if !fields.isEmpty { query.append(("fieldSelector", fields)) }
        return query
    }

    /// Of one page of a list.
    package func query(limit: Int, continuation: String?) -> [(String, String)] {
        var query = query
        query.append(("limit", String(min(max(limit, 1), KubernetesLimits.pageItemsMax))))
        if let continuation { query.append(("continue", continuation)) }
        return query
    }
}

/// Paths and queries as an API server reads them.
package enum RequestTarget {
    /// A part of a path that could lead elsewhere never leaves.
    static func check(_ parts: [String]) throws(KubernetesFailure) {
        for part in parts {
            let isPlain = part.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x30...0x39).contains(byte) || "-._:".utf8.contains(byte)
            }
            guard isPlain, part != ".", part != ".." else {
                throw .configurationInvalid(detail: "a name that no Kubernetes object can have")
            }
        }
    }

    /// Path and query, percent-encoded.
    package static func text(_ path: String, _ query: [(String, String)]) -> String {
        guard !query.isEmpty else { return path }
        return path + "?"
            + query.map { "\($0.0)=\(PercentEncoding.text($0.1))" }.joined(separator: "&")
    }
}

extension KubernetesFailure {
    /// What the server asks for; within a day, so that it can be counted with.
    package var retryAfter: Duration? {
        switch self {
        case .tooManyRequests(let seconds), .serverError(_, let seconds):
            seconds.map { .seconds(min(max($0, 0), 86_400)) }
        default: nil
        }
    }
}
