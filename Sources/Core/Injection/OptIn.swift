// SPDX-License-Identifier: Apache-2.0

/// What the webhook's selector looks at. The API server does not call it about other pods.
package enum OptInSelector: String, Sendable, CaseIterable {
    case label, annotation
    /// Both, by a match condition.
    case either
}

/// Whether a pod asks to be injected: by its annotation or label `cloudtaser.io/inject`, or else by
/// its namespace's. What the pod says counts more.
enum OptIn {
    static func isAsked(
        _ pod: PodHead, in namespace: NamespaceFacts, selector: OptInSelector,
        warnings: inout [String]
    ) throws(Refusal) -> Bool {
        let name = PodAnnotation.inject.rawValue
        let annotation = try flag(pod.annotations[name])
        let label = try flag(pod.labels[name])
        if let annotation, let label, annotation != label {
            throw Refusal(
                PodAnnotation.inject.path, "and the label of that name contradict each other",
                fix: "set both alike, or one only")
        }
        let missing: String? =
            switch selector {
            case .label where annotation == true && label == nil: "label"
            case .annotation where label == true && annotation == nil: "annotation"
            default: nil
            }
        if let missing {
            warnings.warn(
                "\(name) is no \(missing) of the pod, which is what the webhook's selector needs")
        }
        if let asked = annotation ?? label { return asked }
        let defaults = [namespace.annotations[name], namespace.labels[name]].compactMap { $0 }
        // Of a namespace, whatever is not "false" asks: a misspelt value must not open it.
        return defaults.contains { $0 != "false" && $0 != "0" }
    }

    private static func flag(_ node: JSONNode?) throws(Refusal) -> Bool? {
        guard let node, !node.isNull else { return nil }
        return try flag(try node.text(), at: node.path)
    }

    static func flag(_ text: String, at path: FieldPath) throws(Refusal) -> Bool {
        switch text {
        case "true": return true
        case "false": return false
        default:
            throw Refusal(path, "is neither true nor false", fix: "write \"true\" or \"false\"")
        }
    }
}
