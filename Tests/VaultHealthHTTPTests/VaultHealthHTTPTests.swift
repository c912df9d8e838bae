// SPDX-License-Identifier: Apache-2.0
import InspectionPorts
import LoopbackPKI
import ScriptedServer
import Testing
import VaultHealthHTTP

@Suite struct `A question to a vault` {
    private static let body = #"{"sealed":false}"#

    private func client(
        _ pki: LoopbackPKI, time: Duration = .seconds(300)
    ) throws -> VaultHealthHTTP {
        var settings = VaultHealthSettings()
        settings.requestTime = time
        settings.authorities = Array(pki.authority.certificatePEM.utf8)
        return try VaultHealthHTTP(settings)
    }

    @Test func `says nothing of who asks`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(200, Self.body)
        }
        let health = try client(server.pki)
        #expect(try await health.state(of: server.address + "/behind/") == .active)
        let request = try #require(server.requests.first)
        #expect(request.target == "/behind/v1/sys/health" && request.body.isEmpty)
        let names = Set(request.headers.map { $0.0.lowercased() })
        #expect(names.isSubset(of: ["host", "user-agent", "connection"]), "\(names)")
    }

    @Test func `leads nowhere else`() async throws {
        let elsewhere = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(200, Self.body)
        }
        let target = elsewhere.address + "/v1/sys/health"
        let server = try await ScriptedServer(pki: elsewhere.pki) { _, _ in
            ScriptedAnswer(307, Self.body, headers: [("Location", target)])
        }
        let health = try client(server.pki)
        #expect(try await health.state(of: server.address) == .other)
        #expect(elsewhere.requests.isEmpty)
        #expect(try await health.state(of: elsewhere.address) == .active, "control")
    }

    @Test func `is over when its time is`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            var answer = ScriptedAnswer()
            answer.isSilent = true
            return answer
        }
        let health = try client(server.pki, time: .milliseconds(300))
        await #expect(throws: VaultSurveyFailure.timedOut) {
            try await health.state(of: server.address)
        }
    }

    @Test func `needs authorities that are some`() async throws {
        var settings = VaultHealthSettings()
        for text in ["", "junk"] {
            settings.authorities = Array(text.utf8)
            #expect(throws: VaultHealthHTTP.SettingsInvalid.self) {
                try VaultHealthHTTP(settings)
            }
        }
        settings.authorities = nil
        _ = try VaultHealthHTTP(settings)
    }
}
