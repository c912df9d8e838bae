// SPDX-License-Identifier: Apache-2.0
internal import ImagePorts
internal import MetricsFormat
internal import Synchronization

/// Counts of what images were looked up. No label names one.
package final class ImageMetrics: Sendable {
    enum Result: String, CaseIterable {
        /// Known, without a call.
        case hit
        case found, failed
        /// No answer within the time of a review.
        case late
    }

    private struct State {
        var lookups: [Result: Int] = [:]
        var calls: [String: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    func lookedUp(_ result: Result) {
        state.withLock { $0.lookups[result, default: 0] += 1 }
    }

    /// - Parameter failure: nil: the registry sent what it was asked for.
    func called(_ failure: RegistryFailure?) {
        let outcome = failure.map(Self.word) ?? "ok"
        state.withLock { $0.calls[outcome, default: 0] += 1 }
    }

    private static func word(_ failure: RegistryFailure) -> String {
        switch failure {
        case .unauthorized: "unauthorized"
        case .notFound: "not_found"
        case .rateLimited: "rate_limited"
        case .unavailable: "unavailable"
        case .timedOut: "timed_out"
        case .tlsFailed: "tls_failed"
        case .tooLarge: "too_large"
        case .malformed: "malformed"
        case .digestMismatch: "digest_mismatch"
        case .cancelled: "cancelled"
        }
    }

    func append(to page: inout MetricsPage, entries: Int) {
        let state = state.withLock { $0 }
        page.family(
            "cloudtaser_operator_image_lookups_total", .counter,
            "Images whose command a pod left out, by what came of looking it up.",
            Result.allCases.map { (["result": $0.rawValue], Double(state.lookups[$0] ?? 0)) })
        page.family(
            "cloudtaser_operator_registry_calls_total", .counter,
            "Calls to registries by what came of them.",
            state.calls.map { (["outcome": $0.key], Double($0.value)) })
        page.family(
            "cloudtaser_operator_image_cache_entries", .gauge,
            "Tags, manifests and configs that are known.", [([:], Double(entries))])
    }
}
