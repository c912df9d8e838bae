// SPDX-License-Identifier: Apache-2.0
package import MetricsFormat
internal import Synchronization

package enum AdmissionDecision: String, Sendable, CaseIterable {
    case patched, unchanged
    case notAsked = "not_asked"
    case refused
}

/// Counts of the admission webhooks. What controller-runtime measures too has its name. Labels
/// hold words of ours only, never the name of a pod, namespace or secret.
package final class AdmissionMetrics: Sendable {
    /// Upper bounds in seconds.
    static let buckets = [
        0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
    ]

    private struct Histogram {
        var counts = [Int](repeating: 0, count: AdmissionMetrics.buckets.count)
        var count = 0
        var seconds = 0.0
    }

    private struct RequestKind: Hashable {
        let path: String
        let status: Int
    }

    private struct DecisionKind: Hashable {
        let purpose: AdmissionPurpose
        let decision: AdmissionDecision
    }

    private struct State {
        var requests: [RequestKind: Int] = [:]
        var decisions: [DecisionKind: Int] = [:]
        var latencies: [AdmissionPurpose: Histogram] = [:]
        var inFlight: [AdmissionPurpose: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    func began(_ purpose: AdmissionPurpose) {
        state.withLock { $0.inFlight[purpose, default: 0] += 1 }
    }

    func decided(_ purpose: AdmissionPurpose, _ decision: AdmissionDecision) {
        state.withLock {
            $0.decisions[DecisionKind(purpose: purpose, decision: decision), default: 0] += 1
        }
    }

    func ended(_ purpose: AdmissionPurpose, status: Int, after time: Duration) {
        let (whole, rest) = time.components
        let seconds = Double(whole) + Double(rest) / 1e18
        state.withLock { state in
            state.inFlight[purpose, default: 0] -= 1
            state.requests[
                RequestKind(path: "/\(purpose.rawValue)", status: status), default: 0] += 1
            var histogram = state.latencies[purpose] ?? Histogram()
            if let bucket = Self.buckets.firstIndex(where: { seconds <= $0 }) {
                histogram.counts[bucket] += 1
            }
            histogram.count += 1
            histogram.seconds += seconds
            state.latencies[purpose] = histogram
        }
    }

    /// The server refused a request before it was a review.
    ///
    /// - Parameter path: one of ours, or empty.
    package func refusedRequest(_ path: String, status: Int) {
        state.withLock {
            $0.requests[RequestKind(path: path, status: status), default: 0] += 1
        }
    }

    package func append(to page: inout MetricsPage) {
        let state = state.withLock { $0 }
        page.family(
            "controller_runtime_webhook_requests_total", .counter,
            "Requests by webhook and HTTP status; an empty webhook is none of ours.",
            state.requests.map { kind, count in
                (["webhook": kind.path, "code": String(kind.status)], Double(count))
            })
        page.family(
            "controller_runtime_webhook_requests_in_flight", .gauge, "Reviews being answered.",
            AdmissionPurpose.allCases.map { purpose in
                (["webhook": "/\(purpose.rawValue)"], Double(state.inFlight[purpose] ?? 0))
            })
        page.histogram(
            "controller_runtime_webhook_latency_seconds",
            "Time of a review, without its transport.",
            bounds: Self.buckets,
            state.latencies.map { purpose, histogram in
                .init(
                    labels: ["webhook": "/\(purpose.rawValue)"], counts: histogram.counts,
                    count: histogram.count, sum: histogram.seconds)
            })
        page.family(
            "cloudtaser_operator_admission_decisions_total", .counter,
            "Reviews by what was decided.",
            state.decisions.map { kind, count in
                (
                    ["webhook": "/\(kind.purpose.rawValue)", "decision": kind.decision.rawValue],
                    Double(count)
                )
            })
    }
}
