// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import ProtectionScore
import TestKit
import Testing

private func exposures(_ facts: WorkloadFacts) -> [String] {
    ReaderLadder(facts).cells.map { $0.exposure.rawValue }
}

@Suite struct `Who can read a secret` {
    @Test func `is everybody, of a value that the cluster stores`() {
        #expect(
            exposures(Facts.unprotected) == ["unknown"] + Array(repeating: "exposed", count: 7))
        // Where everything else is in place, the copy counts.
        let copied = Facts.with(
            Facts.guarded, delivery: .splice, [.outsideCluster: .fails(.storedObject)])
        #expect(exposures(copied).dropFirst().allSatisfy { $0 == "exposed" })
    }

    @Test func `is told level by level, of a workload with an agent that denies`() {
        #expect(
            exposures(Facts.guarded) == [
                "blocked", "blocked", "blocked", "exposed", "exposed", "detected", "exposed",
                "exposed",
            ])
        #expect(ReaderLadder(Facts.guarded)[.rootWithoutAgent]?.test == "LIM-ROOT-01")
        #expect(ReaderLadder(Facts.guarded)[.clusterAdministrator]?.test == "LIM-K8SID-01")
        #expect(ReaderLadder(Facts.guarded)[.hypervisor]?.test == "LIM-HV-01")
    }

    @Test func `includes root, without an agent`() {
        let ladder = ReaderLadder(Facts.alone)
        #expect(ladder[.rootWithAgent]?.exposure == .exposed)
        #expect(ladder[.rootWithAgent]?.test == "LIM-PTRACE-01")
        #expect(ladder[.otherContainer]?.test == "VM-MEM-01")
        #expect(ladder[.sameUser]?.exposure == .exposed)
        #expect(ladder[.kernelModule]?.exposure == .exposed)
        let file = ReaderLadder(Facts.with(Facts.alone, delivery: .file))
        #expect(file[.rootWithAgent]?.test == "LIM-FILE-01")
        #expect(file[.otherContainer]?.exposure == .unknown)
        let environ = ReaderLadder(Facts.with(Facts.alone, delivery: .environ))
        #expect(environ[.sameUser]?.test == "LIM-ENV-01")
        #expect(environ[.rootWithAgent]?.test == "LIM-ENV-01")
    }

    @Test func `is told and not denied, in detect and under the tier signal`() {
        let told = ReaderLadder(
            Facts.with(Facts.guarded, delivery: .splice, [.enforceMode: .fails(.agent)]))
        #expect(told[.rootWithAgent]?.exposure == .detected)
        #expect(told[.rootWithAgent]?.test == "VM-EBPF-01")
        let killed = ReaderLadder(
            Facts.with(
                Facts.guarded, delivery: .splice,
                [.enforceMode: .fails(.agent), .denyingPrograms: .fails(.agent)]))
        #expect(killed[.rootWithAgent]?.test == "LIM-SIGNAL-01")
    }

    @Test func `includes root where the agent's self-test saw attempts come through`() {
        let ladder = ReaderLadder(
            Facts.with(Facts.guarded, delivery: .splice, [.selfTestPassed: .fails(.agent)]))
        #expect(ladder[.rootWithAgent]?.exposure == .exposed)
        #expect(ladder[.rootWithAgent]?.test == "LIM-PREEMPT-01")
    }

    @Test(arguments: [
        ProtectionFact.agentConnected, .enforceMode, .denyingPrograms, .selfTestPassed,
        .outsideCluster,
    ])
    func `is not known where what would block is not`(fact: ProtectionFact) {
        let ladder = ReaderLadder(
            Facts.with(Facts.guarded, delivery: .splice, [fact: .unknown]))
        #expect(ladder[.rootWithAgent]?.exposure == .unknown)
        // What no agent helps against is known all the same.
        #expect(ladder[.hypervisor]?.exposure == .exposed)
    }

    @Test func `leaves the hypervisor open until an attestation was verified`() {
        func exposure(_ changes: [ProtectionFact: Fact]) -> Exposure? {
            ReaderLadder(Facts.with(Facts.guarded, delivery: .splice, changes))[.hypervisor]?
                .exposure
        }
        #expect(exposure([.confidentialMachine: .holds(.agent)]) == .exposed)
        #expect(exposure([.attestationVerified: .holds(.agent)]) == .exposed)
        // No test shows it, so it is not called blocked.
        #expect(
            exposure([.confidentialMachine: .holds(.agent), .attestationVerified: .holds(.agent)])
                == .unknown)
    }

    @Test func `is backed by tests of the catalogue, whatever is known`() throws {
        let document = try Data(
            contentsOf: URL(filePath: Checkout.root + "Fixtures/compliance/tests.json"))
        let listed = Set(
            try JSONTree(Array(document)).elements?.compactMap { $0["id"]?.text } ?? [])
        var generator = SeededGenerator(seed: 11)
        var seen: Set<String> = []
        let modes: [ValueDelivery?] = ValueDelivery.allCases + [nil]
        for number in 0..<4000 {
            var facts = Facts.with(
                number.isMultiple(of: 2) ? Facts.guarded : Facts.alone,
                delivery: modes.randomElement(using: &generator)!)
            for _ in 0..<Int.random(in: 0...6, using: &generator) {
                let name = ProtectionFact.allCases.randomElement(using: &generator)!
                facts[name] = Fact(
                    Fact.State.allCases.randomElement(using: &generator)!, by: .agent)
            }
            let cells = ReaderLadder(facts).cells
            try #require(cells.map(\.reader) == SecretReader.allCases)
            for cell in cells {
                try #require((cell.test == nil) == (cell.exposure == .unknown), "\(cell)")
                try #require(!cell.reason.isEmpty)
                // A limit shows a leak, and never that something is denied.
                try #require(
                    cell.exposure != .blocked || cell.test?.hasPrefix("LIM") == false, "\(cell)")
                if let test = cell.test { seen.insert(test) }
            }
        }
        #expect(seen.isSubset(of: listed), "\(seen.subtracting(listed))")
        #expect(seen.count > 8)
    }
}

