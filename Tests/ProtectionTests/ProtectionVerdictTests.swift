// SPDX-License-Identifier: Apache-2.0
import Protection
import Testing

private func pod(
    _ name: String, _ ids: [String?] = ["a"], node: String = "n1", bare: [String] = []
) -> RunningPod {
    let wrapped = ids.enumerated().map { index, id in
        RunningPod.Container(name: "c\(index)", id: id.map(container))
    }
    return RunningPod(name: name, node: node, wrapped: wrapped, bare: bare)
}

private func told(
    _ ids: [String: Bool] = ["a": true], tier: ProtectionTier = .lsm, mode: ProtectionMode = .deny,
    scans: Bool = true, hasMore: Bool = false
) -> NodeAnswer {
    .told(
        NodeProtection(
            tier: tier, mode: mode, scans: scans,
            containers: Dictionary(uniqueKeysWithValues: ids.map { (container($0), $1) }),
            hasMore: hasMore))
}

private func facts(
    _ pods: Int, _ enrolled: Int, _ tier: ProtectionTier? = .lsm, _ mode: ProtectionMode? = .deny,
    scanned: Bool? = true
) -> ProtectionFacts {
    ProtectionFacts(
        pods: pods, enrolledPods: enrolled, tier: tier, mode: mode, isOutputScanned: scanned)
}

@Suite struct `A workload` {
    @Test func `is protected when each running container of each pod is enrolled on its node`() {
        let verdict = ProtectionVerdict(
            [pod("web-1", ["a", "b"]), pod("web-2", ["c"], node: "n2")],
            ["n1": told(["a": true, "b": true, "f": false]), "n2": told(["c": true])])
        #expect(verdict.status == .holds && verdict.reason == .allEnrolled)
        #expect(verdict.facts == facts(2, 2))
    }

    @Test func `is not protected by an enrolment of another container or node`() {
        let cases: [([RunningPod], [String: NodeAnswer])] = [
            // One of two containers.
            ([pod("web-1", ["a", "b"])], ["n1": told(["a": true])]),
            // On another node.
            ([pod("web-1", ["a"])], ["n1": told([:]), "n2": told(["a": true])]),
            ([pod("web-1", ["a"])], ["n1": told(["b": true])]),
            ([pod("web-1", [nil])], ["n1": told(["a": true])]),
            // It has no container that could be enrolled.
            ([pod("web-1", [], bare: ["web"])], ["n1": told(["a": true])]),
            ([pod("web-1", ["a"], bare: ["web"])], ["n1": told(["a": true])]),
        ]
        for (pods, answers) in cases {
            let verdict = ProtectionVerdict(pods, answers)
            #expect(verdict.status == .fails && verdict.reason == .notEnrolled, "\(pods)")
            #expect(verdict.facts == facts(1, 0, scanned: false))
            #expect(verdict.message.contains("web-1 (1 of 1 pods)"))
        }
    }

