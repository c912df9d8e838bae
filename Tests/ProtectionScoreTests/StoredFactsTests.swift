// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import Protection
import ProtectionScore
import Testing

private let image = "registry.example.eu/cloudtaser-wrapper:1"
private let id = String(repeating: "a", count: 64)

/// A pod with one container, as the operator injects it and a node runs it.
private func stored(
    _ controls: [String: String] = [:], command: JSONTree? = nil, install: JSONTree? = nil,
    running: Bool = true, extra: JSONTree = []
) -> StoredContainer {
    let usual = [
        "CLOUDTASER_DELIVERY": "splice", "CLOUDTASER_MINIMUM_TIER": "memfd_secret",
        "CLOUDTASER_READABLE_FILES": "", "CLOUDTASER_UNDUMPABLE": "", "VAULT_TOKEN": "",
        "VAULT_SECRET_ID": "",
    ]
    let entries = usual.merging(controls) { $1 }.sorted { $0.key < $1.key }.map {
        ["name": .string($0.key), "value": .string($0.value)] as JSONTree
    }
    let container: JSONTree = [
        "name": "app",
        "command": command ?? ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/app"],
        "env": .array(entries + (extra.elements ?? [])),
    ]
    let installer: JSONTree = [
        "name": "cloudtaser-install", "image": .string(image),
        "command": ["/cloudtaser-wrapper", "install", "/cloudtaser/bin"],
    ]
    let state: JSONTree = running ? ["running": [:]] : ["waiting": [:]]
    return StoredContainer(
        object: "Pod shop/web",
        pod: [
            "spec": [
                "initContainers": install ?? [installer], "containers": [container],
            ],
            "status": [
                "containerStatuses": [
                    ["name": "app", "containerID": .string("containerd://" + id), "state": state]
                ]
            ],
        ], container: container)
}

private let bare = stored(command: ["/app"])
private let known = ClusterFacts(wrapperImages: [image], webhookFailsClosed: true)

private func told(
    _ tier: ProtectionTier = .lsm, _ mode: ProtectionMode = .deny, enrolled: Bool = true,
    more: Bool = false, ready: Bool? = true, locked: Int? = 4, dumpable: Bool? = false,
    node: SeenNode = SeenNode(
        kernel: "6.12.0", secretMemory: .on, openWeaknesses: [], confidential: .ordinary)
) -> NodeAnswer {
    let seen = locked.map {
        SeenPrograms(
            lockedKiB: $0, isDumpable: dumpable, hasNoNewPrivileges: true, seccompMode: 2)
    }
    return .told(
        NodeProtection(
            tier: tier, mode: mode, scans: true, containers: enrolled ? [id: true] : [:],
            hasMore: more, isReady: ready, seen: seen.map { [id: $0] } ?? [:], node: node))
}

private func facts(
    _ container: StoredContainer = stored(), copies: Int = 0, hasOthers: Bool = false,
    _ answer: NodeAnswer? = told(), _ cluster: ClusterFacts = known
) -> WorkloadFacts {
    WorkloadFacts(container, copies: copies, hasOthers: hasOthers, answer: answer, in: cluster)
}

@Suite struct `Facts of a stored container` {
    @Test func `are all there where the agent has seen it and the policy is known`() throws {
        let found = facts()
        for name in ProtectionFact.allCases {
            let expected: Fact.State =
                switch name {
                case .confidentialMachine: .unreachable
                case .attestationVerified: .fails
                default: .holds
                }
            #expect(found[name].state == expected, "\(name)")
        }
        #expect(found.delivery == .splice && found.hasSecrets)
        // That it is memfd_secret is not what the agent saw.
        #expect(found[.lockedMemory].source == .agent)
        #expect(found[.secretMemory].source == .storedObject)
        let score = try #require(ProtectionScore(found))
        #expect(score.ofPlatform == ScoreRange(lower: 100, upper: 100))
        #expect(SecretTier.reached(found).known == .guarded)
    }

