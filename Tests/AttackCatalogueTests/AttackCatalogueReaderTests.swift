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

    @Test("a profile says whether it was measured, and with no other word")
    func origins() throws {
        func profile(_ member: String) throws -> KernelProfile? {
            let text =
                #"{"series": "s", \#(member) "boots": [{"name": "5.14", "parameters": [], "#
                + #""facts": {}}]}"#
            return try AttackCatalogueReader.profiles(Data(text.utf8), file: "s.json").first
        }
        let measured = try #require(try profile(""))
        #expect(measured.origin == .measured && measured.title == "5.14")
        let modelled = try #require(try profile(#""origin": "modelled, not measured","#))
        #expect(modelled.origin == .modelled && modelled.title == "5.14 (modelled, not measured)")
        #expect(throws: AttackCatalogueFailure.self) { try profile(#""origin": "guessed","#) }
    }

    @Test("a cell that was measured on a modelled kernel is a lie")
    func measuredOnModelled() throws {
        func files(_ origin: String) throws -> AttackMatrixFiles {
            let profile =
                #"{"series": "s", "origin": "\#(origin)", "boots": ["#
                + #"{"name": "5.14", "parameters": [], "facts": {}}]}"#
            let cells =
                #"{"minimum": 1, "cells": [{"id": "AV-001", "profile": "5.14", "#
                + #""delivery": "splice", "enforcement": "none", "target": "wrapper"}]}"#
            return try AttackMatrixFiles(
                names: { _ in ["a.json"] },
                content: { name in
                    switch name {
                    case "attack-vectors.json": Self.document("AV-001", Self.rules)
                    case "vm-measured-cells.json": Data(cells.utf8)
                    default: Data(profile.utf8)
                    }
                })
        }
        #expect(try files("measured").measured.count == 1)
        #expect(throws: AttackCatalogueFailure.self) { try files("modelled, not measured") }
    }

    @Test("the matrix's files are read by name, profiles in the order of their numbers")
    func matrixFiles() throws {
        let boot = #"{"name": "NAME", "parameters": [], "facts": {}}"#
        let profile = #"{"series": "s", "boots": [BOOT]}"#
        let contents = [
            "attack-vectors.json": Self.document("AV-001", Self.rules),
            "kernel-profiles/a.json": Data(
                profile.replacing("BOOT", with: boot.replacing("NAME", with: "6.12")).utf8),
            "kernel-profiles/b.json": Data(
                profile.replacing("BOOT", with: boot.replacing("NAME", with: "6.1")).utf8),
            "vm-measured-cells.json": Data(#"{"minimum": 7, "cells": []}"#.utf8),
        ]
        struct Missing: Error {}
        func files(without path: String = "") throws -> AttackMatrixFiles {
            try AttackMatrixFiles(
                names: { folder in
                    #expect(folder == "kernel-profiles")
                    return ["a.json", "PROVENANCE.md", "b.json"]
                },
                content: { name in
                    guard name != path, let content = contents[name] else { throw Missing() }
                    return content
                })
        }
        let read = try files()
        #expect(read.profiles.map(\.name) == ["6.1", "6.12"])
        #expect(read.measuredMinimum == 7 && read.measured.isEmpty)
        #expect(read.catalogue.vectors.count == 1)
        for name in contents.keys {
            #expect(throws: Missing.self, "\(name)") { try files(without: name) }
        }
    }
}
