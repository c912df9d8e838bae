// SPDX-License-Identifier: Apache-2.0
import Compliance
import Foundation
import TestKit
import Testing

@Suite("A test leaves a record of what it saw")
struct EvidenceTraitTests {
    private struct Planted: Error {}

    /// Runs `body` as a test with the trait, its issues kept from this test; gives the record.
    private static func record(
        of body: @escaping @Sendable () throws -> Void
    ) async throws -> EvidenceRecord? {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let trait = EvidenceTrait(
            id: "T-1", control: "a control", folder: folder.path(percentEncoded: false))
        let test = try #require(Test.current)
        let quiet = IssueHandlingTrait.compactMapIssues { _ in nil }
        do {
            try await quiet.provideScope(for: test, testCase: Test.Case.current) {
                try await trait.provideScope(for: test, testCase: Test.Case.current) {
                    try body()
                }
            }
        } catch is Planted {}
        let name = "T-1@\(Checkout.kernelRelease).json"
        let json = try Data(contentsOf: folder.appending(path: name))
        return try EvidenceRecord(json: json, file: name)
    }

    @Test("a test that sees its control pass leaves a passing record")
    func passes() async throws {
        let record = try await Self.record {
            Evidence.control(passed: true)
            Evidence.observe("EFAULT")
        }
        #expect(record?.result == .pass)
        #expect(record?.positiveControl == .init(description: "a control", result: .pass))
        #expect(record?.observation == "EFAULT")
        #expect(record?.commit == Checkout.current.commit)
        let started = record?.started.flatMap(EvidenceTime.init(rfc3339:))
        let now = Int64(Date.now.timeIntervalSince1970)
        #expect(started.map { (now - 600...now).contains($0.seconds) } == true)
    }

    @Test("an issue, an error, a failed control and a control never tried leave a failing record")
    func fails() async throws {
        let issue = try await Self.record {
            Evidence.control(passed: true)
            Issue.record("planted")
        }
        #expect(issue?.result == .fail)
        let error = try await Self.record {
            Evidence.control(passed: true)
            throw Planted()
        }
        #expect(error?.result == .fail)
        let failedControl = try await Self.record { Evidence.control(passed: false) }
        #expect(failedControl?.result == .fail)
        #expect(failedControl?.positiveControl.result == .fail)
        let untried = try await Self.record {}
        #expect(untried?.result == .fail)
        #expect(untried?.positiveControl.result == .fail)
    }
}
