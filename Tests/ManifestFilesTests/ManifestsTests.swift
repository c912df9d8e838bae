// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inventory
import KubernetesFormat
import ManifestFiles
import Testing

@Suite("Manifests") struct ManifestsTests {
    private func read(_ text: String) throws -> Manifests {
        var manifests = Manifests()
        try manifests.read(Array(text.utf8), source: "x")
        return manifests
    }

    @Test func `objects of JSON one after another are read, as jq prints them`() throws {
        func object(_ name: String) -> String {
            #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"\#(name)","a":"}{\"\\"}}"#
        }
        let list = #"{"apiVersion":"v1","kind":"List","items":[\#(object("c"))]}"#
        let read = try read("\(object("a"))\n\(object("b")) \(list)\n")
        #expect(read.objects.map(\.name) == ["a", "b", "c"] && read.unread.isEmpty)
        #expect(
            read.objects.map(\.source) == [
                "x, document 1", "x, document 2", "x, document 3, item 1",
            ])
        // One that is wrong takes nothing with it; what is behind them is told.
        let broken = try self.read("\(object("a"))\n{\"a\": }\n\(object("b"))")
        #expect(broken.objects.map(\.name) == ["a", "b"])
        #expect(broken.unread.map(\.source) == ["x, document 2"])
        for rest in ["garbage", "}", "{", "\""] {
            #expect(try !self.read("\(object("a"))\n\(object("b"))\(rest)").unread.isEmpty)
        }
    }

    private static let map = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: one}
        data: {A: "yes", B: 'no'}
        """

    @Test func `reads any number of documents, with comments and empty ones between`() throws {
        let manifests = try read(
            """
            # Source: chart/templates/a.yaml
            ---
            \(Self.map)
            ---
            # nothing here
            ---
            apiVersion: v1
            kind: Secret
            metadata:
              name: two
              namespace: shop
            ...
            """)
        #expect(manifests.objects.map(\.reference) == ["ConfigMap default/one", "Secret shop/two"])
        #expect(manifests.unread.isEmpty)
        #expect(manifests.objects.map(\.source) == ["x, document 1", "x, document 2"])
    }

    @Test func `reads lists, and lists of one kind whose items do not say it`() throws {
        let json = """
            {"kind": "PodList", "apiVersion": "v1", "items": [
              {"metadata": {"name": "a", "namespace": "n"}, "spec": {"containers": []}},
              {"metadata": {}}]}
            """
        let manifests = try read(json)
        #expect(manifests.objects.map(\.reference) == ["Pod n/a"])
        #expect(
            manifests.unread == [UnreadObject(source: "x, item 2", reason: "has no metadata.name")])
        let yaml = try read(
            "kind: List\napiVersion: v1\nitems:\n"
                + "- {apiVersion: v1, kind: Node, metadata: {name: n}}\n"
        )
        #expect(yaml.objects.map(\.reference) == ["Node n"])
    }

    @Test func `merges as kubectl does`() throws {
        let manifests = try read(
            """
            apiVersion: v1
            kind: Pod
            metadata: {name: web, namespace: shop}
            spec:
              containers:
              - &first
                name: one
                env: &env
                - {name: PASSWORD, value: hunter2}
                image: app
              - <<: *first
                name: two
              - <<: [{image: other, tty: true}, *first]
                name: three
            """)
        #expect(manifests.unread.isEmpty)
        let spec = try #require(manifests.objects.first?.tree["spec"])
        let containers = try #require(spec["containers"]?.elements)
        #expect(containers.map { $0["name"] } == ["one", "two", "three"])
        #expect(containers.map { $0["image"] } == ["app", "app", "other"])
        #expect(containers.allSatisfy { $0["env"]?.elements?.count == 1 && $0["<<"] == nil })
        #expect(containers[2]["tty"] == true)
        // A text in quotes is a key as any other.
        let quoted = try read(Self.map + "\nextra: {\"<<\": {a: b}}\n")
        #expect(quoted.objects.first?.tree["extra"]?["<<"] == ["a": "b"])
    }

    @Test(arguments: [
        ("{name: x, <<: {name: y}}", "name"), ("{<<: text}", "no mapping"),
        ("{<<: [{a: b}, text]}", "no mapping"),
    ])
    func `a merge that readers differ about is told as unread`(
        metadata: String, word: String
    ) throws {
        let manifests = try read("apiVersion: v1\nkind: ConfigMap\nmetadata: \(metadata)\n")
        #expect(manifests.objects.isEmpty && manifests.unread.count == 1)
        #expect(manifests.unread.first?.reason.contains(word) == true)
        // The control: the other way round it is clear.
        let clear = try read("apiVersion: v1\nkind: ConfigMap\nmetadata: {<<: {name: y}, name: x}")
        #expect(clear.objects.first?.name == "x")
    }

    @Test func `reads aliases, and refuses those that would fill memory`() throws {
        let good = try read(
            """
            apiVersion: v1
            kind: Pod
            metadata: {name: a}
            base: &base {image: i}
            spec: {containers: [*base]}
            """)
        #expect(good.objects.count == 1)
        var lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        for level in 1...9 {
            let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            lines.append("a\(level): &a\(level) [\(aliases)]")
        }
        let bomb = try read(lines.joined(separator: "\n"))
        #expect(bomb.objects.isEmpty)
        #expect(bomb.unread.map(\.reason) == ["has more than 2000000 values"])
    }

    @Test(arguments: [
        ("just text", "is no object"), ("a: 1", "has no apiVersion and kind"),
        ("kind: Pod\napiVersion: v1", "has no metadata.name"),
        ("a: [1", "is no YAML"), ("a: 1\na: 2", "has a key twice in one mapping"),
        ("a: {{ .Values.x }}", "it looks like a template"), ("{\"a\": 1,}", "has no apiVersion"),
        (String(repeating: "[", count: 5_000), "is nested deeper"),
        ("? [a]\n: b", "has a key that is no text"),
    ])
    func `says what it could not read and why`(_ text: String, _ reason: String) throws {
        let manifests = try read(text)
        #expect(manifests.objects.isEmpty)
        #expect(manifests.unread.count == 1)
        #expect(manifests.unread.first?.reason.contains(reason) == true, "\(manifests.unread)")
    }

    @Test func `no reason holds the text that could not be read`() throws {
        let manifests = try read("password: hunter2\n  bad: [hunter2\n")
        #expect(manifests.unread.count == 1)
        #expect(manifests.unread.first?.reason.contains("hunter2") == false)
    }

    @Test func `what is not UTF-8 is told`() throws {
        var manifests = Manifests()
        try manifests.read([0x61, 0x3a, 0x20, 0xff, 0xfe], source: "x")
        #expect(manifests.unread.map(\.reason) == ["is not UTF-8"])
    }

    @Test func `reads a folder with the folders in it, and says what is not there`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "m-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let deep = folder.appending(path: "b")
        try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
        for place in [folder.appending(path: "a.yaml"), deep.appending(path: "c.yml")] {
            try Data(Self.map.utf8).write(to: place)
        }
        try Data("not: read".utf8).write(to: folder.appending(path: "README.md"))
        var manifests = Manifests()
        try manifests.read(folder.path(percentEncoded: false))
        #expect(manifests.objects.count == 2 && manifests.unread.isEmpty)
        #expect(throws: Manifests.Failure.self) { try manifests.read("/no/such/file") }
    }
}
