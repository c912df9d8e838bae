// SPDX-License-Identifier: Apache-2.0
import CurlHTTP
import InspectionPorts
import ScriptedServer
import Testing

@Suite("Metrics that are pushed") struct CurlMetricsPushTests {
    @Test func `replace those of the job`() async throws {
        let server = try await PlainServer { _, _ in ScriptedAnswer(202, "") }
        try await CurlMetricsPush().push(
            "a 1\n", to: "http://127.0.0.1:\(server.port)/", job: "cloudtaser_audit")
        let request = try #require(server.requests.first)
        #expect(request.method == "PUT")
        #expect(request.target == "/metrics/job/cloudtaser_audit")
        #expect(request.body == Array("a 1\n".utf8))
        #expect(request.header("Content-Type") == "text/plain; version=0.0.4")
    }

    @Test func `that are refused, or go nowhere, are told`() async throws {
        let server = try await PlainServer { _, _ in ScriptedAnswer(400, "") }
        await #expect(throws: MetricsPushFailure.refused(status: 400)) {
            try await CurlMetricsPush().push(
                "a 1\n", to: "http://127.0.0.1:\(server.port)", job: "j")
        }
        for address in ["ftp://h", "h:1", "http://u@h", ""] {
            await #expect(throws: MetricsPushFailure.addressInvalid) {
                try await CurlMetricsPush().push("a 1\n", to: address, job: "j")
            }
        }
        await #expect(throws: MetricsPushFailure.self) {
            try await CurlMetricsPush().push("a 1\n", to: "http://127.0.0.1:1", job: "j")
        }
    }
}
