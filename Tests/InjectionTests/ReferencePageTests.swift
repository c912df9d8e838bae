// SPDX-License-Identifier: Apache-2.0
import Foundation
import Injection
import TestKit
import Testing
import WrapperConfiguration

@Suite struct `The page of annotations` {
    /// The cells of the table rows that begin with a word in backticks.
    static func rows(beginning prefix: String, of text: String) -> [[String]] {
        text.split(separator: "\n").filter { $0.hasPrefix("| `\(prefix)") }.map { line in
            line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
        }
    }

    static func page() throws -> String {
        try String(
            contentsOfFile: Checkout.root + "/docs/reference/annotations.md",
            encoding: .utf8)
    }

    @Test func `has each annotation with its variable, and no other`() throws {
        let rows = Self.rows(beginning: PodAnnotation.prefix, of: try Self.page())
        let found = rows.map { "\($0[0]) \($0[3])" }
        let wanted = PodAnnotation.allCases.map {
            "\($0.rawValue) \($0.variable?.rawValue ?? "")"
        }
        #expect(found == wanted)
    }

    @Test func `has each field of a policy, and no other`() throws {
        let page = try Self.page()
        let section = try #require(page.split(separator: "\n## Policy\n").last)
        let table = try #require(section.split(separator: "\n## ").first)
        let found = Self.rows(beginning: "", of: String(table)).map { $0[0] }
        // The parser names its fields when it refuses one.
        let refusal = #expect(throws: Refusal.self) {
            try CloudTaserPolicy(spec: Array(#"{"x":1}"#.utf8))
        }
        let wanted = refusal?.fix.replacing("use one of ", with: "").split(separator: ", ")
        #expect(found.sorted() == (wanted ?? []).map(String.init))
    }

    @Test func `names the limits of the code`() throws {
        let page = try Self.page()
        for text in [
            "up to \(CloudTaserPolicy.vaultCountMax) of",
            "up to \(CloudTaserPolicy.grantCountMax) of",
            "\(CloudTaserPolicy.tokenSecondsMin) to \(CloudTaserPolicy.tokenSecondsMax)",
            "\(InjectionLimits.podBytesMax >> 20) MiB, 32",
            "\(InjectionLimits.containerCountMax), \(InjectionLimits.volumeCountMax)",
            "\(InjectionLimits.environmentCountMax), \(InjectionLimits.commandWordCountMax)",
            "up to \(InjectionLimits.refusalCountMax) at once",
            "(\(InjectionLimits.wrapperVolumeSize))", InjectedNames.installContainer,
            InjectedNames.wrapper + " run --", CloudTaserPolicy.csiDriver,
        ] {
            #expect(page.contains(text), "\(text)")
        }
    }
}
