// SPDX-License-Identifier: Apache-2.0

package enum MetricsPushFailure: Error, Sendable, Equatable {
    case addressInvalid
    case unreachable(detail: String)
    case refused(status: Int)

    package var reason: String {
        switch self {
        case .addressInvalid: "is not of the form http://host:port or https://host:port"
        case .unreachable(let detail): "not reached: \(detail)"
        case .refused(let status): "the Pushgateway answered with the status \(status)"
        }
    }
}

/// Hands the metrics of a job that is over to who keeps them
/// (https://github.com/prometheus/pushgateway).
package protocol MetricsPush: Sendable {
    /// Replaces what was pushed for the job before.
    func push(_ text: String, to address: String, job: String) async throws(MetricsPushFailure)
}
