// SPDX-License-Identifier: Apache-2.0
import AttackCatalogue
import AttackPrograms
import Enforcement
import Foundation
import Simulation
import TestKit
import Testing

@Suite("The catalogue says what is played and what the agent's hooks know")
struct CatalogueTruthTests {
    private static let catalogue = Result {
        let path = URL(filePath: Checkout.root).appending(path: "Fixtures/attack-vectors.json")
        return try AttackCatalogueReader.catalogue(Data(contentsOf: path))
    }

    /// Played by the guest and its host together, without a type of their own: VM-MEM-11 (071),
    /// VM-MEM-10 (072), LIM-HV-01 (080), VM-MEM-08 (083).
    private static let playedByHost: Set<String> = ["AV-071", "AV-072", "AV-080", "AV-083"]

    private static var played: Set<String> {
        playedByHost.union(AttackVector.allCases.map(\.catalogueID))
            .union(InsideVector.allCases.map(\.rawValue))
            .union(PathVector.allCases.map(\.rawValue))
    }

    /// Fewer would be a loss.
    private static let playedMin = 83

    /// What is wrong with the vectors' claims of being played.
    private static func misplayed(
        _ vectors: [CatalogueVector], _ played: Set<String>
    ) -> [String] {
        vectors.filter { ($0.notPlayed == nil) != played.contains($0.id) }.map(\.id)
    }

    @Test("every vector is played in the VM or says why not, and simulated or says why not")
    func played() throws {
        let vectors = try Self.catalogue.get().vectors
        #expect(Self.misplayed(vectors, Self.played) == [])
        #expect(Self.played.isSubset(of: vectors.map(\.id)))
        #expect(Self.played.count >= Self.playedMin)
        let simulated = Set(SimulatedAttacks.all.map { $0.id })
        for vector in vectors {
            #expect((vector.notExecutable == nil) == simulated.contains(vector.id), "\(vector.id)")
            #expect(
                vector.notExecutable?.contains("step 3") != true, "\(vector.id): step 3 is here")
        }
        // The control: one attack less, and one more, are seen.
        #expect(Self.misplayed(vectors, Self.played.subtracting(["AV-008"])) == ["AV-008"])
        #expect(Self.misplayed(vectors, Self.played.union(["AV-019"])) == ["AV-019"])
    }

    /// What is wrong with a vector, as the agent's table knows it.
    private static func disagreement(
        _ vector: CatalogueVector, _ event: String?, _ events: [String: String]
    ) -> String? {
        if let event {
            let tiers = Set(vector.hooks.map(\.tier))
            if vector.event != event { return "\(vector.id): event is \(event)" }
            if !tiers.isSuperset(of: [.lsm, .fmodRet]), !tiers.contains(.systemCall) {
                return "\(vector.id): it has a hook"
            }
        } else if let other = vector.reportedAs {
            if events[other] != vector.event { return "\(vector.id): \(other) has another event" }
        } else if let claimed = vector.event, claimed != "SECRET_LEAK" {
            return "\(vector.id): no hook tells \(claimed)"
        }
        return nil
    }

    @Test("the agent's table of vectors has the catalogue's events, and the catalogue its hooks")
    func agreesWithAgent() throws {
        let vectors = try Self.catalogue.get().vectors
        let events = Dictionary(
            uniqueKeysWithValues: EnforcedVector.all.map { ($0.number.description, $0.event) })
        #expect(vectors.compactMap { Self.disagreement($0, events[$0.id], events) } == [])
        let known = Set(vectors.map(\.id))
        let unknown = events.keys.filter { !known.contains($0) }
        #expect(unknown == [VectorNumber.harmlessLoad.description])
        // The control: another event, and a hook that is missing from the table, are seen.
        let vector = try #require(vectors.first { $0.id == "AV-044" })
        #expect(Self.disagreement(vector, "PROCMEM_READ", events) != nil)
        #expect(Self.disagreement(vector, nil, events) != nil)
    }

    /// Hooks that the agent's programs are on, by the names in their section lines; system calls by
    /// the function of their 64-bit entry.
    private static func agentHooks() throws -> Set<String> {
        let path = URL(filePath: Checkout.root).appending(path: "bpf/agent.bpf.c")
        let text = try String(contentsOf: path, encoding: .utf8)
        let marks = ["HOOK(", "SEC(\"lsm/", "OWN_CALL("]
        let names = text.split(separator: "\n").flatMap { line in
            marks.filter { line.hasPrefix($0) }.map { mark in
                (mark == "OWN_CALL(" ? "__x64_sys_" : "")
                    + line.dropFirst(mark.count).prefix { $0 != "," && $0 != "\"" }
            }
        }
        return Set(names)
    }

    @Test("of a vector that the agent judges the catalogue names only hooks that it is on")
    func hooksOfAgent() throws {
        let hooks = try Self.agentHooks()
        #expect(hooks.count >= 23)
        let judged = Set(EnforcedVector.all.map { $0.number.description })
        func strangers(_ hooks: Set<String>) throws -> [String] {
            try Self.catalogue.get().vectors.filter { judged.contains($0.id) }.flatMap { vector in
                // A vector whose system call is answered need not have the agent on its hook.
                let tier = vector.hooks.first { $0.tier == .systemCall }?.tier ?? .lsm
                return vector.hooks.filter { $0.tier == tier && !hooks.contains($0.hook) }
                    .map { "\(vector.id) \($0.hook)" }
            }
        }
        #expect(try strangers(hooks) == [])
        // The control: without one of them its vectors are named.
        #expect(try strangers(hooks.subtracting(["task_kill"])).contains("AV-043 task_kill"))
        #expect(
            try strangers(hooks.subtracting(["__x64_sys_tee"])).contains("AV-094 __x64_sys_tee"))
    }

    @Test("an attack's event names the vector that the catalogue says")
    func reportedVectors() throws {
        let catalogue = try Self.catalogue.get()
        let pairs =
            AttackVector.allCases.map { ($0.catalogueID, $0.reportedID) }
            + PathVector.allCases.map { ($0.rawValue, $0.reportedID) }
        for (id, reported) in pairs where id != reported {
            #expect(catalogue.vector(id)?.reportedAs == reported, "\(id)")
        }
        #expect(pairs.contains { $0.0 != $0.1 })
    }
}
