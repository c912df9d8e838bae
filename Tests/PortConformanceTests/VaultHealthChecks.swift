// SPDX-License-Identifier: Apache-2.0
import InspectionPorts
import Testing

/// Vaults that the checks ask.
protocol VaultHealthBench: Sendable {
    var health: any VaultHealth { get }
    /// Where nobody listens.
    var nobody: String { get }
    /// - Returns: where somebody answers so from now on, believed or not.
    func serve(status: Int, _ body: String, isBelieved: Bool) async throws -> String
}

/// What every `VaultHealth` does: run against the fake, and against a scripted server through the
/// adapter.
struct VaultHealthCheck: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable (any VaultHealthBench) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (any VaultHealthBench) async throws -> Void) {
        testDescription = name
        self.run = run
    }

    private static let body = #"{"initialized":true,"sealed":false,"standby":false}"#

    static let all = [
        VaultHealthCheck("a vault's status says how it is") { bench in
            for (status, state) in [
                (200, VaultObservation.State.active), (429, .standby), (472, .standby),
                (473, .standby), (501, .notInitialized), (503, .sealed), (404, .other),
                (500, .other),
            ] {
                let address = try await bench.serve(status: status, body, isBelieved: true)
                #expect(try await bench.health.state(of: address) == state)
            }
        },
        VaultHealthCheck("what does not say whether it is sealed is no vault") { bench in
            for text in ["<html>", "", "[]", "{}", "ok"] {
                let address = try await bench.serve(status: 200, text, isBelieved: true)
                #expect(try await bench.health.state(of: address) == .other)
            }
        },
        VaultHealthCheck("who shows another's certificate is not believed") { bench in
            let address = try await bench.serve(status: 200, body, isBelieved: false)
            let failure = try await refusal { () throws(VaultSurveyFailure) in
                _ = try await bench.health.state(of: address)
            }
            guard case .tlsFailed = failure else {
                Issue.record("\(failure)")
                return
            }
        },
        VaultHealthCheck("an answer may be as large as the limit") { bench in
            let spaces = VaultHealthLimits.bodyBytesMax - body.utf8.count
            let text = body + String(repeating: " ", count: spaces)
            let fitting = try await bench.serve(status: 200, text, isBelieved: true)
            #expect(try await bench.health.state(of: fitting) == .active)
            let larger = try await bench.serve(status: 200, text + " ", isBelieved: true)
            let failure = try await refusal { () throws(VaultSurveyFailure) in
                _ = try await bench.health.state(of: larger)
            }
            #expect(failure == .unreachable(detail: "its answer is larger than any of a vault's"))
        },
        VaultHealthCheck("nobody answers where nobody listens") { bench in
            let failure = try await refusal { () throws(VaultSurveyFailure) in
                _ = try await bench.health.state(of: bench.nobody)
            }
            #expect(failure == .unreachable(detail: "cannot connect"))
        },
        VaultHealthCheck("an address has one form") { bench in
            for address in ["http://127.0.0.1:8200", "https://a b", "", "vault:8200"] {
                let failure = try await refusal { () throws(VaultSurveyFailure) in
                    _ = try await bench.health.state(of: address)
                }
                #expect(
                    failure
                        == .addressInvalid(detail: "it is not of the form https://host:port"))
            }
        },
        VaultHealthCheck("a cancelled question ends") { bench in
            let address = try await bench.serve(status: 200, body, isBelieved: true)
            let call = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await refusal { () throws(VaultSurveyFailure) in
                    _ = try await bench.health.state(of: address)
                }
            }
            call.cancel()
            #expect(try await call.value == .unreachable(detail: "it was given up"))
        },
    ]
}

/// The port's failure.
private func refusal(
    _ call: () async throws(VaultSurveyFailure) -> Void
) async throws -> VaultSurveyFailure {
    do throws(VaultSurveyFailure) { try await call() } catch { return error }
    throw NotRefused()
}

private struct NotRefused: Error {}
