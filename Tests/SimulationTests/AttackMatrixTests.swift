// SPDX-License-Identifier: Apache-2.0
import AttackCatalogue
import AttackPrograms
import Foundation
import Ports
import Simulation
import SimulationMatrix
import TestKit
import Testing

@Suite("The attack matrix")
struct AttackMatrixTests {
    private static let files = Result {
        let fixtures = URL(filePath: Checkout.root).appending(path: "Fixtures")
        return try AttackMatrixFiles(
            names: { folder in
                let path = fixtures.appending(path: folder).path(percentEncoded: false)
                return try FileManager.default.contentsOfDirectory(atPath: path)
            }, content: { try Data(contentsOf: fixtures.appending(path: $0)) })
    }

    private static let full = Result {
        let files = try Self.files.get()
        return try AttackMatrix.build(
            catalogue: files.catalogue, profiles: files.profiles, measured: files.measured)
    }

    private static func matrix() throws -> AttackMatrix { try full.get() }

    /// Every `AV-…` in a text.
    private static func identifiers(in text: String) -> Set<String> {
        let words = text.utf8.split { byte in
            let isLetter = UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
            let isDigit = UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
            return !isLetter && !isDigit && byte != UInt8(ascii: "-")
        }
        return Set(words.map { String(decoding: $0, as: UTF8.self) }.filter { $0.hasPrefix("AV-") })
    }

    @Test("the model derives what the catalogue expects, in every cell")
    func agreement() throws {
        let matrix = try Self.matrix()
        let wrong = matrix.disagreements.map { cell in
            let expected = cell.expected?.verdict.rawValue ?? "nothing"
            return "\(cell.id) \(cell.at): derived \(cell.derived.verdict.rawValue) "
                + "(\(cell.derived.reason)), expected \(expected)"
        }
        #expect(wrong.isEmpty, "\(wrong.count):\n\(wrong.prefix(60).joined(separator: "\n"))")
    }

    @Test("the matrix is enumerated in full")
    func complete() throws {
        let matrix = try Self.matrix()
        let places = SimulatedAttacks.all.reduce(0) { $0 + $1.targets.count }
        let worlds =
            matrix.profiles.count * ModelledDelivery.allCases.count * EnforcementMode.allCases.count
        #expect(matrix.cells.count == places * worlds)
        let keys = Set(matrix.cells.map { MeasuredCell(id: $0.id, at: $0.at) })
        #expect(keys.count == matrix.cells.count)
        #expect(matrix.profiles.count >= 6)
        let played = Set(SimulatedAttacks.all.map { $0.id })
        let executable = Set(matrix.catalogue.vectors.filter(\.isExecutable).map(\.id))
        #expect(played == executable)
        #expect(matrix.catalogue.vectors.count == 143)
    }

    @Test("deny+kill has the verdicts of deny, and ends every actor that a program answers")
    func denyAndKill() throws {
        let matrix = try Self.matrix()
        let cells = Dictionary(
            uniqueKeysWithValues: matrix.cells.map { (MeasuredCell(id: $0.id, at: $0.at), $0) })
        var killed = 0
        for cell in matrix.cells where cell.at.enforcement == EnforcementMode.denyAndKill.rawValue {
            let at = CellCoordinates(
                profile: cell.at.profile, delivery: cell.at.delivery,
                enforcement: EnforcementMode.deny.rawValue, target: cell.at.target)
            let denied = try #require(cells[MeasuredCell(id: cell.id, at: at)])
            #expect(cell.derived.verdict == denied.derived.verdict, "\(cell.id) \(cell.at)")
            // Module loads are observed in either mode.
            let isAnswered = denied.derived.events.contains { $0 != "MODULE_LOAD" }
            if isAnswered { #expect(cell.derived.actorEnds, "\(cell.id) \(cell.at)") }
            if cell.derived.actorEnds, !denied.derived.actorEnds { killed += 1 }
        }
        #expect(killed > 100)
    }

    @Test("attackers stand where the catalogue says")
    func positions() throws {
        let catalogue = try Self.files.get().catalogue
        for attack in SimulatedAttacks.all {
            let vector = try #require(catalogue.vector(attack.id))
            #expect(
                vector.attacker == .both || vector.attacker.rawValue == attack.position.rawValue,
                "\(attack.id)")
        }
    }

    @Test("each rule of the model decides a cell: with it off, the matrix disagrees")
    func mutations() throws {
        for rules in SimulatedKernel.Rules.allCases {
            let files = try Self.files.get()
            // The newest kernel first: most rules show there, and the search ends.
            let isRed = try files.profiles.reversed().contains { profile in
                try !AttackMatrix.build(
                    catalogue: files.catalogue, profiles: [profile], rules: rules
                ).disagreements.isEmpty
            }
            #expect(isRed, "no cell hangs on \(rules)")
        }
    }

