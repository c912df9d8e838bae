// SPDX-License-Identifier: Apache-2.0
import ImageFormat
import KubernetesFormat
import Testing

/// Digests that differ, without hashing.
private func digest(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return "sha256:" + String(repeating: "0", count: 64 - digits.count) + digits
}

private func entry(_ number: Int, _ platform: String, more: String = "") -> String {
    """
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "\(digest(number))",
     "size": 7, "platform": \(platform)\(more)}
    """
}

private let linux = #"{"os": "linux", "architecture": "amd64"}"#
private let unknown = #"{"os": "unknown", "architecture": "unknown"}"#
private let index = "application/vnd.oci.image.index.v1+json"
private let list = "application/vnd.docker.distribution.manifest.list.v2+json"
private let image = "application/vnd.oci.image.manifest.v1+json"
private let docker = "application/vnd.docker.distribution.manifest.v2+json"
private let config = "application/vnd.oci.image.config.v1+json"

private func manifest(_ configType: String = config, more: String = "") -> String {
    """
    {"schemaVersion": 2, "config": {"mediaType": "\(configType)", "digest": "\(digest(9))",
     "size": 12}, "layers": []\(more)}
    """
}

private func indexText(_ entries: [String], more: String = "") -> String {
    #"{"schemaVersion": 2, "manifests": [\#(entries.joined(separator: ","))]\#(more)}"#
}

@Suite struct `Manifests` {
    private func parse(_ text: String, _ type: String? = nil) throws -> ImageDocument {
        try ImageDocument(Array(text.utf8), contentType: type)
    }

    private func numbers(_ document: ImageDocument) -> [String] {
        guard case .index(let entries) = document else { return ["no index"] }
        return entries.map { String($0.digest.digits.last ?? "?") }
    }

