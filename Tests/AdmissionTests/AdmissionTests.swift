// SPDX-License-Identifier: Apache-2.0
import Admission
import Foundation
import Testing

/// A review with whatever a test replaces.
private func review(
    apiVersion: String = #""admission.k8s.io/v1""#, kind: String = #""AdmissionReview""#,
    request: String? = nil, uid: String = #""705ab4f5""#, operation: String = #""CREATE""#,
    namespace: String = #""shop""#, more: String = "", object: String = #"{"kind": "Pod", "é":1.0}"#
) -> String {
    let fields = """
        {"uid":\(uid),"operation":\(operation),"namespace":\(namespace),
         "kind":{"group":"","version":"v1","kind":"Pod"},\(more)
         "resource":{"group":"","version":"v1","resource":"pods"},"object":\(object)}
        """
    return #"{"apiVersion":\#(apiVersion),"kind":\#(kind),"request":\#(request ?? fields)}"#
}

extension AdmissionRequest {
    fileprivate init(text: String) throws(AdmissionFailure) { try self.init(Array(text.utf8)) }
}

private func refusal(of text: String) -> AdmissionFailure? { refusal(of: Array(text.utf8)) }

private func refusal(of body: [UInt8]) -> AdmissionFailure? {
    do {
        _ = try AdmissionRequest(body)
        return nil
    } catch { return error }
}

