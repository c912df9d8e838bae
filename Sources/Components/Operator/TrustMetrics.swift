// SPDX-License-Identifier: Apache-2.0
package import MetricsFormat
internal import Synchronization

extension WebhookTrust.Report {
    /// As a metric's label and as an event of a log.
    package var name: String {
        switch self {
        case .secretReplaced: "certificates_replaced"
        case .authorityAdded: "authority_added"
        case .authoritiesDropped: "authorities_dropped"
        case .leafRenewed: "certificate_renewed"
        case .configurationWritten: "configuration_written"
        case .served: "certificate_served"
        case .ownerUnknown: "owner_unknown"
        case .callFailed: "call_failed"
        case .failed: "round_failed"
        case .notIssued: "certificate_not_issued"
        case .conditionsDropped: "conditions_dropped"
        }
    }

    /// Whether a look at everything came to no end.
    package var isFailedRound: Bool {
        switch self {
        case .failed, .notIssued, .conditionsDropped: true
        default: false
        }
    }
}

extension MetricsPage {
    /// - Parameter validUntil: of what is served, in seconds since 1970; nil: nothing is.
    package mutating func certificateExpiration(_ validUntil: Int64?) {
        family(
            "cloudtaser_operator_certificate_expiration_timestamp_seconds", .gauge,
            "When the certificate that is served expires, in seconds since 1970.",
            validUntil.map { [([:], Double($0))] } ?? [])
    }
}

/// Counts what became of the webhook's certificates.
package final class TrustMetrics: Sendable {
    private let counts = Mutex<[String: Int]>([:])
    private let failedRounds = Mutex(0)

    package init() {}

    package func count(_ report: WebhookTrust.Report) {
        counts.withLock { $0[report.name, default: 0] += 1 }
        if report.isFailedRound { failedRounds.withLock { $0 += 1 } }
    }

    package func append(to page: inout MetricsPage) {
        page.family(
            "cloudtaser_operator_certificate_failed_rounds_total", .counter,
            "Looks at the certificates and the webhook's configuration that came to no end.",
            [([:], Double(failedRounds.withLock { $0 }))])
        page.family(
            "cloudtaser_operator_certificate_events_total", .counter,
            "What became of the certificates and of the webhook's configuration.",
            counts.withLock { $0 }.map { (["event": $0.key], Double($0.value)) })
    }
}
