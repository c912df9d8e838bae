// SPDX-License-Identifier: Apache-2.0
import Inspector
import Inventory
import KubernetesFormat
import NodePorts
import Protection
import Testing

private struct PlannedAgents: NodeAgents {
    let answers: [String: Result<NodeProtection, AgentAnswerFailure>]

    func protection(
        at address: NodeAddress
    ) async throws(AgentAnswerFailure) -> NodeProtection {
        try (answers["\(address)"] ?? .failure(.timedOut)).get()
    }
}

@Suite("Agents that are asked") struct AgentRoundTests {
    private func object(_ tree: JSONTree) throws -> ClusterObject {
        try ClusterObject(tree, source: "cluster")
    }

    private func node(_ name: String) throws -> ClusterObject {
        try object(["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name)]])
    }

    private func agent(on node: String, at address: String) throws -> ClusterObject {
        try object([
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string("agent-\(node)"), "namespace": "cloudtaser-system",
                "labels": [
                    "app.kubernetes.io/name": "cloudtaser",
                    "app.kubernetes.io/component": "agent",
                ],
            ],
            "spec": ["nodeName": .string(node), "containers": [["name": "agent", "image": "a"]]],
            "status": [
                "podIP": .string(address), "conditions": [["type": "Ready", "status": "True"]],
            ],
        ])
    }

    @Test func `each node has an answer, and silence is none`() async throws {
        let told = NodeProtection(tier: .lsm, mode: .deny, scans: true, containers: [:])
        let agents = PlannedAgents(answers: ["10.0.0.1:9464": .success(told)])
        let inventory = Inventory([
            try node("a"), try node("b"), try node("c"), try agent(on: "a", at: "10.0.0.1"),
            try agent(on: "b", at: "10.0.0.2"),
        ])
        let answers = await AgentRound(agents).answers(for: inventory)
        #expect(
            answers == [
                "a": .told(told), "b": .unreachable("it does not answer in time"),
                "c": .noAgent,
            ])
    }
}
