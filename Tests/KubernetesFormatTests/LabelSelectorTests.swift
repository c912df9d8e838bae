// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import Testing

@Suite("Label selectors") struct LabelSelectorTests {
    private static let labels = ["app": "web", "tier": "front"]

    private static func expression(
        _ key: String, _ operation: String, _ values: [JSONTree]? = nil
    ) -> JSONTree {
        var tree: JSONTree = ["key": .string(key), "operator": .string(operation)]
        if let values { tree["values"] = .array(values) }
        return ["matchExpressions": [tree]]
    }

    @Test(
        arguments: [
            ([:], true), (["matchLabels": ["app": "web"]], true),
            (["matchLabels": ["app": "other"]], false), (["matchLabels": ["none": "web"]], false),
            (["matchLabels": ["app": "web", "tier": "back"]], false),
            (expression("app", "In", ["web", "x"]), true), (expression("app", "In", ["x"]), false),
            (expression("none", "In", ["x"]), false),
            (expression("app", "NotIn", ["web"]), false), (expression("app", "NotIn", ["x"]), true),
            (expression("none", "NotIn", ["x"]), true),
            (expression("app", "Exists"), true), (expression("none", "Exists"), false),
            (expression("app", "DoesNotExist"), false), (expression("none", "DoesNotExist"), true),
        ] as [(JSONTree, Bool)])
    func `selects as the API's reference says`(_ tree: JSONTree, _ expected: Bool) throws {
        #expect(try LabelSelector(tree).matches(Self.labels) == expected)
    }

    @Test(
        arguments: [
            "text", ["matchLabel": [:]], ["matchLabels": "x"], ["matchLabels": ["a": 1]],
            ["matchExpressions": [:]], expression("a", "in", ["x"]), expression("a", "In"),
            expression("a", "Exists", ["x"]), ["matchExpressions": [["key": "a"]]],
        ] as [JSONTree])
    func `refuses what the API refuses`(_ tree: JSONTree) {
        #expect(throws: LabelSelector.Failure.self) { try LabelSelector(tree) }
    }
}