@Suite("Admission requests") struct AdmissionRequestTests {
    @Test func `are read, with the object as it came`() throws {
        let request = try AdmissionRequest(
            text: review(
                more: #""dryRun":true,"subResource":"ephemeralcontainers","oldObject":null,"#))
        #expect(request.uid == "705ab4f5" && request.operation == .create)
        #expect(
            request.resource
                == .init(
                    group: "", version: "v1", resource: "pods", subresource: "ephemeralcontainers"))
        #expect(request.objectKind == "Pod" && request.namespace == "shop" && request.isDryRun)
        #expect(request.object == Array(#"{"kind": "Pod", "é":1.0}"#.utf8))
        let plain = try AdmissionRequest(text: review(object: "null"))
        #expect(plain.object == nil && !plain.isDryRun && plain.resource.subresource.isEmpty)
        for operation in AdmissionRequest.Operation.allCases {
            let request = try AdmissionRequest(text: review(operation: "\"\(operation.rawValue)\""))
            #expect(request.operation == operation)
        }
    }

    @Test(
        arguments: [
            (review(apiVersion: #""admission.k8s.io/v1beta1""#), .wrongVersion),
            (review(apiVersion: "null"), .wrongVersion),
            (review(apiVersion: "1"), .wrongField("apiVersion")),
            (review(kind: #""Pod""#), .wrongKind), ("[]", .wrongKind),
            (review(request: "null"), .wrongField("request")),
            (review(request: "[]"), .wrongField("request")),
            (review(uid: "null"), .wrongField("request.uid")),
            (review(uid: #""""#), .wrongField("request.uid")),
            (review(uid: #""a\nb""#), .wrongField("request.uid")),
            (review(uid: "7"), .wrongField("request.uid")),
            (review(operation: #""PATCH""#), .wrongField("request.operation")),
            (review(namespace: #""../secrets""#), .wrongField("request.namespace")),
            (review(more: #""dryRun":"yes","#), .wrongField("request.dryRun")),
            (review(object: "[1]"), .wrongField("request.object")),
            (
                review(request: #"{"uid":"a","operation":"CREATE"}"#),
                .wrongField("request.resource")
            ),
            (
                review(
                    request: #"""
                        {"uid":"a","operation":"CREATE","resource":{"version":"v1"}}
                        """#), .wrongField("request.resource.resource")
            ),
            ("{", .notJSON(offset: 1)), ("", .notJSON(offset: 0)),
            ("no", .notJSON(offset: 0)),
            (review(more: #""uid":"b","#), .notJSON(offset: 165)),
            (review(uid: "\"\u{0}\""), .notJSON(offset: 70)),
        ] as [(String, AdmissionFailure)])
    func `are refused with the field that is wrong`(_ text: String, _ wanted: AdmissionFailure) {
        let body = Array(text.utf8)
        switch (refusal(of: body), wanted) {
        case (.notJSON(let offset), .notJSON): #expect((0...body.count).contains(offset))
        case (let found, _): #expect(found == wanted)
        }
    }

    @Test func `may be as long and as deep as the limits, and no more`() {
        let bare = review(object: #"{"a":""}"#).utf8.count
        let room = AdmissionLimits.reviewBytesMax - bare
        func long(_ count: Int) -> String {
            review(object: #"{"a":"\#(String(repeating: "x", count: count))"}"#)
        }
        #expect(refusal(of: long(room)) == nil)
        #expect(refusal(of: long(room + 1)) == .tooLarge(limit: AdmissionLimits.reviewBytesMax))
        func deep(_ count: Int) -> String {
            let open = String(repeating: "[", count: count)
            let close = String(repeating: "]", count: count)
            return review(object: #"{"a":\#(open)\#(close)}"#)
        }
        // The review, its request and the object are three of 32.
        #expect(refusal(of: deep(29)) == nil)
        #expect(refusal(of: deep(30)) == .tooDeep(limit: 32))
        #expect(refusal(of: deep(100_000)) == .tooDeep(limit: 32))
        for (text, isRight) in [
            (String(repeating: "u", count: 128), true), (String(repeating: "u", count: 129), false),
        ] {
            #expect((refusal(of: review(uid: "\"\(text)\"")) == nil) == isRight)
        }
        for (count, isRight) in [(63, true), (64, false)] {
            let name = "\"\(String(repeating: "n", count: count))\""
            #expect((refusal(of: review(namespace: name)) == nil) == isRight)
        }
    }

    @Test func `show nothing of the object, in whatever way they are printed`() throws {
        let request = try AdmissionRequest(text: review(object: #"{"a":"hunter2"}"#))
        var dumped = ""
        dump(request, to: &dumped)
        for text in ["\(request)", String(reflecting: request), dumped] {
            #expect(!text.contains("hunter2") && !text.contains("104"), "\(text)")
        }
        for wrong in [
            review(uid: #""hunter2 ""#), review(kind: #""hunter2""#),
            review(operation: #""hunter2""#), review(object: "{hunter2}"),
        ] {
            let failure = try #require(refusal(of: wrong))
            #expect(!failure.message.contains("hunter2") && !"\(failure)".contains("hunter2"))
            #expect(failure.message.contains(";"))
        }
    }

    @Test func `survive any cut and any changed byte`() {
        let body = Array(review().utf8)
        for end in 0..<body.count { #expect(refusal(of: Array(body[..<end])) != nil) }
        // Whatever comes of it, nothing traps.
        for index in body.indices {
            for byte in [0, 0x22, 0x5C, 0x7B, 0xFF] as [UInt8] {
                var changed = body
                changed[index] = byte
                _ = refusal(of: changed)
            }
        }
    }
}

@Suite("Admission answers") struct AdmissionAnswerTests {
    private struct Review: Decodable {
        struct Response: Decodable {
            struct Status: Decodable {
                let code: Int
                let message: String
            }
            let uid: String
            let allowed: Bool
            let patchType: String?
            let patch: Data?
            let status: Status?
            let warnings: [String]?
        }
        let apiVersion: String
        let kind: String
        let response: Response
    }

    private func rendered(
        _ outcome: AdmissionAnswer.Outcome, warnings: [String] = []
    ) throws -> Review.Response {
        let answer = AdmissionAnswer(uid: "u-1", outcome: outcome, warnings: warnings)
        let review = try JSONDecoder().decode(Review.self, from: Data(answer.rendered()))
        #expect(review.apiVersion == "admission.k8s.io/v1" && review.kind == "AdmissionReview")
        #expect(review.response.uid == "u-1")
        return review.response
    }

    @Test func `allow, change or refuse`() throws {
        let allowed = try rendered(.allowed)
        #expect(allowed.allowed && allowed.patch == nil && allowed.status == nil)
        #expect(allowed.warnings == nil)
        for length in 0..<9 {
            let patch = (0..<length).map { UInt8(0xF8 + $0 % 8) }
            let patched = try rendered(.patched(patch), warnings: ["look"])
            #expect(patched.allowed && patched.patchType == "JSONPatch")
            #expect(patched.patch == Data(patch) && patched.warnings == ["look"])
        }
        let refused = try rendered(.refused(code: 403, message: "no \"vault\"\n"))
        #expect(!refused.allowed && refused.patch == nil)
        #expect(refused.status?.code == 403 && refused.status?.message == "no \"vault\"\n")
    }

    @Test func `cut long texts, and say so`() throws {
        let most = AdmissionLimits.messageBytesMax
        for (text, wanted) in [
            (String(repeating: "m", count: most), String(repeating: "m", count: most)),
            (
                String(repeating: "m", count: most + 1),
                String(repeating: "m", count: most - 3) + "…"
            ),
            // No character is cut in two.
            (String(repeating: "é", count: most), String(repeating: "é", count: 2046) + "…"),
        ] {
            #expect(try rendered(.refused(code: 403, message: text)).status?.message == wanted)
        }
        let long = String(repeating: "w", count: AdmissionLimits.warningBytesMax + 1)
        let warnings = try #require(try rendered(.allowed, warnings: [long]).warnings)
        #expect(warnings.map(\.utf8.count) == [AdmissionLimits.warningBytesMax])
        let count = AdmissionLimits.warningCountMax
        let all = (1...count + 1).map { "warning \($0)" }
        #expect(try rendered(.allowed, warnings: Array(all.dropLast())).warnings == all.dropLast())
        #expect(
            try rendered(.allowed, warnings: all).warnings == all.prefix(count - 1) + ["2 more"])
    }
}
