// SPDX-License-Identifier: Apache-2.0
package import InspectionPorts
internal import Synchronization

/// `VaultHealth` straight on what vaults would say, without HTTP.
package final class SimulatedVaultHealth: VaultHealth {
    /// What somebody answers who listens at an address.
    package struct Answer: Sendable, Equatable {
        package var status: Int
        package var body: String
        /// Whether its certificate is one for the vault's name, of an authority that is believed.
        package var isBelieved: Bool

        package init(
            status: Int = 200, body: String = #"{"sealed":false}"#, isBelieved: Bool = true
        ) {
            self.status = status
            self.body = body
            self.isBelieved = isBelieved
        }
    }

    /// Called at the start of each call: takes the time that the network takes, and says whether
    /// the call fails.
    private let begin: @Sendable (String) async -> VaultSurveyFailure?
    private let answers = Mutex<[String: Answer]>([:])
    private let calls = Mutex<[String]>([])

    package init(
        begin: @escaping @Sendable (String) async -> VaultSurveyFailure? = { _ in nil }
    ) { self.begin = begin }

    /// Addresses that were asked, in order.
    package var asked: [String] { calls.withLock { $0 } }

    /// - Parameter answer: nil: nobody serves there any more.
    package func serve(_ address: String, _ answer: Answer?) {
        answers.withLock { $0[address] = answer }
    }

    package func state(
        of address: String
    ) async throws(VaultSurveyFailure) -> VaultObservation.State {
        guard address.hasPrefix("https://"), !address.utf8.contains(where: { $0 <= 0x20 }) else {
            throw .addressInvalid(detail: "it is not of the form https://host:port")
        }
        guard !Task.isCancelled else { throw .unreachable(detail: "it was given up") }
        calls.withLock { $0.append(address) }
        let fault = await begin(address)
        guard !Task.isCancelled else { throw .unreachable(detail: "it was given up") }
        if let fault { throw fault }
        guard let answer = answers.withLock({ $0[address] }) else {
            throw .unreachable(detail: "cannot connect")
        }
        guard answer.isBelieved else { throw .tlsFailed(detail: "simulated") }
        guard answer.body.utf8.count <= VaultHealthLimits.bodyBytesMax else {
            throw .unreachable(detail: "its answer is larger than any of a vault's")
        }
        guard answer.body.contains(#""sealed""#) else { return .other }
        return VaultObservation.State(healthStatus: answer.status)
    }
}
