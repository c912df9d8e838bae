// SPDX-License-Identifier: Apache-2.0

/// Why a pod or a policy is not taken: where, what is wrong and what to do about it. Never holds
/// an environment entry's value.
package struct Refusal: Error, Sendable, Equatable {
    /// As Kubernetes names fields: `metadata.annotations[cloudtaser.io/vault-role]`,
    /// `spec.containers[0].env[3].name`; empty for the whole object.
    package let field: String
    package let reason: String
    package let fix: String

    package init(_ field: FieldPath, _ reason: String, fix: String) {
        self.field = field.description
        self.reason = reason
        self.fix = fix
    }

    package var message: String {
        "\(field.isEmpty ? "the object" : field): \(reason); \(fix)"
    }
}

/// Where a value stands in an object.
package indirect enum FieldPath: Sendable, Equatable, CustomStringConvertible {
    case root
    case member(FieldPath, String)
    case element(FieldPath, Int)

    package static let podAnnotations = FieldPath.root["metadata"]["annotations"]
    package static let podLabels = FieldPath.root["metadata"]["labels"]
    package static let spec = FieldPath.root["spec"]

    package subscript(_ name: String) -> FieldPath { .member(self, name) }
    package subscript(_ index: Int) -> FieldPath { .element(self, index) }

    /// As people read it. Keys that are no field names stand in brackets.
    package var description: String {
        switch self {
        case .root: ""
        case .element(let parent, let index): "\(parent)[\(index)]"
        case .member(.root, let name): name
        case .member(let parent, let name):
            name.utf8.allSatisfy { Self.isLetterOrDigit($0) }
                ? "\(parent).\(name)" : "\(parent)[\(name)]"
        }
    }

    /// As a patch names it (RFC 6901).
    package var pointer: String {
        switch self {
        case .root: return ""
        case .element(let parent, let index): return "\(parent.pointer)/\(index)"
        case .member(let parent, let name):
            guard name.utf8.contains(where: { "~/".utf8.contains($0) }) else {
                return "\(parent.pointer)/\(name)"
            }
            let escaped = name.replacing("~", with: "~0").replacing("/", with: "~1")
            return "\(parent.pointer)/\(escaped)"
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte)
    }
}
