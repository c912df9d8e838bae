// SPDX-License-Identifier: Apache-2.0
internal import KubernetesPorts
internal import Ports
internal import SimulatedCluster
internal import SimulationEngine

extension SimulationRun {
    /// How long a call to nobody takes before it is given up.
    private static let callTimeMax = Duration.seconds(2)

    /// What the network does to a call of a component to the API server, which listens at `server`.
    ///
    /// - Parameter mark: hit when an answer does not arrive.
    func meet(
        _ call: KubernetesCall, of name: String, _ clock: SimulatedClock, lost mark: String
    ) async -> SimulatedKubernetesFault? {
        let host = "server"
        switch network.route(from: name, to: host) {
        case .reached(_, let latency):
            if latency > Self.callTimeMax {
                await clock.sleep(for: Self.callTimeMax)
                marks.hit(mark)
                return .answerLost(.timedOut(host: host))
            }
            await clock.sleep(for: latency)
            guard faults.fires("api.conflict") else { return nil }
            return .before(.conflict(path: call.name, fields: []))
        case .lost:
            await clock.sleep(for: Self.callTimeMax)
            return .before(.timedOut(host: host))
        case .refused: return .before(.unreachable(host: host, detail: "refused"))
        case .reset(_, let latency):
            await clock.sleep(for: min(latency, Self.callTimeMax))
            marks.hit(mark)
            return .answerLost(.unreachable(host: host, detail: "reset"))
        }
    }
}
