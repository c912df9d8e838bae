// SPDX-License-Identifier: Apache-2.0
package import Inventory
package import NodePorts
package import Protection

/// Asks the agent of each node once.
package struct AgentRound: Sendable {
    private let agents: any NodeAgents

    package init(_ agents: any NodeAgents) { self.agents = agents }

    /// - Returns: by node, an answer for each node that was read.
    package func answers(for inventory: Inventory) async -> [String: NodeAnswer] {
        var found: [String: NodeAnswer] = [:]
        for node in inventory.agentAddresses {
            guard let text = node.address, let address = NodeAddress(text) else {
                found[node.name] = .noAgent
                continue
            }
            do throws(AgentAnswerFailure) {
                found[node.name] = .told(try await agents.protection(at: address))
            } catch { found[node.name] = .unreachable(error.shown) }
        }
        return found
    }
}
