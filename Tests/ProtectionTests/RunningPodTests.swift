// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import Protection
import Testing

@Suite struct `A pod that runs` {
    private static func status(_ name: String, _ id: String?, state: String = "running") -> JSONTree
    {
        var status: JSONTree = [
            "name": .string(name),
            "state": .object([.init(state, ["startedAt": "2026-11-27T00:00:00Z"])]),
        ]
        if let id { status["containerID"] = .string(id) }
        return status
    }

    private static func pod(
        _ statuses: [JSONTree], initial: [JSONTree] = [], phase: String = "Running",
        node: String? = "n1"
    ) -> JSONTree {
        var spec: JSONTree = [:]
        if let node { spec["nodeName"] = .string(node) }
        return [
            "metadata": ["name": "web-1", "namespace": "shop"], "spec": spec,
            "status": [
                "phase": .string(phase), "containerStatuses": .array(statuses),
                "initContainerStatuses": .array(initial),
            ],
        ]
    }

    private static let web = status("web", "containerd://" + container("a"))

    @Test func `has its wrapped containers that run, by their identifiers`() {
        let pod = Self.pod(
            [
                Self.web, Self.status("log", "cri-o://" + container("b")),
                Self.status("other", "containerd://" + container("c")),
                Self.status("waits", nil, state: "waiting"),
            ], initial: [Self.status("first", "containerd://" + container("d"))])
        #expect(
            RunningPod(pod, wrapped: ["first", "web", "waits", "absent"], bare: ["other", "late"])
                == RunningPod(
                    name: "web-1", node: "n1",
                    wrapped: [
                        .init(name: "first", id: container("d")),
                        .init(name: "web", id: container("a")),
                    ], bare: ["other"]))
    }

    @Test(arguments: [nil, "", "web", "containerd://"])
    func `has a container that nobody can name`(_ id: String?) {
        let pod = RunningPod(Self.pod([Self.status("web", id)]), wrapped: ["web"], bare: [])
        #expect(pod?.wrapped == [.init(name: "web", id: nil)])
    }

    @Test func `is none when it has ended, goes, or waits`() {
        func isNone(_ pod: JSONTree) -> Bool {
            RunningPod(pod, wrapped: ["web"], bare: []) == nil
        }
        #expect(!isNone(Self.pod([Self.web])), "control")
        #expect(!isNone(Self.pod([Self.web], phase: "Pending")), "its init container may run")
        #expect(isNone(Self.pod([Self.web], phase: "Succeeded")))
        #expect(isNone(Self.pod([Self.web], phase: "Failed")))
        #expect(isNone(Self.pod([Self.web], node: nil)))
        #expect(isNone(Self.pod([])))
        #expect(isNone(Self.pod([Self.status("web", nil, state: "waiting")])))
        #expect(isNone(Self.pod([Self.status("web", nil, state: "terminated")])))
        var going = Self.pod([Self.web])
        going["metadata"] = ["name": "web-1", "deletionTimestamp": "2026-11-27T00:00:00Z"]
        #expect(isNone(going))
        #expect(RunningPod(Self.pod([Self.web]), wrapped: [], bare: []) == nil)
        #expect(RunningPod(Self.pod([Self.web]), wrapped: [], bare: ["web"]) != nil)
    }
}
