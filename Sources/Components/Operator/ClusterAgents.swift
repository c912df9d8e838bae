// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import NodePorts
internal import Protection

/// The agents' pods, and what they tell of their nodes.
struct ClusterAgents: Sendable {
    /// As the chart labels them (deploy/helm/cloudtaser/templates/_helpers.tpl).
    static let labels = "app.kubernetes.io/name=cloudtaser,app.kubernetes.io/component=agent"
    /// Agents that are asked at once; each of them takes some seconds at most.
    static let parallelMax = 32

    /// A pod of the agent.
    private struct Agent: Sendable {
        let name: String
        let address: NodeAddress
        let isGoing: Bool

        /// Who is asked where a node has several, as while one takes over from another.
        func comesBefore(_ other: Agent) -> Bool {
            isGoing != other.isGoing ? !isGoing : name < other.name
        }
    }

    private let api: any KubernetesAPI
    private let agents: any NodeAgents
    private let pods: ResourceCollection

    init(api: any KubernetesAPI, agents: any NodeAgents, namespace: String) {
        self.api = api
        self.agents = agents
        var pods = UninjectedPods.collection
        pods.namespace = namespace
        self.pods = pods
    }

    /// By node.
    func answers(
        from nodes: Set<String>
    ) async throws(KubernetesFailure) -> [String: NodeAnswer] {
        guard !nodes.isEmpty else { return [:] }
        let found = try await running()
        let asked = nodes.sorted()
        let answers = await asked.concurrently(atMost: Self.parallelMax) { [agents] node in
            guard let agent = found[node] else { return NodeAnswer.noAgent }
            do throws(AgentAnswerFailure) {
                return .told(try await agents.protection(at: agent.address))
            } catch { return .unreachable(error.shown) }
        }
        return Dictionary(uniqueKeysWithValues: zip(asked, answers))
    }

    private func running() async throws(KubernetesFailure) -> [String: Agent] {
        var found: [String: Agent] = [:]
        var continuation: String?
        repeat {
            let page = try await api.list(
                pods, ObjectSelection(labels: Self.labels), limit: KubernetesLimits.pageItemsMax,
                continuation: continuation)
            for item in page.items {
                guard let pod = try? JSONTree(item), let (node, agent) = Self.agent(pod) else {
                    continue
                }
                if let other = found[node], other.comesBefore(agent) { continue }
                found[node] = agent
            }
            continuation = page.continuation
        } while continuation != nil
        return found
    }

    private static func agent(_ pod: JSONTree) -> (node: String, Agent)? {
        guard let name = pod.value(at: "metadata", "name")?.text,
            let node = pod.value(at: "spec", "nodeName")?.text,
            pod.value(at: "status", "phase")?.text == "Running",
            let address = pod.value(at: "status", "podIP")?.text.flatMap({ NodeAddress($0) })
        else { return nil }
        let isGoing = pod.value(at: "metadata", "deletionTimestamp") != nil
        return (node, Agent(name: name, address: address, isGoing: isGoing))
    }
}
