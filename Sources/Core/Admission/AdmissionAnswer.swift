// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// What is answered to a review: its `response`.
package struct AdmissionAnswer: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        case allowed
        /// A JSON patch (RFC 6902), as JSON.
        case patched([UInt8])
        /// - Parameters:
        ///   - code: of HTTP, for whoever created the object.
        ///   - message: is cut at `AdmissionLimits.messageBytesMax`.
        case refused(code: Int, message: String)
    }

    /// Of the request.
    package let uid: String
    package let outcome: Outcome
    /// For whoever created the object; cut in length and number.
    package let warnings: [String]

    package init(uid: String, outcome: Outcome, warnings: [String] = []) {
        self.uid = uid
        self.outcome = outcome
        self.warnings = warnings
    }

    /// The whole `AdmissionReview`, in JSON.
    package func rendered() -> [UInt8] {
        var response: [JSONTree.Member] = [.init("uid", .string(uid))]
        switch outcome {
        case .allowed: response.append(.init("allowed", true))
        case .patched(let patch):
            response.append(.init("allowed", true))
            response.append(.init("patchType", "JSONPatch"))
            response.append(.init("patch", .string(Base64.encoded(patch))))
        case .refused(let code, let message):
            response.append(.init("allowed", false))
            response.append(
                .init(
                    "status",
                    .object([
                        .init("code", .number(String(code))),
                        .init("message", .string(Self.shown(message))),
                    ])))
        }
        if !warnings.isEmpty {
            response.append(.init("warnings", .array(cutWarnings.map { .string($0) })))
        }
        return JSONTree.object([
            .init("apiVersion", .string(AdmissionRequest.version)),
            .init("kind", .string(AdmissionRequest.kind)),
            .init("response", .object(response)),
        ]).rendered()
    }

    private var cutWarnings: [String] {
        let most = AdmissionLimits.warningCountMax
        var shown = warnings.prefix(warnings.count > most ? most - 1 : most).map {
            Self.cut($0, to: AdmissionLimits.warningBytesMax)
        }
        if warnings.count > shown.count { shown.append("\(warnings.count - shown.count) more") }
        return shown
    }

    /// A refusal's text as it is told: it may hold names of the object, as long as they like.
    package static func shown(_ message: String) -> String {
        cut(message, to: AdmissionLimits.messageBytesMax)
    }

    /// At most so many bytes of UTF-8, whole characters, with a mark where something is missing.
    static func cut(_ text: String, to bytesMax: Int) -> String {
        guard text.utf8.count > bytesMax else { return text }
        let mark = "…"
        var cut = ""
        var count = mark.utf8.count
        for character in text {
            count += character.utf8.count
            guard count <= bytesMax else { break }
            cut.append(character)
        }
        return cut + mark
    }
}
