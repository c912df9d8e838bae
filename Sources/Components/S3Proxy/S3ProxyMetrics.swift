// SPDX-License-Identifier: Apache-2.0
internal import MetricsFormat
internal import ObjectKeyPorts
internal import ObjectStorePorts
internal import RequestSignature
internal import S3Format
internal import SealedObject
internal import SecretMemory
internal import Synchronization

/// Counts of the proxy. Labels hold operations and codes only, never the name of a bucket, an
/// object or a client.
final class S3ProxyMetrics: Sendable {
    /// Upper bounds in seconds.
    static let buckets = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300]

    private struct Outcome: Hashable {
        let operation: String
        let code: String
    }

    private struct Histogram {
        var counts = [Int](repeating: 0, count: S3ProxyMetrics.buckets.count)
        var count = 0
        var seconds = 0.0
    }

    private struct State {
        var requests: [Outcome: Int] = [:]
        var times: [String: Histogram] = [:]
        var sealedBytes: Int64 = 0
        var openedBytes: Int64 = 0
        var unopened = 0
        var withoutKey = 0
    }

    private let state = Mutex(State())

    func count(_ operation: S3Operation?, _ refusal: Refusal?, took time: Duration) {
        let name = operation?.rawValue ?? "none"
        let (whole, rest) = time.components
        let seconds = Double(whole) + Double(rest) / 1e18
        state.withLock { state in
            state.requests[
                Outcome(operation: name, code: refusal?.code ?? "ok"), default: 0] += 1
            switch refusal {
            case .sealed(.memoryExhausted), .key(.sealed(.memoryExhausted)):
                state.withoutKey += 1
            case .sealed: state.unopened += 1
            case .key(.sealed), .key(.custody(.notAuthentic)), .key(.epochKeyMissing),
                .key(.epochKeyMalformed):
                state.unopened += 1
            case .key: state.withoutKey += 1
            default: break
            }
            var histogram = state.times[name] ?? Histogram()
            if let bucket = Self.buckets.firstIndex(where: { seconds <= $0 }) {
                histogram.counts[bucket] += 1
            }
            histogram.count += 1
            histogram.seconds += seconds
            state.times[name] = histogram
        }
    }

    func sealed(_ bytes: Int64) { state.withLock { $0.sealedBytes += bytes } }

    func opened(_ bytes: Int64) { state.withLock { $0.openedBytes += bytes } }

    func page(keyMemory: SecretArena.Statistics) -> String {
        let state = state.withLock { $0 }
        var page = MetricsPage()
        page.family(
            "cloudtaser_s3_requests_total", .counter, "Requests, by operation and S3 error code.",
            state.requests.map {
                (["operation": $0.key.operation, "code": $0.key.code], Double($0.value))
            })
        page.histogram(
            "cloudtaser_s3_request_seconds", "Time from head to end of the answer.",
            bounds: Self.buckets,
            state.times.map {
                MetricsPage.HistogramSample(
                    labels: ["operation": $0.key], counts: $0.value.counts, count: $0.value.count,
                    sum: $0.value.seconds)
            })
        page.family(
            "cloudtaser_s3_sealed_bytes_total", .counter, "Content that was sealed and stored.",
            [([:], Double(state.sealedBytes))])
        page.family(
            "cloudtaser_s3_opened_bytes_total", .counter, "Content that was opened and sent.",
            [([:], Double(state.openedBytes))])
        page.family(
            "cloudtaser_s3_unopened_total", .counter,
            "Requests for objects that are not as this proxy stored them.",
            [([:], Double(state.unopened))])
        page.family(
            "cloudtaser_s3_without_key_total", .counter,
            "Requests that ended because the vault gave no key.",
            [([:], Double(state.withoutKey))])
        page.family(
            "cloudtaser_s3_key_memory_refused_total", .counter,
            "Keys for which there was no secret memory.", [([:], Double(keyMemory.refused))])
        return page.text
    }
}

extension Refusal {
    /// For metrics and logs: S3's code.
    var code: String {
        switch self {
        case .signature(let answer): answer.code
        case .store(.notModified(_)): "NotModified"
        case .clientGone: "client_gone"
        default: error.code.rawValue
        }
    }
}
