// SPDX-License-Identifier: Apache-2.0
import Testing

/// The test's own tools are no better than what is shown of them.
@Suite struct `Applying patches and running containers, as the tests do it` {
    @Test(arguments: [
        (#"{"a":[1,2]}"#, #"[{"op":"add","path":"/a/1","value":9}]"#, #"{"a":[1,9,2]}"#),
        (#"{"a":[1]}"#, #"[{"op":"add","path":"/a/-","value":9}]"#, #"{"a":[1,9]}"#),
        (#"{"a/b":1}"#, #"[{"op":"add","path":"/a~1b","value":9}]"#, #"{"a/b":9}"#),
        (#"{"~1":1}"#, #"[{"op":"replace","path":"/~01","value":9}]"#, #"{"~1":9}"#),
        (#"{"a":{"b":1}}"#, #"[{"op":"remove","path":"/a/b"}]"#, #"{"a":{}}"#),
        (#"[1,2,3]"#, #"[{"op":"move","from":"/2","path":"/0"}]"#, #"[3,1,2]"#),
        (#"{"a":1.0e1}"#, "[]", #"{"a":1.0e1}"#),
        (#"{"n":null}"#, #"[{"op":"add","path":"/n","value":[1]}]"#, #"{"n":[1]}"#),
    ])
    func `operations do what RFC 6902 says`(
        document: String, patch: String, result: String
    ) throws {
        let applied = try PatchApplier.apply(Array(patch.utf8), to: Array(document.utf8))
        #expect(applied.description == result)
    }

    @Test(arguments: [
        #"[{"op":"add","path":"/b/c","value":1}]"#, #"[{"op":"add","path":"/a/3","value":1}]"#,
        #"[{"op":"remove","path":"/b"}]"#, #"[{"op":"add","path":"/a/01","value":1}]"#,
        #"[{"op":"add","path":"/s/x","value":1}]"#, #"[{"op":"test","path":"/s"}]"#,
    ])
    func `operations without a target are refused`(patch: String) {
        #expect(throws: PatchApplier.Refused.self) {
            try PatchApplier.apply(Array(patch.utf8), to: Array(#"{"a":[1,2],"s":"x"}"#.utf8))
        }
    }

    /// After the table of the kubelet's own tests of expansion, in our words.
    @Test(arguments: [
        ("$(A)", "a"), ("$$(A)", "$(A)"), ("$$$(A)", "$a"), ("$$$$(A)", "$$(A)"),
        ("$(B)", "$(B)"), ("$A", "$A"), ("$", "$"), ("x$", "x$"), ("$(A", "$(A"),
        ("$(A)$(A)", "aa"), ("$()", "$()"), ("a$$b", "a$b"), ("$(A))", "a)"), ("$)", "$)"),
        ("$$", "$"), ("$(EMPTY)-", "-"), ("$((A))", "$((A))"), ("$?", "$?"),
    ])
    func `expansion is the kubelet's`(text: String, expanded: String) {
        #expect(RuntimeModel.expand(text, ["A": "a", "EMPTY": ""]) == expanded)
    }

    @Test func `command and args meet the image's as Kubernetes says`() throws {
        let image = RuntimeModel.Image(entrypoint: ["e"], command: ["c"])
        let table = [
            (#"{}"#, ["e", "c"]), (#"{"args":["a"]}"#, ["e", "a"]),
            (#"{"command":["p"]}"#, ["p"]), (#"{"command":["p"],"args":["a"]}"#, ["p", "a"]),
            (#"{"command":[],"args":[]}"#, ["e", "c"]),
        ]
        for (container, arguments) in table {
            #expect(RuntimeModel.arguments(of: try Tree(container), image: image) == arguments)
        }
    }
}