    @Test(arguments: [index, list, nil])
    func `of an index are those that are images`(_ type: String?) throws {
        let annotated = #", "annotations": {"vnd.docker.reference.type": "attestation-manifest"}"#
        let text = indexText([
            entry(1, unknown), entry(2, linux),
            entry(3, #"{"os": "linux", "architecture": "arm", "variant": "v7"}"#),
            entry(4, linux, more: annotated), entry(5, unknown, more: annotated),
            entry(6, #"{"os": "windows", "architecture": "amd64"}"#), entry(7, "null"),
        ])
        let document = try parse(text, type)
        #expect(numbers(document) == ["2", "3", "6", "7"])
        guard case .index(let entries) = document else { return }
        #expect(entries[1].platform == .init(system: "linux", architecture: "arm", variant: "v7"))
        #expect(entries[3].platform == nil)
        #expect(entries[0].size == 7)
    }

    @Test(arguments: [
        (image, config), (docker, "application/vnd.docker.container.image.v1+json"),
        ("application/json", config), (docker + "; charset=utf-8", config),
    ])
    func `of one image name its config`(_ type: String, _ configType: String) throws {
        guard case .manifest(let found) = try parse(manifest(configType), type) else {
            Issue.record("no image")
            return
        }
        #expect(found.digest.description == digest(9) && found.size == 12)
    }

    @Test(arguments: [
        ("no JSON", "{", nil), ("a list", "[]", nil),
        ("a member twice", #"{"schemaVersion": 2, "schemaVersion": 2, "manifests": []}"#, nil),
        (
            "members that differ by case",
            #"{"schemaVersion": 2, "manifests": [], "Manifests": []}"#, nil
        ),
        ("schema 1", #"{"schemaVersion": 1, "fsLayers": []}"#, nil),
        ("no schema", #"{"manifests": []}"#, nil),
        ("both", indexText([], more: #", "layers": []"#), nil),
        ("both", manifest(more: #", "manifests": []"#), nil),
        ("an image that was sent as an index", manifest(), index),
        ("an index that was sent as an image", indexText([]), image),
        ("two types", manifest(more: ", \"mediaType\": \"\(image)\""), docker),
        ("an unknown type", manifest(more: #", "mediaType": "text/plain""#), nil),
        ("an artifact", manifest("application/vnd.cncf.helm.config.v1+json"), image),
        ("no config", #"{"schemaVersion": 2, "layers": []}"#, image),
        (
            "another algorithm",
            #"{"schemaVersion": 2, "config": {"mediaType": "\#(config)", "size": 1,"#
                + #" "digest": "sha512:00"}}"#, image
        ),
        (
            "a negative size",
            #"{"schemaVersion": 2, "config": {"mediaType": "\#(config)", "size": -1,"#
                + #" "digest": "\#(digest(1))"}}"#, image
        ),
        ("a platform that is none", indexText([entry(1, "[]")]), index),
    ])
    func `that are none are refused`(_ what: String, _ text: String, _ type: String?) {
        #expect(throws: ImageFormatFailure.self, "\(what)") { try parse(text, type) }
    }

    @Test func `name as many images as they may`() throws {
        let entries = (0..<ImageLimits.indexEntriesMax).map { entry($0, linux) }
        #expect(numbers(try parse(indexText(entries))).count == ImageLimits.indexEntriesMax)
        #expect(throws: ImageFormatFailure.self) {
            try parse(indexText(entries + [entry(1, linux)]))
        }
    }

    @Test func `are as large as they may be`() throws {
        let text = manifest()
        let room = String(
            repeating: " ", count: ImageLimits.manifestBytesMax - text.utf8.count)
        #expect(throws: Never.self) { try parse(text + room) }
        #expect(throws: ImageFormatFailure.self) { try parse(text + room + " ") }
    }
}

@Suite struct `Configs of images` {
    private func parse(_ text: String) throws -> ImageConfig {
        try ImageConfig(Array(text.utf8))
    }

    @Test func `say what is started`() throws {
        let found = try parse(
            #"{"os": "linux", "architecture": "arm64", "variant": "v8", "config": {"#
                + #""Entrypoint": ["/a", "$X"], "Cmd": ["b", "ü"], "Env": ["A=B"]}}"#)
        #expect(found.entrypoint == ["/a", "$X"] && found.command == ["b", "ü"])
        #expect(
            found.platform == .init(system: "linux", architecture: "arm64", variant: "v8"))
    }

    @Test(arguments: [
        "{}", #"{"config": null}"#, #"{"config": {"Entrypoint": null, "Cmd": []}}"#,
        #"{"architecture": "amd64"}"#,
    ])
    func `may say nothing`(_ text: String) throws {
        let found = try parse(text)
        #expect(found.entrypoint.isEmpty && found.command.isEmpty && found.platform == nil)
    }

    @Test func `are read as Go reads them, regardless of case`() throws {
        #expect(try parse(#"{"Config": {"entrypoint": ["/a"], "CMD": ["b"]}}"#).command == ["b"])
        for text in [
            #"{"config": {"Entrypoint": ["/a"], "entrypoint": ["/b"]}}"#,
            #"{"config": {"Cmd": ["/a"]}, "Config": {"Cmd": ["/b"]}}"#,
        ] {
            #expect(throws: ImageFormatFailure.self) { try parse(text) }
        }
    }

    @Test(arguments: [
        "", "[]", #"{"config": []}"#, #"{"config": {"Cmd": "/a"}}"#,
        #"{"config": {"Cmd": [1]}}"#, #"{"config": {"Cmd": ["a\u0000b"]}}"#,
        #"{"os": 1}"#,
    ])
    func `that cannot be read are refused`(_ text: String) {
        #expect(throws: ImageFormatFailure.self) { try parse(text) }
    }

    @Test func `have as many words and bytes as they may`() throws {
        func config(_ words: [String]) -> String {
            let list = words.map { "\"\($0)\"" }.joined(separator: ",")
            return #"{"config": {"Cmd": [\#(list)]}}"#
        }
        let words = [String](repeating: "a", count: ImageLimits.commandWordsMax)
        #expect(try parse(config(words)).command.count == words.count)
        #expect(throws: ImageFormatFailure.self) { try parse(config(words + ["a"])) }
        let long = String(repeating: "a", count: ImageLimits.commandBytesMax)
        #expect(try parse(config([long])).command == [long])
        #expect(throws: ImageFormatFailure.self) { try parse(config([long + "a"])) }
        let room = String(repeating: " ", count: ImageLimits.configBytesMax - 2)
        #expect(throws: Never.self) { try parse("{}" + room) }
        #expect(throws: ImageFormatFailure.self) { try parse("{} " + room) }
    }
}