    @Test("the VM's attack programs are vectors of the catalogue that are played here")
    func attackPrograms() {
        let ids =
            AttackVector.allCases.map(\.catalogueID) + InsideVector.allCases.map(\.rawValue)
        #expect(Set(ids).count == ids.count)
        #expect(ids.count >= 20)
        #expect(Set(ids).isSubset(of: SimulatedAttacks.all.map { $0.id }))
        let compared = PathVector.allCases.filter(\.isSimulated).map(\.rawValue)
        #expect(Set(compared).isSubset(of: SimulatedAttacks.all.map { $0.id }))
        #expect(compared.count >= 16)
    }

    @Test("as many cells as the last VM run compared are cells of this matrix")
    func measuredCells() throws {
        let files = try Self.files.get()
        let matrix = try Self.matrix()
        let known = Set(matrix.cells.map { MeasuredCell(id: $0.id, at: $0.at) })
        #expect(files.measured.isSubset(of: known))
        #expect(files.measured.count >= files.measuredMinimum)
    }

    @Test("a profile whose facts are not known is refused by name")
    func unknownFacts() throws {
        let profile = KernelProfile(name: "x", series: "x", parameters: [], facts: [:])
        #expect(throws: KernelFeatures.UnknownFact(name: "memfdSecret", value: nil)) {
            try AttackMatrix.build(
                catalogue: try Self.files.get().catalogue, profiles: [profile])
        }
    }

    @Test(
        "a kernel that nobody booted is called modelled in every form, and nothing on it measured")
    func modelledKernels() throws {
        let matrix = try Self.matrix()
        let words = KernelProfile.Origin.modelled.rawValue
        #expect(words == "modelled, not measured")
        let modelled = matrix.profiles.filter { $0.origin == .modelled }
        #expect(modelled.map(\.name) == ["5.14", "5.17"])
        let (table, page, json) = (matrix.table(), matrix.html(), matrix.json())
        for profile in matrix.profiles {
            let isModelled = profile.origin == .modelled
            let title = "\(profile.name) (\(words))"
            #expect(table.contains("\nKernel \(title)\n") == isModelled)
            #expect(page.contains(">Kernel \(title)</h2>") == isModelled)
            #expect(page.contains(">\(title)</a>") == isModelled)
            let origin = isModelled ? words : "measured"
            #expect(json.contains("\"\(profile.name)\":\"\(origin)\""))
            for cell in matrix.cells where cell.at.profile == profile.name && isModelled {
                #expect(!matrix.isMeasured(cell) && matrix.origin(of: cell) == .modelled)
            }
        }
        let count = matrix.cells.count { ["5.14", "5.17"].contains($0.at.profile) }
        #expect(matrix.summary.onModelledKernels == count && count > 2000)
        #expect(table.contains("\(count) are on kernels that are modelled, not measured"))
        #expect(json.contains("\"onModelledKernels\":\(count)"))
        #expect(json.components(separatedBy: "\"origin\":\"\(words)\"").count > count)
    }

    @Test("without bpf_loop no content is scanned: 5.14, and not 5.17")
    func scanOnModelledKernels() throws {
        let matrix = try Self.matrix()
        func verdicts(_ profile: String) -> Set<CellVerdict> {
            Set(
                matrix.cells.filter {
                    $0.id == "AV-086" && $0.at.profile == profile && $0.at.delivery == "splice"
                        && $0.at.enforcement == EnforcementMode.deny.rawValue
                }.map(\.derived.verdict))
        }
        #expect(verdicts("5.14") == [.exposed])
        #expect(verdicts("5.17") == [.blocked] && verdicts("6.1") == [.blocked])
    }

    @Test("every form shows every vector, and the counts are computed")
    func renderers() throws {
        let matrix = try Self.matrix()
        let total = matrix.summary
        #expect(total.byVerdict.values.reduce(0, +) == total.cells)
        let (json, page) = (matrix.json(), matrix.html())
        let all = Set(matrix.catalogue.vectors.map(\.id))
        #expect(Self.identifiers(in: matrix.table()) == all)
        #expect(Self.identifiers(in: page) == all)
        #expect(Self.identifiers(in: json) == Set(SimulatedAttacks.all.map { $0.id }))
        #expect(page.contains("\(total.cells) cells"))
        #expect(json.split(separator: "\n").count > total.cells)
        for profile in matrix.profiles {
            #expect(page.contains("href=\"#kernel-\(profile.name)\""))
            #expect(page.contains("id=\"kernel-\(profile.name)\""))
        }
        for mode in EnforcementMode.allCases { #expect(page.contains("<b>\(mode.rawValue)</b>")) }
        #expect(!page.contains("http"), "the page needs nothing from elsewhere")
    }
}
