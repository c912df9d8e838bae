// SPDX-License-Identifier: Apache-2.0
package import InspectionPorts
internal import KubernetesFormat

/// `VaultSurvey` by libcurl: one `GET /v1/sys/health`.
package struct CurlVaultSurvey: VaultSurvey {
    private static let textCharactersMax = 256

    private let time: Duration

    package init(time: Duration = .seconds(10)) { self.time = time }

    package func observe(
        _ address: String, authorities: [UInt8]?
    ) async throws(VaultSurveyFailure) -> VaultObservation {
        guard let base = BaseAddress.text(of: address, schemes: ["https"]) else {
            throw .addressInvalid(detail: "it is not of the form https://host:port")
        }
        let request = CurlRequest(
            url: base + "/v1/sys/health", authorities: authorities, time: time,
            connectTime: time, bytesMax: VaultHealthLimits.bodyBytesMax, wantsCertificates: true)
        let answer: CurlAnswer
        do throws(CurlFailure) {
            answer = try await CurlSession().perform(request)
        } catch { throw Self.failure(error) }
        return VaultObservation(
            state: Self.state(answer), address: answer.address,
            certificates: answer.certificates.map(Self.certificate),
            version: (try? JSONTree(answer.body))?["version"]?.text.map {
                String($0.prefix(Self.textCharactersMax))
            })
    }

    /// https://openbao.org/api-docs/system/health/: the status says it all.
    private static func state(_ answer: CurlAnswer) -> VaultObservation.State {
        guard (try? JSONTree(answer.body))?["sealed"] != nil else { return .other }
        return VaultObservation.State(healthStatus: answer.status)
    }

    private static func certificate(_ lines: [String: String]) -> ShownCertificate {
        func text(_ name: String) -> String {
            String((lines[name] ?? "").prefix(textCharactersMax))
        }
        return ShownCertificate(
            subject: text("Subject"), issuer: text("Issuer"), notBefore: text("Start date"),
            notAfter: text("Expire date"), serial: text("Serial Number"))
    }

    static func failure(_ failure: CurlFailure) -> VaultSurveyFailure {
        switch failure {
        case .timedOut: .timedOut
        case .tls(let detail): .tlsFailed(detail: detail)
        case .invalid(let detail): .addressInvalid(detail: detail)
        case .tooLarge: .unreachable(detail: "its answer is larger than any of a vault's")
        case .cancelled: .unreachable(detail: "it was given up")
        case .unreachable(let detail): .unreachable(detail: detail)
        }
    }
}
