// SPDX-License-Identifier: Apache-2.0
import Injection
import Testing

@Suite struct `Containers of a stored pod` {
    private static let wrapped =
        #"["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web"]"#

    private static func pod(
        _ commands: [String], initial: [String] = [], asks: String? = "true"
    ) -> [UInt8] {
        func containers(_ commands: [String], _ prefix: String) -> String {
            commands.enumerated().map { #"{"name": "\#(prefix)\#($0)", "command": \#($1)}"# }
                .joined(separator: ",")
        }
        let labels = asks.map { #""labels": {"cloudtaser.io/inject": "\#($0)"},"# } ?? ""
        return Array(
            """
            {"metadata": {\(labels) "annotations": {"cloudtaser.io/secret-paths": "a/b"}},
             "spec": {"initContainers": [\(containers(initial, "i"))],
                      "containers": [\(containers(commands, "c"))]}}
            """.utf8)
    }

    private static func found(_ pod: [UInt8]) -> StoredPod.Containers? {
        StoredPod.containers(of: pod, in: NamespaceFacts(name: "shop"))
    }

    @Test func `are told apart by how they start`() throws {
        let install = #"["/cloudtaser-wrapper", "install"]"#
        let found = try #require(
            Self.found(
                Self.pod(
                    [Self.wrapped, #"["/bin/other"]"#], initial: [install, Self.wrapped])))
        #expect(found.wrapped == ["i1", "c0"] && found.bare == ["c1"])
    }

    @Test func `count when the pod asks no more, as far as they are wrapped`() throws {
        let silent = try #require(
            Self.found(Self.pod([Self.wrapped, #"["/bin/other"]"#], asks: nil)))
        #expect(silent.wrapped == ["c0"] && silent.bare == [])
    }

    @Test func `are none of a pod that neither asks nor is wrapped`() {
        #expect(Self.found(Self.pod([#"["/bin/web"]"#], asks: nil)) == nil)
        #expect(Self.found(Self.pod([#"["/bin/web"]"#], asks: "false")) == nil)
        let unread = Self.found(Array("no pod".utf8))
        #expect(unread?.wrapped == [] && unread?.bare == [StoredPod.unreadContainers])
        #expect(Self.found(Self.pod([#"["/bin/web"]"#]))?.bare == ["c0"], "control")
    }
}
