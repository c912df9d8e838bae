// SPDX-License-Identifier: Apache-2.0
package import InspectionPorts

/// `MetricsPush` by libcurl: one PUT.
package struct CurlMetricsPush: MetricsPush {
    private static let time = Duration.seconds(10)
    private static let answerBytesMax = 64 << 10

    package init() {}

    package func push(
        _ text: String, to address: String, job: String
    ) async throws(MetricsPushFailure) {
        guard let base = BaseAddress.text(of: address, schemes: ["http", "https"]) else {
            throw .addressInvalid
        }
        let request = CurlRequest(
            url: "\(base)/metrics/job/\(job)", headers: ["Content-Type: text/plain; version=0.0.4"],
            time: Self.time, connectTime: Self.time, bytesMax: Self.answerBytesMax,
            isWithoutTLS: base.hasPrefix("http://"), putText: text)
        let answer: CurlAnswer
        do throws(CurlFailure) {
            answer = try await CurlSession().perform(request)
        } catch {
            switch error {
            case .timedOut: throw .unreachable(detail: "no answer in time")
            case .tls(let detail), .unreachable(let detail): throw .unreachable(detail: detail)
            case .cancelled, .tooLarge: throw .unreachable(detail: "no answer of a Pushgateway")
            case .invalid: throw .addressInvalid
            }
        }
        guard (200..<300).contains(answer.status) else {
            throw .refused(status: answer.status)
        }
    }
}
