// SPDX-License-Identifier: Apache-2.0
import Compliance
internal import Foundation
import Synchronization
package import Testing

extension Trait where Self == EvidenceTrait {
    /// The test backs the catalogue's test `id`; `control` says where the same attack or scan
    /// must succeed.
    ///
    /// The test calls `Evidence.control(passed:)` once it has seen the control succeed, and may
    /// call `Evidence.observe(_:)`. A test that never reports its control fails: it could not
    /// have told protection from a broken attack. Where `CLOUDTASER_EVIDENCE_DIR` names a
    /// folder, one record is written there for each id and kernel.
    package static func evidence(_ id: String, control: String) -> Self {
        let folder = ProcessInfo.processInfo.environment["CLOUDTASER_EVIDENCE_DIR"]
        return EvidenceTrait(id: id, control: control, folder: folder)
    }
}

/// Writes what a test observed as an `EvidenceRecord`.
package struct EvidenceTrait: TestTrait, TestScoping {
    package let id: String
    package let control: String
    /// Where records go; nil: nowhere.
    package let folder: String?

    package init(id: String, control: String, folder: String?) {
        self.id = id
        self.control = control
        self.folder = folder
    }

    package func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        let notes = Evidence.Notes()
        let started = Date.now.formatted(.iso8601)
        let watch = IssueHandlingTrait.compactMapIssues { issue in
            if issue.isFailure { notes.fail() }
            return issue
        }
        do {
            try await Evidence.$notes.withValue(notes) {
                try await watch.provideScope(for: test, testCase: testCase, performing: function)
            }
        } catch {
            notes.fail()
            try write(notes, started)
            throw error
        }
        if !notes.controlWasSeen {
            notes.fail()
            Issue.record("\(id): the positive control was not seen to pass: \(control)")
        }
        try write(notes, started)
    }

    /// - Parameter started: RFC 3339.
    private func write(_ notes: Evidence.Notes, _ started: String) throws {
        guard let folder else { return }
        let record = Self.merged(
            EvidenceRecord(
                id: id, result: notes.failed ? .fail : .pass, kernel: Checkout.kernelRelease,
                positiveControl: .init(
                    description: control, result: notes.controlWasSeen ? .pass : .fail),
                observation: notes.observation, commit: Checkout.current.commit,
                dirty: Checkout.current.dirty, started: started), in: folder)
        let url = URL(filePath: folder)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        try record.json().write(to: url.appending(path: record.fileName), options: .atomic)
    }

    /// Cases of one test, and tests of one id, share a record; one that failed is not forgotten.
    private static func merged(_ record: EvidenceRecord, in folder: String) -> EvidenceRecord {
        written.withLock { written in
            let key = "\(folder)/\(record.fileName)"
            guard let earlier = written[key] else {
                written[key] = record
                return record
            }
            if earlier.result == .fail || earlier.positiveControl.result == .fail { return earlier }
            let isNew = !earlier.observation.contains(record.observation)
            let both = EvidenceRecord(
                id: record.id, result: record.result, kernel: record.kernel,
                positiveControl: record.positiveControl,
                observation: isNew
                    ? "\(earlier.observation); \(record.observation)" : earlier.observation,
                commit: record.commit, dirty: record.dirty, started: earlier.started)
            written[key] = both
            return both
        }
    }

    private static let written = Mutex<[String: EvidenceRecord]>([:])
}

/// What a test says to its `EvidenceTrait`.
package enum Evidence {
    /// The control was tried; `passed` when it succeeded as it must.
    package static func control(passed: Bool) {
        notes?.control(passed: passed)
    }

    /// One sentence without any secret; later sentences follow earlier ones.
    package static func observe(_ sentence: String) {
        notes?.observe(sentence)
    }

    @TaskLocal static var notes: Notes?

    final class Notes: Sendable {
        private struct State {
            var failed = false
            var controls: [Bool] = []
            var sentences: [String] = []
        }

        private let state = Mutex(State())

        var failed: Bool { state.withLock(\.failed) }
        var controlWasSeen: Bool {
            state.withLock { !$0.controls.isEmpty && !$0.controls.contains(false) }
        }
        var observation: String {
            state.withLock { state in
                state.sentences.isEmpty ? "as expected" : state.sentences.joined(separator: "; ")
            }
        }

        func fail() { state.withLock { $0.failed = true } }
        func control(passed: Bool) { state.withLock { $0.controls.append(passed) } }
        func observe(_ sentence: String) { state.withLock { $0.sentences.append(sentence) } }
    }
}