    @Test func `are of no value where it has a Secret and no wrapper`() throws {
        let found = facts(bare, copies: 1)
        #expect(found.delivery == .notByWrapper && found.hasSecrets)
        let holds = ProtectionFact.allCases.filter { found[$0].holds }
        #expect(Set(holds) == [.processorMitigations, .webhookFailsClosed])
        #expect(try #require(ProtectionScore(found)).ofPlatform.upper <= 20)
        #expect(SecretTier.reached(found).possible == .storedInCluster)
    }

    @Test func `say that there is nothing to assess, or that there should be`() {
        #expect(!facts(bare).hasSecrets)
        #expect(facts(bare, hasOthers: true).hasSecrets && facts(bare, copies: 1).hasSecrets)
    }

    @Test func `of a wrapped container that has a Secret, too, are not outside the cluster`() {
        let found = facts(stored(), copies: 1)
        #expect(found[.outsideCluster].state == .fails)
        #expect(found[.environmentClean].state == .fails)
    }

    @Test func `say nothing of a wrapper that no known policy names`() {
        let unread = ClusterFacts()
        let other = ClusterFacts(wrapperImages: ["registry.example.eu/other:1"])
        for (container, cluster) in [
            (stored(), unread), (stored(), other), (stored(install: []), known),
        ] {
            let found = facts(container, told(), cluster)
            #expect(found.delivery == nil)
            for name in [ProtectionFact.canary, .guardPages, .tokenProtected, .secretMemory] {
                #expect(found[name].state == .unknown, "\(name)")
            }
            // What the agent has seen does not depend on it.
            #expect(found[.agentConnected].holds && found[.lockedMemory].holds)
        }
    }

    @Test func `follow the mode of delivery`() {
        let environ = facts(stored(["CLOUDTASER_DELIVERY": "environ"]))
        #expect(environ.delivery == .environ)
        for name in [
            ProtectionFact.secretMemory, .lockedMemory, .coreDumpExclusion, .environmentClean,
        ] { #expect(environ[name].state == .fails, "\(name)") }
        let file = facts(stored(["CLOUDTASER_DELIVERY": "file"]))
        #expect(file[.descriptorClosed].state == .fails && file[.secretMemory].holds)
        let readable = facts(
            stored(["CLOUDTASER_DELIVERY": "file", "CLOUDTASER_READABLE_FILES": "true"]))
        #expect(readable[.secretMemory].state == .fails)
        #expect(readable[.coreDumpExclusion].state == .fails)
        for word in ["", "best", "?"] {
            let odd = facts(stored(["CLOUDTASER_DELIVERY": word]))
            #expect(odd.delivery == nil && odd[.canary].state == .unknown)
        }
    }

    @Test func `count a vault's credential in the environment`() {
        for name in ["VAULT_TOKEN", "VAULT_SECRET_ID"] {
            let found = facts(stored([name: "x"]))
            #expect(found[.tokenProtected].state == .fails)
            #expect(found[.environmentClean].state == .fails)
        }
        let secret: JSONTree = [
            [
                "name": "VAULT_TOKEN",
                "valueFrom": ["secretKeyRef": ["name": "vault", "key": "token"]],
            ]
        ]
        #expect(facts(stored(extra: secret))[.tokenProtected].state == .fails)
    }

    @Test func `take memory for secret where nothing else is accepted and some is locked`() {
        func state(_ container: StoredContainer, _ answer: NodeAnswer?) -> Fact.State {
            facts(container, answer)[.secretMemory].state
        }
        let lax = stored(["CLOUDTASER_MINIMUM_TIER": "locked"])
        #expect(state(stored(), told()) == .holds)
        #expect(state(lax, told()) == .unknown)
        // None seen is no proof, and neither is it of locked memory.
        #expect(state(stored(), told(locked: 0)) == .unknown)
        #expect(facts(stored(), told(locked: 0))[.lockedMemory].state == .unknown)
        #expect(facts(stored(), told(locked: 1))[.lockedMemory].holds)
        #expect(state(stored(), told(locked: nil)) == .unknown)
        #expect(state(stored(), nil) == .unknown)
        for (kernel, expected) in [
            (SeenNode.SecretMemory.missing, Fact.State.unreachable), (.off, .fails),
        ] {
            #expect(state(lax, told(node: SeenNode(secretMemory: kernel))) == expected)
        }
        #expect(state(stored(), told(node: SeenNode())) == .unknown)
    }

    @Test func `take the agent's word on dumpable before the annotation's`() {
        let asked = stored(["CLOUDTASER_UNDUMPABLE": "true"])
        #expect(facts(asked, told(dumpable: true))[.dumpableOff].state == .fails)
        #expect(facts(stored(), told(dumpable: false))[.dumpableOff].source == .agent)
        #expect(facts(asked, told(dumpable: nil))[.dumpableOff].holds)
        #expect(facts(stored(), told(dumpable: nil))[.dumpableOff].state == .fails)
    }
}

@Suite struct `Facts of a container's agent` {
    private func states(_ found: WorkloadFacts) -> [Fact.State] {
        [ProtectionFact.agentConnected, .enforceMode, .denyingPrograms, .lsmPrograms].map {
            found[$0].state
        }
    }