    @Test func `names at most four of its pods, and the fix`() {
        let pods = (1...5).map { pod("web-\($0)") }
        let verdict = ProtectionVerdict(pods.reversed(), ["n1": told([:])])
        #expect(
            verdict.message.hasPrefix(
                "not protected: web-1, web-2, web-3, web-4, … (5 of 5 pods); the agents of their "))
        #expect(verdict.message.hasSuffix("delete the pods, so that their next ones register"))
        let four = ProtectionVerdict(Array(pods.prefix(4)), ["n1": told([:])])
        #expect(four.message.contains("web-3, web-4 (4 of 4 pods)"))
        let bare = ProtectionVerdict(
            [pod("web-1"), pod("web-2", bare: ["log"])], ["n1": told([:])])
        #expect(bare.message.contains("web-1, web-2 (2 of 2 pods)"))
        #expect(bare.message.contains("start containers of web-2: delete these pods"))
    }

    @Test func `is not known without an agent, or when it cannot be asked`() {
        let pods = [pod("web-1"), pod("web-2", ["b"], node: "n2")]
        let absent = ProtectionVerdict(pods, ["n1": told()])
        #expect(absent.status == .unknown && absent.reason == .noAgent)
        #expect(absent.message.hasPrefix("no agent runs on the nodes n2; look at the pods of"))
        #expect(absent.facts == facts(2, 1, nil, nil, scanned: nil))
        #expect(ProtectionVerdict(pods, ["n1": told(), "n2": .noAgent]) == absent)
        let silent = ProtectionVerdict(
            pods, ["n1": told(), "n2": .unreachable("it does not answer in time")])
        #expect(silent.status == .unknown && silent.reason == .agentUnreachable)
        #expect(silent.message.contains("the agent of n2 cannot be asked (it does not answer"))
        #expect(silent.message.contains("port 9464"))
        #expect(silent.facts == facts(2, 1, nil, nil, scanned: nil))
        let both = ProtectionVerdict(pods, ["n1": .unreachable("x"), "n2": .noAgent])
        #expect(both.reason == .noAgent && both.facts.enrolledPods == 0)
    }

    @Test func `is known not to be protected whatever else is unknown`() {
        let pods = [pod("web-1"), pod("web-2", ["b"], node: "n2"), pod("web-3", node: "n3")]
        let verdict = ProtectionVerdict(pods, ["n1": told([:]), "n2": .unreachable("x")])
        #expect(verdict.reason == .notEnrolled && verdict.message.contains("web-1 (1 of 3 pods)"))
        // Nobody has to be asked about what started without the wrapper.
        for answer in [NodeAnswer.noAgent, .unreachable("x")] {
            let bare = ProtectionVerdict([pod("web-1", bare: ["web"])], ["n1": answer])
            #expect(
                bare.reason == .notEnrolled && bare.facts == facts(1, 0, nil, nil, scanned: nil))
        }
    }

    @Test func `is not known where an agent does not list all`() {
        let verdict = ProtectionVerdict([pod("web-1")], ["n1": told([:], hasMore: true)])
        #expect(verdict.status == .unknown && verdict.reason == .agentUnreachable)
        #expect(verdict.message.contains("first 4000 enrolments"))
        #expect(ProtectionVerdict([pod("web-1")], ["n1": told(hasMore: true)]).status == .holds)
    }

    @Test func `has the weakest tier and mode of its nodes`() {
        let pods = [pod("web-1"), pod("web-2", ["b"], node: "n2")]
        let verdict = ProtectionVerdict(
            pods,
            [
                "n1": told(tier: .signal, mode: .kill),
                "n2": told(["b": true], tier: .modifyReturn),
                "n3": told(tier: .none, mode: .detect),
            ])
        #expect(verdict.status == .holds && verdict.facts == facts(2, 2, .signal, .deny))
    }

    @Test func `is not protected where nothing is denied`() {
        let pods = [pod("web-1"), pod("web-2", ["b"], node: "n2")]
        for (second, words) in [
            (told(["b": true], tier: .none), "nothing denied on the nodes n2"),
            (told(["b": true], mode: .detect), "not denied on the nodes n2"),
        ] {
            let verdict = ProtectionVerdict(pods, ["n1": told(), "n2": second])
            #expect(verdict.status == .fails && verdict.reason == .notEnforced)
            #expect(verdict.message.contains(words) && verdict.facts.enrolledPods == 2)
        }
    }

    @Test func `is scanned when all of it is`() {
        let pods = [pod("web-1", ["a", "b"])]
        for (ids, scans, scanned) in [
            (["a": true, "b": true], true, true), (["a": true, "b": false], true, false),
            (["a": true, "b": true], false, false), (["a": true], true, false),
        ] {
            let verdict = ProtectionVerdict(pods, ["n1": told(ids, scans: scans)])
            #expect(verdict.facts.isOutputScanned == scanned, "\(ids) \(scans)")
        }
    }

    @Test func `without pods is nothing`() {
        let verdict = ProtectionVerdict([], ["n1": told()])
        #expect(verdict.status == .unknown && verdict.reason == .noPods)
        #expect(verdict.facts == facts(0, 0, nil, nil, scanned: nil))
    }

    @Test func `of which not all pods are known is not known to be protected`() {
        let verdict = ProtectionVerdict([pod("web-1")], ["n1": told()], isComplete: false)
        #expect(verdict.status == .unknown && verdict.reason == .tooManyPods)
        let open = ProtectionVerdict([pod("web-1")], ["n1": told([:])], isComplete: false)
        #expect(open.reason == .notEnrolled)
    }
}
