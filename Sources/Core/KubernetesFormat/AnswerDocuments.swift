// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat

/// What stands in the answers of the API server around the objects. Objects are cut out, not read.
package enum AnswerFailure: Error, Sendable, Equatable {
    case malformed(detail: String)
}

/// A `…List`.
package struct ListDocument: Sendable, Equatable {
    package var items: [[UInt8]]
    package var resourceVersion: String
    package var continuation: String?

    package init(_ document: [UInt8]) throws(AnswerFailure) {
        let bytes = document.span.bytes
        do throws(JSONFormatFailure) {
            let root = try JSONFormat.check(bytes)
            guard let list = try JSONFormat.member("items", of: root, in: bytes),
                let version = try Self.text(["metadata", "resourceVersion"], root, bytes)
            else { throw .syntax(offset: 0) }
            var items: [[UInt8]] = []
            for item in try JSONFormat.elements(of: list, in: bytes) {
                items.append(Array(document[item.range]))
            }
            self.items = items
            resourceVersion = version
            let token = try Self.text(["metadata", "continue"], root, bytes)
            continuation = token.flatMap { $0.isEmpty ? nil : $0 }
        } catch { throw .malformed(detail: "no list: \(error)") }
    }

    private static func text(
        _ path: [String], _ root: JSONValue, _ bytes: RawSpan
    ) throws(JSONFormatFailure) -> String? {
        guard let value = try JSONFormat.value(at: path, from: root, in: bytes) else { return nil }
        return try JSONText.publicText(value, in: bytes)
    }
}

/// One line of a watch.
package enum WatchLine: Sendable, Equatable {
    case added([UInt8])
    case modified([UInt8])
    case deleted([UInt8])
    case bookmark(resourceVersion: String)
    /// What ended the watch.
    case error(StatusDocument)

    package init(_ line: [UInt8]) throws(AnswerFailure) {
        let bytes = line.span.bytes
        do throws(JSONFormatFailure) {
            let root = try JSONFormat.check(bytes)
            guard let type = try JSONFormat.member("type", of: root, in: bytes),
                let word = try JSONText.publicText(type, in: bytes),
                let object = try JSONFormat.member("object", of: root, in: bytes)
            else { throw .syntax(offset: 0) }
            let inner = Array(line[object.range])
            switch word {
            case "ADDED": self = .added(inner)
            case "MODIFIED": self = .modified(inner)
            case "DELETED": self = .deleted(inner)
            case "ERROR": self = .error(StatusDocument(inner) ?? StatusDocument(code: 500))
            case "BOOKMARK":
                let path = ["metadata", "resourceVersion"]
                guard let version = try JSONFormat.value(at: path, from: object, in: bytes),
                    let text = try JSONText.publicText(version, in: bytes)
                else { throw .syntax(offset: object.range.lowerBound) }
                self = .bookmark(resourceVersion: text)
            default: throw .syntax(offset: type.range.lowerBound)
            }
        } catch { throw .malformed(detail: "no watch event: \(error)") }
    }
}

/// A `Status`: why a call was refused.
package struct StatusDocument: Sendable, Equatable {
    package struct Cause: Sendable, Equatable {
        package let reason: String
        package let field: String

        package init(reason: String, field: String) {
            self.reason = reason
            self.field = field
        }
    }

    /// The HTTP status.
    package var code: Int
    /// `Conflict`, `AlreadyExists`, `Expired`; empty when the server gave none.
    package var reason: String
    /// May quote what was sent: to be shown only for the reasons where it does not.
    package var message: String
    package var causes: [Cause]
    package var retryAfterSeconds: Int?

    package init(
        code: Int, reason: String = "", message: String = "", causes: [Cause] = [],
        retryAfterSeconds: Int? = nil
    ) {
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// nil: no status.
    package init?(_ document: [UInt8]) {
        guard let tree = try? JSONTree(document), tree["kind"]?.text == "Status" else {
            return nil
        }
        let details = tree["details"]
        self.init(
            code: tree["code"]?.wholeNumber ?? 500, reason: tree["reason"]?.text ?? "",
            message: tree["message"]?.text ?? "",
            causes: (details?["causes"]?.elements ?? []).map {
                Cause(reason: $0["reason"]?.text ?? "", field: $0["field"]?.text ?? "")
            },
            retryAfterSeconds: details?["retryAfterSeconds"]?.wholeNumber)
    }

    /// As the API server writes it.
    package func rendered() -> [UInt8] {
        var details = JSONTree.object([])
        if !causes.isEmpty {
            details["causes"] = .array(
                causes.map {
                    [
                        "reason": .string($0.reason), "message": .string($0.reason),
                        "field": .string($0.field),
                    ]
                })
        }
        if let retryAfterSeconds {
            details["retryAfterSeconds"] = .number(String(retryAfterSeconds))
        }
        return JSONTree.object([
            .init("kind", "Status"), .init("apiVersion", "v1"), .init("metadata", .object([])),
            .init("status", "Failure"), .init("message", .string(message)),
            .init("reason", .string(reason)), .init("details", details),
            .init("code", .number(String(code))),
        ]).rendered()
    }
}
