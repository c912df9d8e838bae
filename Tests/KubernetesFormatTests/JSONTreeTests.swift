// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import Testing

@Suite("JSON trees") struct JSONTreeTests {
    private func tree(_ text: String) throws -> JSONTree { try JSONTree(Array(text.utf8)) }

    private func text(_ tree: JSONTree) -> String {
        String(decoding: tree.rendered(), as: UTF8.self)
    }

    @Test func `pieces are the whole, as long as was asked, and end with the first failure`() throws
    {
        struct Full: Error {}
        let tree = try JSONTree(
            Array(#"{"a":[1,2,{"b":"text"},[],{}],"c":null,"d":[true,"longer than a piece"]}"#.utf8)
        )
        for size in [1, 2, 7, 1000] {
            var pieces: [[UInt8]] = []
            tree.forEachPiece(of: size) { pieces.append($0) }
            #expect(pieces.flatMap(\.self) == tree.rendered())
            #expect(pieces.dropLast().allSatisfy { $0.count >= size })
            #expect((pieces.count > 1) == (size < 1000))
        }
        var taken = 0
        #expect(throws: Full.self) {
            try tree.forEachPiece(of: 1) { _ in
                taken += 1
                throw Full()
            }
        }
        #expect(taken == 1)
    }

    @Test(
        "what is not touched comes out as it came in",
        arguments: [
            #"{"b":1,"a":[true,false,null,"x"],"n":-0.50e+7,"o":{},"l":[]}"#, #""é😀\"\\\u0001""#,
            "12345678901234567890123", "[[[]]]",
        ])
    func survives(_ document: String) throws { #expect(text(try tree(document)) == document) }

    @Test("the order of members does not count, everything else does")
    func equality() throws {
        #expect(try tree(#"{"a":1,"b":2}"#) == tree(#"{"b":2,"a":1}"#))
        #expect(try tree(#"{"a":1}"#) != tree(#"{"a":1,"b":2}"#))
        #expect(try tree("[1,2]") != tree("[2,1]"))
        #expect(try tree("1") != tree("1.0"))
    }

    @Test("names and texts are what their bytes are, not what they look like")
    func bytes() throws {
        let (composed, decomposed) = ("\u{E9}", "e\u{301}")
        // The control: as Strings they are one.
        #expect(composed == decomposed)
        var object = try tree(#"{"\#(composed)":1,"\#(decomposed)":2}"#)
        #expect(object[composed] == 1 && object[decomposed] == 2)
        object[decomposed] = nil
        #expect(object[composed] == 1 && object.members?.count == 1)
        #expect(try tree(#"{"\#(composed)":1}"#) != tree(#"{"\#(decomposed)":1}"#))
        #expect(try tree(#""\#(composed)""#) != tree(#""\#(decomposed)""#))
        // The Kelvin sign is no K.
        #expect(try tree(#"{"\u212Aind":"Pod"}"#)["Kind"] == nil)
        #expect(throws: JSONTree.Failure.duplicateName(composed)) {
            try tree(#"{"\#(composed)":1,"\#(composed)":2}"#)
        }
    }

    @Test("members are set, replaced and removed")
    func members() throws {
        var object = try tree(#"{"a":1,"b":{"c":2}}"#)
        object["b"] = "x"
        object["d"] = [1]
        object["a"] = nil
        #expect(text(object) == #"{"b":"x","d":[1]}"#)
        #expect(object.value(at: "b", "c") == nil)
    }

    @Test("what is no JSON, has a name twice or is too deep is refused")
    func refused() throws {
        #expect(throws: JSONTree.Failure.malformed(offset: 5)) { try tree(#"{"a":"#) }
        #expect(throws: JSONTree.Failure.duplicateName("a")) {
            try tree(#"{"x":[{"a":1,"a":2}]}"#)
        }
        #expect(throws: JSONTree.Failure.tooDeep) {
            try tree(String(repeating: "[", count: 33) + String(repeating: "]", count: 33))
        }
        _ = try tree(String(repeating: "[", count: 32) + String(repeating: "]", count: 32))
    }
}

/// Examples of RFC 6902's appendix A and RFC 7396's appendix A, and the edges between them.
@Suite("JSON patches") struct JSONPatchTests {
    struct Example: Sendable, CustomTestStringConvertible {
        let document: String
        let patch: String
        /// nil: refused.
        let result: String?
        var testDescription: String { patch }
    }

    private func tree(_ text: String) throws -> JSONTree { try JSONTree(Array(text.utf8)) }

    @Test(arguments: [
        Example(
            document: #"{"foo":"bar"}"#, patch: #"[{"op":"add","path":"/baz","value":"qux"}]"#,
            result: #"{"baz":"qux","foo":"bar"}"#),
        Example(
            document: #"{"foo":["bar","baz"]}"#,
            patch: #"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
            result: #"{"foo":["bar","qux","baz"]}"#),
        Example(
            document: #"{"baz":"qux","foo":"bar"}"#, patch: #"[{"op":"remove","path":"/baz"}]"#,
            result: #"{"foo":"bar"}"#),
        Example(
            document: #"{"foo":["bar","qux","baz"]}"#,
            patch: #"[{"op":"remove","path":"/foo/1"}]"#, result: #"{"foo":["bar","baz"]}"#),
        Example(
            document: #"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            patch: #"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
            result: #"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#),
        Example(
            document: #"{"foo":["all","grass","cows","eat"]}"#,
            patch: #"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
            result: #"{"foo":["all","cows","eat","grass"]}"#),
        Example(
            document: #"{"a":1}"#, patch: #"[{"op":"copy","from":"/a","path":"/b"}]"#,
            result: #"{"a":1,"b":1}"#),
        Example(
            document: #"{"/":9,"~1":10}"#, patch: #"[{"op":"test","path":"/~01","value":10}]"#,
            result: #"{"/":9,"~1":10}"#),
        Example(
            document: #"{"foo":["bar"]}"#,
            patch: #"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
            result: #"{"foo":["bar",["abc","def"]]}"#),
        Example(
            document: #"{"foo":1}"#, patch: #"[{"op":"replace","path":"","value":[1]}]"#,
            result: "[1]"),
        Example(
            document: #"{"q":1}"#, patch: #"[{"op":"add","path":"/a/b","value":1}]"#, result: nil),
        Example(
            document: #"{"q":1}"#,
            patch: #"[{"op":"replace","path":"/a","value":1}]"#, result: nil),
        Example(document: #"{"q":1}"#, patch: #"[{"op":"remove","path":"/a"}]"#, result: nil),
        Example(
            document: #"{"q":1}"#, patch: #"[{"op":"test","path":"/q","value":2}]"#, result: nil),
        Example(
            document: #"{"q":[1]}"#,
            patch: #"[{"op":"add","path":"/q/2","value":2}]"#, result: nil),
        Example(document: #"{"q":[1]}"#, patch: #"[{"op":"remove","path":"/q/00"}]"#, result: nil),
        Example(document: #"{"q":[1]}"#, patch: #"[{"op":"remove","path":"/q/-"}]"#, result: nil),
        Example(document: #"{"q":1}"#, patch: #"[{"op":"add","path":"q","value":1}]"#, result: nil),
        Example(
            document: #"{"q":1}"#, patch: #"[{"op":"add","path":"/~2","value":1}]"#, result: nil),
        Example(document: #"{"q":1}"#, patch: #"[{"op":"add","path":"/a"}]"#, result: nil),
        Example(
            document: #"{"q":1}"#, patch: #"[{"op":"spam","path":"/a","value":1}]"#, result: nil),
        Example(document: #"{"q":1}"#, patch: #"{"op":"remove","path":"/q"}"#, result: nil),
        Example(
            document: #"{"q":{}}"#, patch: #"[{"op":"move","from":"/q","path":"/q/a"}]"#,
            result: nil),
    ])
    func `a JSON patch`(_ example: Example) throws {
        let document = try tree(example.document)
        let patch = try tree(example.patch)
        guard let result = example.result else {
            #expect(throws: JSONPatch.Failure.self) { try JSONPatch.apply(patch, to: document) }
            return
        }
        #expect(try JSONPatch.apply(patch, to: document) == (try tree(result)))
    }

    @Test(arguments: [
        Example(document: #"{"a":"b"}"#, patch: #"{"a":"c"}"#, result: #"{"a":"c"}"#),
        Example(document: #"{"a":"b","b":"c"}"#, patch: #"{"a":null}"#, result: #"{"b":"c"}"#),
        Example(document: #"{"a":["b"]}"#, patch: #"{"a":"c"}"#, result: #"{"a":"c"}"#),
        Example(
            document: #"{"a":{"b":"c"}}"#, patch: #"{"a":{"b":"d","c":null}}"#,
            result: #"{"a":{"b":"d"}}"#),
        Example(document: #"{"a":"foo"}"#, patch: "null", result: "null"),
        Example(document: #"{"e":null}"#, patch: #"{"a":1}"#, result: #"{"e":null,"a":1}"#),
        Example(document: "[1,2]", patch: #"{"a":"b","c":null}"#, result: #"{"a":"b"}"#),
        Example(document: "{}", patch: #"{"a":{"bb":{"ccc":null}}}"#, result: #"{"a":{"bb":{}}}"#),
    ])
    func `a merge patch`(_ example: Example) throws {
        let merged = JSONMergePatch.apply(try tree(example.patch), to: try tree(example.document))
        #expect(merged == (try tree(try #require(example.result))))
    }
}