    @Test func `are by tier and mode`() {
        let cases: [(ProtectionTier, ProtectionMode, [Fact.State])] = [
            (.lsm, .deny, [.holds, .holds, .holds, .holds]),
            (.lsm, .kill, [.holds, .holds, .holds, .holds]),
            (.lsm, .detect, [.holds, .fails, .holds, .holds]),
            (.modifyReturn, .deny, [.holds, .holds, .holds, .fails]),
            // It kills and denies nothing.
            (.signal, .kill, [.holds, .fails, .fails, .fails]),
            // Nothing was seen enforced.
            (ProtectionTier.none, .deny, [.fails, .fails, .fails, .fails]),
        ]
        for (tier, mode, expected) in cases {
            #expect(states(facts(stored(), told(tier, mode))) == expected, "\(tier) \(mode)")
        }
    }

    @Test func `are good for those alone whom it has enrolled`() {
        let none = Array(repeating: Fact.State.fails, count: 4)
        #expect(states(facts(stored(), told(enrolled: false))) == none)
        #expect(states(facts(stored(), .noAgent)) == none)
        #expect(states(facts(bare, copies: 1, told())) == none)
        // Of a list that was cut nobody knows whether it is on it: what the node lacks is known.
        #expect(
            states(facts(stored(), told(enrolled: false, more: true)))
                == Array(repeating: .unknown, count: 4))
        #expect(
            states(facts(stored(), told(.modifyReturn, .detect, enrolled: false, more: true)))
                == [.unknown, .fails, .unknown, .fails])
        let cut = facts(stored(), told(enrolled: false, more: true))
        #expect(cut[.selfTestPassed].state == .unknown)
        #expect(facts(stored(), told(more: true))[.selfTestPassed].holds)
    }

    @Test func `are not known where nobody answers, or nobody says which container it is`() {
        let none = Array(repeating: Fact.State.unknown, count: 4)
        #expect(states(facts(stored(), nil)) == none)
        #expect(states(facts(stored(), .unreachable("timed out"))) == none)
        #expect(states(facts(stored(running: false), told())) == none)
        let score = ProtectionScore(facts(stored(), .unreachable("timed out")))
        #expect(score?.ofPlatform.lower ?? 100 <= 60)
    }

    @Test func `include what its self-test saw`() {
        for (ready, state) in [(true, Fact.State.holds), (false, .fails), (nil, .unknown)] {
            let found = facts(stored(), told(ready: ready))
            #expect(found[.selfTestPassed].state == state)
            #expect((SecretTier.reached(found).known == .guarded) == (ready == true))
        }
        #expect(facts(stored(), .noAgent)[.selfTestPassed].state == .fails)
    }

    @Test func `include what it sees of its node`() {
        func node(_ node: SeenNode) -> WorkloadFacts { facts(stored(), told(node: node)) }
        #expect(
            node(SeenNode(openWeaknesses: ["mds"]))[.processorMitigations].state == .fails)
        #expect(node(SeenNode())[.processorMitigations].state == .unknown)
        #expect(node(SeenNode(confidential: .tdx))[.confidentialMachine].holds)
        #expect(node(SeenNode())[.confidentialMachine].state == .unknown)
        // A machine's own word lifts no tier.
        #expect(
            SecretTier.reached(
                node(
                    SeenNode(secretMemory: .on, openWeaknesses: [], confidential: .sevSNP))
            ).known == .guarded)
    }
}

