// SPDX-License-Identifier: Apache-2.0
import CurlHTTP
import InspectionPorts
import LoopbackPKI
import ScriptedServer
import Testing

@Suite("A vault, from outside") struct CurlVaultSurveyTests {
    private let survey = CurlVaultSurvey(time: .seconds(300))

    private func authority(_ pki: LoopbackPKI) -> [UInt8] {
        Array(pki.authority.certificatePEM.utf8)
    }

    @Test(
        arguments: [
            (200, VaultObservation.State.active), (429, .standby), (473, .standby),
            (501, .notInitialized), (503, .sealed), (404, .other),
        ])
    func `says by its status what it is`(
        _ status: Int, _ expected: VaultObservation.State
    ) async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(status, #"{"sealed":false,"version":"2.4.1"}"#)
        }
        let found = try await survey.observe(
            server.address + "/", authorities: authority(server.pki))
        #expect(found.state == expected)
        #expect(found.address == "127.0.0.1")
        #expect(found.version == "2.4.1")
        #expect(server.requests.map(\.target) == ["/v1/sys/health"])
        #expect(server.requests.allSatisfy { $0.header("Authorization") == nil })
        let leaf = try #require(found.certificates.first)
        #expect(!leaf.subject.isEmpty && !leaf.issuer.isEmpty)
        #expect(leaf.notAfter.hasSuffix("GMT"))
    }

    @Test func `what answers without saying whether it is sealed is no vault`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(200, "<html>")
        }
        let found = try await survey.observe(server.address, authorities: authority(server.pki))
        #expect(found.state == .other)
    }

    @Test func `is not asked when its certificate is another's`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        let stranger = try LoopbackPKI(commonName: "Another CA")
        await #expect(throws: VaultSurveyFailure.self) {
            try await survey.observe(server.address, authorities: authority(stranger))
        }
        #expect(server.requests.isEmpty)
    }

    @Test(arguments: ["http://127.0.0.1:8200", "https://a b", "https://u@h", "", "https://h/?q"])
    func `has an address of one form`(_ address: String) async throws {
        await #expect(throws: VaultSurveyFailure.self) {
            try await survey.observe(address, authorities: nil)
        }
    }
}
