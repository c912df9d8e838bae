// SPDX-License-Identifier: Apache-2.0
package import Ports

/// The agent of a simulated node: answers what the run wants it to.
package final class SimulatedNodeAgent: NodeAgent {
    private let answer: () -> Result<NodeRegistration, NodeAgentFailure>
    package private(set) var registrations = 0

    /// What is scanned for now; nil: nothing yet.
    package private(set) var scan: OutputScan?
    private let scanAnswer: () -> NodeAgentFailure?

    /// - Parameter scanAnswer: why a scan is refused; nil: it is done.
    package init(
        answer: @escaping () -> Result<NodeRegistration, NodeAgentFailure>,
        scanAnswer: @escaping () -> NodeAgentFailure? = { nil }
    ) {
        self.answer = answer
        self.scanAnswer = scanAnswer
    }

    package func register() throws(NodeAgentFailure) -> NodeRegistration {
        let registration = try answer().get()
        registrations += 1
        return registration
    }

    package func scan(_ scan: OutputScan) throws(NodeAgentFailure) {
        guard registrations > 0 else { throw .refused(reason: "unregistered") }
        if let failure = scanAnswer() { throw failure }
        self.scan = scan
    }
}