@Suite struct `A container's tier` {
    private func tiers(_ facts: WorkloadFacts) -> String {
        let (known, possible) = SecretTier.reached(facts)
        return "\(known) \(possible)"
    }

    @Test func `rises with what is known to hold`() {
        #expect(tiers(Facts.unprotected) == "T0 T0")
        #expect(tiers(Facts.with(Facts.alone, delivery: .environ)) == "T1 T1")
        #expect(tiers(Facts.with(Facts.alone, delivery: .file)) == "T2 T2")
        let locked = Facts.with(
            Facts.alone, delivery: .splice, [.secretMemory: .unreachable(.agent)])
        #expect(tiers(locked) == "T2 T2")
        #expect(tiers(Facts.alone) == "T3 T3")
        #expect(tiers(Facts.guarded) == "T4 T4")
        #expect(tiers(Facts.all(.holds, delivery: .splice)) == "T5 T5")
    }

    @Test func `is a range where something is not known`() {
        #expect(tiers(Facts.all(.unknown, delivery: nil)) == "T0 T5")
        #expect(
            tiers(Facts.with(Facts.guarded, delivery: .splice, [.descriptorClosed: .unknown]))
                == "T2 T4")
    }

    @Test(arguments: [
        ProtectionFact.agentConnected, .enforceMode, .denyingPrograms, .lsmPrograms,
        .selfTestPassed,
    ])
    func `needs an agent that denies by LSM programs from T4 on`(fact: ProtectionFact) {
        let facts = Facts.with(Facts.guarded, delivery: .splice, [fact: .fails(.agent)])
        #expect(tiers(facts) == "T3 T3")
    }

    @Test func `is not the last one for a machine that only says it is confidential`() {
        #expect(
            tiers(
                Facts.with(Facts.guarded, delivery: .splice, [.confidentialMachine: .holds(.agent)])
            ) == "T4 T4")
    }
}

@Suite struct `An assessment` {
    @Test func `leads with who can read, then the tier, then the score`() {
        let lines = ProtectionAssessment(Facts.alone).lines
        #expect(lines[0] == "Pod shop/web, container app: who can read its secrets")
        #expect(lines[1].hasPrefix("  another container on the node"))
        #expect(lines[1].contains("VM-MEM-01"))
        #expect(lines[SecretReader.allCases.count + 1].hasPrefix("  tier T3: "))
        #expect(lines[SecretReader.allCases.count + 2].contains("of 100"))
        #expect(lines.contains { $0.hasPrefix("  cap 60: ") && $0.contains("run the agent") })
        #expect(lines.contains { $0.hasPrefix("  -10 agent_connected (fails): ") })
    }

    @Test func `says the same in JSON, with the formula's version and who says so`() throws {
        let json = try JSONTree(ProtectionAssessment(Facts.alone).json.rendered())
        #expect(json["formula"]?.wholeNumber == ProtectionScore.formula)
        #expect(json["tier"]?.text == "T3")
        #expect(json["readers"]?.elements?.count == SecretReader.allCases.count)
        #expect(json.value(at: "score", "ofPlatform", "upper")?.wholeNumber == 60)
        #expect(json.value(at: "score", "pointsMax")?.wholeNumber == ProtectionScore.pointsMax)
        #expect(json.value(at: "delivery", "mode")?.text == "splice")
        let facts = try #require(json["facts"]?.elements)
        #expect(facts.count == ProtectionFact.allCases.count)
        #expect(facts.allSatisfy { $0["source"]?.text != nil })
    }

    @Test func `does not let a name steer a terminal`() {
        let facts = WorkloadFacts(
            object: "Pod a/\u{1B}[2Jb\u{202E}", container: "c\nscore 100", hasSecrets: true)
        let lines = ProtectionAssessment(facts).lines
        #expect(lines[0] == "Pod a/?[2Jb?, container c?score 100: who can read its secrets")
    }
}
