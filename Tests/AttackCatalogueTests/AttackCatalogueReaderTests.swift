// SPDX-License-Identifier: Apache-2.0
import AttackCatalogue
import Foundation
import Testing

@Suite("The catalogue of attack vectors is read")
struct AttackCatalogueReaderTests {
    private static func document(_ id: String, _ rest: String) -> Data {
        Data(
            """
            {"common": [], "vectors": [{"id": "\(id)", "name": "n", "attacker": "outside",
             "mechanism": "m", "hooks": [{"tier": "lsm", "hook": "h"}], "event": "E",
             "residual": "r", \(rest)}]}
            """.utf8)
    }

    private static let rules = """
        "expected": [
          {"when": {"delivery": ["splice"], "enforcement": ["none"]}, "verdict": "blocked",
           "reason": "a"},
          {"when": {}, "verdict": "not applicable", "reason": "b"}]
        """

    @Test("the first rule that fits decides")
    func firstRule() throws {
        let catalogue = try AttackCatalogueReader.catalogue(Self.document("AV-001", Self.rules))
        func reason(_ delivery: String, _ enforcement: String) -> String? {
            let cell = CellCoordinates(
                profile: "p", delivery: delivery, enforcement: enforcement, target: "t")
            return catalogue.expected("AV-001", at: cell)?.reason
        }
        #expect(reason("splice", "none") == "a")
        #expect(reason("splice", "deny") == "b")
        #expect(reason("file", "none") == "b")
    }

    @Test("a mode that is like another has its verdicts, with what differs as a part of the reason")
    func likenesses() throws {
        let text = String(decoding: Self.document("AV-001", Self.rules), as: UTF8.self)
        let like = #"{"enforcement": "x", "like": "none", "reason": "c"}"#
        let catalogue = try AttackCatalogueReader.catalogue(
            Data(
                text.replacing(#""common": []"#, with: #""common": [], "likenesses": [\#(like)]"#)
                    .utf8))
        func reason(_ delivery: String, _ enforcement: String) -> String? {
            let cell = CellCoordinates(
                profile: "p", delivery: delivery, enforcement: enforcement, target: "t")
            return catalogue.expected("AV-001", at: cell)?.reason
        }
        #expect(reason("splice", "x") == "a; c")
        #expect(reason("file", "x") == "b", "a rule for every mode says it all")
        #expect(reason("splice", "none") == "a")
        #expect(reason("splice", "y") == "b", "control: another mode is like none")
    }

    @Test("a gap in the ids, and neither or both of rules and reason, are refused")
    func refusals() {
        let documents = [
            Self.document("AV-002", Self.rules), Self.document("AV-001", #""expected": []"#),
            Self.document("AV-001", Self.rules + #", "notExecutable": "x""#),
            Self.document("AV-001", #""notExecutable": """#), Data("{".utf8),
        ]
        for document in documents {
            #expect(throws: AttackCatalogueFailure.self) {
                try AttackCatalogueReader.catalogue(document)
            }
        }
        #expect(throws: Never.self) {
            try AttackCatalogueReader.catalogue(
                Self.document("AV-001", #""notExecutable": "x""#))
        }
    }

    @Test("a profile's boots are read with their names")
    func profiles() throws {
        let text =
            #"{"series": "6.1", "package": "p", "packageVersion": "1", "boots": ["#
            + #"{"name": "6.1-default", "parameters": ["a=1"], "facts": {"btf": "available"}}]}"#
        let profiles = try AttackCatalogueReader.profiles(Data(text.utf8), file: "6.1.json")
        #expect(
            profiles == [
                KernelProfile(
                    name: "6.1-default", series: "6.1", parameters: ["a=1"],
                    facts: ["btf": "available"])
            ])
    }
}
