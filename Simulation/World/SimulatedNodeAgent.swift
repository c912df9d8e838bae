// SPDX-License-Identifier: Apache-2.0
package import Ports

/// The agent of a simulated node: answers what the run wants it to.
package final class SimulatedNodeAgent: NodeAgent {
    private let answer: () -> Result<NodeRegistration, NodeAgentFailure>
    package private(set) var registrations = 0

    package init(answer: @escaping () -> Result<NodeRegistration, NodeAgentFailure>) {
        self.answer = answer
    }

    package func register() throws(NodeAgentFailure) -> NodeRegistration {
        let registration = try answer().get()
        registrations += 1
        return registration
    }
}
