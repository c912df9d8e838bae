// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import Testing

@Suite("Answers of an API server") struct AnswerTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("a list's items are cut out as they stand")
    func list() throws {
        let list = try ListDocument(
            bytes(
                #"{"metadata":{"resourceVersion":"7","continue":"abc"},"#
                    + #""items":[ {"a" : 1.50} ,{}]}"#))
        #expect(list.items == [bytes(#"{"a" : 1.50}"#), bytes("{}")])
        #expect(list.resourceVersion == "7" && list.continuation == "abc")
        let last = try ListDocument(
            bytes(#"{"metadata":{"resourceVersion":"7","continue":""},"items":[]}"#))
        #expect(last.continuation == nil && last.items.isEmpty)
    }

    @Test(
        "what is no list is refused",
        arguments: [
            "", "{}", "[]", #"{"items":[]}"#, #"{"metadata":{"resourceVersion":"7"}}"#,
            #"{"metadata":{"resourceVersion":"7"},"items":[}"#,
        ])
    func noList(_ text: String) {
        #expect(throws: AnswerFailure.self) { try ListDocument(bytes(text)) }
    }

    @Test("a watch's lines are told apart")
    func lines() throws {
        func line(_ type: String, _ object: String) throws -> WatchLine {
            try WatchLine(bytes(#"{"type":"\#(type)","object":\#(object)}"#))
        }
        let object = #"{ "x":1}"#
        #expect(try line("ADDED", object) == .added(bytes(object)))
        #expect(try line("MODIFIED", object) == .modified(bytes(object)))
        #expect(try line("DELETED", object) == .deleted(bytes(object)))
        #expect(
            try line("BOOKMARK", #"{"metadata":{"resourceVersion":"9"}}"#)
                == .bookmark(resourceVersion: "9"))
        let status = #"{"kind":"Status","code":410,"reason":"Expired","message":"m"}"#
        #expect(
            try line("ERROR", status)
                == .error(StatusDocument(code: 410, reason: "Expired", message: "m")))
        #expect(throws: AnswerFailure.self) { try line("OTHER", object) }
        #expect(throws: AnswerFailure.self) { try line("BOOKMARK", "{}") }
        #expect(throws: AnswerFailure.self) { try WatchLine(bytes(#"{"type":"ADDED"}"#)) }
    }

    @Test("a status is read as it is written")
    func status() {
        let status = StatusDocument(
            code: 409, reason: "Conflict", message: "m",
            causes: [.init(reason: "FieldManagerConflict", field: ".data.x")],
            retryAfterSeconds: 3)
        #expect(StatusDocument(status.rendered()) == status)
        #expect(StatusDocument(bytes("{}")) == nil)
        #expect(StatusDocument(bytes("<html>")) == nil)
    }

    @Test(
        "times are written as RFC 3339",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"), (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] as [(Int64, String)])
    func times(_ seconds: Int64, _ text: String) {
        #expect(WallClockText.seconds(seconds) == text)
        guard seconds >= 0 else { return }
        let nanoseconds = UInt64(seconds) * 1_000_000_000 + 1_234_567
        #expect(
            WallClockText.microseconds(nanoseconds) == text.dropLast() + ".001234Z")
    }

    @Test("a Lease keeps what others wrote into it")
    func lease() throws {
        let text =
            #"{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l","#
            + #""namespace":"n","resourceVersion":"5","annotations":{"a":"b"}},"spec":{"#
            + #""holderIdentity":"one","leaseDurationSeconds":15,"leaseTransitions":3,"#
            + #""renewTime":"2026-01-01T00:00:00.000000Z","other":[1]}}"#
        var record = try LeaseRecord(bytes(text))
        #expect(record.holder == "one" && record.durationSeconds == 15)
        #expect(record.transitions == 3 && record.resourceVersion == "5")
        record.holder = "two"
        let tree = try JSONTree(record.rendered())
        #expect(tree.value(at: "spec", "other") == [1])
        #expect(tree.value(at: "metadata", "annotations", "a") == "b")
        #expect(tree.value(at: "spec", "holderIdentity") == "two")
        #expect(throws: AnswerFailure.self) { try LeaseRecord(bytes(#"{"kind":"Pod"}"#)) }
    }
}