@Suite struct `The reference page of scores` {
    @Test func `has each reader, tier, check and cap with its numbers`() {
        let page = ScoreReference.page
        for reader in SecretReader.allCases { #expect(page.contains("| `\(reader.rawValue)` |")) }
        for tier in SecretTier.allCases { #expect(page.contains("| \(tier) | \(tier.meaning) |")) }
        for check in ScoreCheck.allCases {
            #expect(page.contains("| `\(check.rawValue)` | \(check.points) | "))
        }
        for cap in ScoreCap.allCases {
            #expect(page.contains("| `\(cap.rawValue)` | \(cap.limit) | "))
        }
        for fact in ProtectionFact.allCases { #expect(page.contains("`\(fact.rawValue)`")) }
        #expect(page.contains("| sum | \(ProtectionScore.pointsMax) |"))
    }
}

/// Points by hand, from the table of docs/reference/score.md: 150 in all, and 140 on a node that is
/// no confidential machine.
@Suite struct `Typical workloads` {
    private func check(
        _ facts: WorkloadFacts, platform: ClosedRange<Int>, maximum: ClosedRange<Int>,
        lost: [ScoreCheck: Int], tier: SecretTier, possible: SecretTier, _ caps: [ScoreCap] = [],
        certain: Bool = true, at place: SourceLocation = #_sourceLocation
    ) throws {
        let found = ProtectionAssessment(facts)
        let score = try #require(found.score, sourceLocation: place)
        let ranges = [platform, maximum].map {
            ScoreRange(lower: $0.lowerBound, upper: $0.upperBound)
        }
        #expect([score.ofPlatform, score.ofMaximum] == ranges, sourceLocation: place)
        let losses = score.losses.map { ($0.check, $0.points) }
        #expect(Dictionary(uniqueKeysWithValues: losses) == lost, sourceLocation: place)
        #expect([found.tier, found.tierPossible] == [tier, possible], sourceLocation: place)
        #expect(score.caps.map(\.cap) == caps, sourceLocation: place)
        #expect(score.caps.allSatisfy { $0.isCertain == certain }, sourceLocation: place)
        let fixes = score.losses.map(\.check.fix) + score.caps.map(\.cap.fix)
        #expect(fixes.allSatisfy { !$0.isEmpty }, sourceLocation: place)
    }

    /// What only an agent says, and of an agent that is not asked.
    private let unseen: [ScoreCheck: Int] = [
        .agentConnected: 10, .enforceMode: 15, .denyingPrograms: 10, .lsmPrograms: 15,
        .secretMemory: 15, .lockedMemory: 10, .processorMitigations: 5, .confidentialMachine: 10,
    ]
    private let noMachine: [ScoreCheck: Int] = [.confidentialMachine: 10]

    @Test func `with memfd_secret on a node whose agent denies`() throws {
        try check(
            facts(), platform: 100...100, maximum: 93...94, lost: noMachine, tier: .guarded,
            possible: .guarded)
    }

    @Test func `without LSM programs`() throws {
        // 125 of 140.
        try check(
            facts(stored(), told(.modifyReturn)), platform: 89...90, maximum: 83...84,
            lost: noMachine.merging([.lsmPrograms: 15]) { $1 }, tier: .secretMemory,
            possible: .secretMemory)
    }

    @Test func `on a kernel that has no memfd_secret`() throws {
        let node = SeenNode(
            kernel: "4.18.0", secretMemory: .missing, openWeaknesses: [], confidential: .ordinary)
        // 125 of 125, and of 150.
        try check(
            facts(stored(["CLOUDTASER_MINIMUM_TIER": "locked"]), told(node: node)),
            platform: 100...100, maximum: 83...84,
            lost: noMachine.merging([.secretMemory: 15]) { $1 }, tier: .lockedMemory,
            possible: .lockedMemory)
    }

    @Test func `by the environment block`() throws {
        // 80 of 140 is 57.
        let lost: [ScoreCheck: Int] = [
            .secretMemory: 15, .lockedMemory: 10, .coreDumpExclusion: 5, .environmentClean: 5,
            .environmentLookup: 10, .deliveryMode: 15,
        ]
        try check(
            facts(stored(["CLOUDTASER_DELIVERY": "environ"])), platform: 50...50, maximum: 50...50,
            lost: noMachine.merging(lost) { $1 }, tier: .fetched, possible: .fetched,
            [.environmentDelivery])
    }

    @Test func `by a file`() throws {
        // 125 of 140.
        let lost: [ScoreCheck: Int] = [.environmentLookup: 10, .deliveryMode: 5]
        try check(
            facts(stored(["CLOUDTASER_DELIVERY": "file"])), platform: 89...90, maximum: 83...84,
            lost: noMachine.merging(lost) { $1 }, tier: .lockedMemory, possible: .lockedMemory)
    }

    @Test func `where no agent is`() throws {
        // 55 to 95 of 150: whether memory is locked, and of which kind, nobody has seen.
        try check(
            facts(stored(), .noAgent), platform: 36...60, maximum: 36...60,
            lost: unseen.merging([.dumpableOff: 5]) { $1 }, tier: .fetched, possible: .secretMemory,
            [.noAgent, .detectOnly])
    }

    @Test func `where the agent only tells`() throws {
        // 125 of 140 is 89.
        let found = facts(stored(), told(.lsm, .detect))
        try check(
            found, platform: 75...75, maximum: 75...75,
            lost: noMachine.merging([.enforceMode: 15]) { $1 }, tier: .secretMemory,
            possible: .secretMemory, [.detectOnly])
        #expect(ReaderLadder(found)[.rootWithAgent]?.exposure == .detected)
    }

    @Test func `with a copy in the cluster`() throws {
        // 135 of 140 is 96.
        try check(
            facts(stored(), copies: 1), platform: 20...20, maximum: 20...20,
            lost: noMachine.merging([.environmentClean: 5]) { $1 }, tier: .storedInCluster,
            possible: .storedInCluster, [.storedInCluster])
    }

    @Test func `whose agent gives no answer`() throws {
        // 55 to 145 of 150.
        try check(
            facts(stored(), .unreachable("timed out")), platform: 36...97, maximum: 36...97,
            lost: unseen.merging([.dumpableOff: 5]) { $1 }, tier: .fetched, possible: .guarded,
            [.noAgent, .detectOnly], certain: false)
    }

    @Test func `and what their objects say of an agent counts for nothing`() throws {
        let boasting = stored([
            "CLOUDTASER_AGENT": "required", "CLOUDTASER_AGENT_MODE": "deny",
        ])
        let plain = facts(stored(), .unreachable("timed out"))
        #expect(facts(boasting, .unreachable("timed out")) == plain)
        #expect(facts(boasting, .noAgent) == facts(stored(), .noAgent))
    }
}
