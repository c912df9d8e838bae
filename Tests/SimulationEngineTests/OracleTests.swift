// SPDX-License-Identifier: Apache-2.0
import SimulationEngine
import Testing

@Suite("Oracles")
struct OracleTests {
    @Test("the canary turns its oracle red, and only that one", arguments: StandardCanaries.all)
    func canary(canary: OracleCanary) {
        #expect(canary.verdict(with: SimulationRunner()) == .red, "\(canary.name)")
    }

    @Test("control: a canary that plants nothing is green, one of two oracles is confused")
    func canaryControl() {
        let runner = SimulationRunner()
        let nothing = OracleCanary("nothing", oracle: "taint") { _ in }
        #expect(nothing.verdict(with: runner) == .green)
        let both = OracleCanary("both", oracle: "bounds") { run in
            run.report(QuantityObserved("a", value: 2, limit: 1))
            run.report(ProgramStarted(subject: "a"))
        }
        #expect(both.verdict(with: runner) == .confused)
        var deaf = SimulationRunner()
        deaf.makeOracles = { [FailClosedOracle()] }
        #expect(StandardCanaries.all[0].verdict(with: deaf) == .green)
    }

    @Test("every standard oracle has a canary, names are unique")
    func canaryList() {
        let covered = Set(StandardCanaries.all.map(\.oracle))
        #expect(covered == Set(StandardOracles.make().map(\.name) + [tripwireName]))
        #expect(Set(StandardCanaries.all.map(\.name)).count == StandardCanaries.all.count)
    }

    private func taint(
        _ secret: [UInt8], _ write: @escaping (SimulationRun) -> Void
    ) -> [OracleFinding] {
        SimulationRunner().run(named: "taint", seed: 1) { run in
            run.report(SecretRegistered("value", bytes: secret))
            run.oracles.oracle(TaintOracle.self)?.allow(
                .init(secret: "value", sink: .network, principal: "vault"))
            write(run)
        }.findings
    }

    private static let awkward = Array("p\"a\\ss /wörd\t&=+%~!".utf8) + [0xFF, 0x00, 0x1F]

    @Test(
        "every run of eight bytes is found in every encoding, wherever it stands",
        arguments: TaintEncoding.allCases)
    func runs(encoding: TaintEncoding) {
        let secret = Self.awkward
        for start in 0...(secret.count - 8) {
            for before in 0..<3 {
                let run = Array("zyx".utf8.prefix(before)) + secret[start..<start + 8]
                let found = taint(secret) { run_ in
                    run_.report(
                        SinkWritten(
                            .log, principal: "wrapper",
                            bytes: Array("x=".utf8) + encoding.encoded(run) + Array(";".utf8)))
                }
                #expect(!found.isEmpty, "\(encoding) from \(start) after \(before)")
            }
        }
    }

    @Test("control: seven bytes, another secret and an allowed principal are no leak")
    func noLeak() {
        let secret = Self.awkward
        for encoding in TaintEncoding.allCases {
            let found = taint(secret) { run in
                run.report(
                    SinkWritten(
                        .log, principal: "a", bytes: encoding.encoded(Array(secret.prefix(7)))))
                run.report(
                    SinkWritten(
                        .log, principal: "a", bytes: encoding.encoded(Array(secret.reversed()))))
                run.report(
                    SinkWritten(.network, principal: "vault", bytes: encoding.encoded(secret)))
            }
            #expect(found == [], "\(encoding)")
        }
    }

    @Test("an allowed secret is a leak at another sink, to another principal, of another secret")
    func rules() {
        for (sink, principal) in [(Sink.log, "vault"), (.network, "impostor")] {
            let found = taint(Self.awkward) { run in
                run.report(SinkWritten(sink, principal: principal, bytes: Self.awkward))
            }
            #expect(found.map(\.oracle) == ["taint"])
        }
        let other = taint(Self.awkward) { run in
            let bytes = run.choices.seededBytes(32, label: "other")
            run.report(SecretRegistered("other", bytes: bytes))
            run.report(SinkWritten(.network, principal: "vault", bytes: bytes))
        }
        #expect(other.count == 1 && other[0].message.contains("of other as raw"))
    }

    @Test("pieces of one stream are one text, pieces of two are not")
    func split() {
        func found(streams: [String]) -> Int {
            taint(Self.awkward) { run in
                for (index, byte) in Self.awkward.enumerated() {
                    run.report(
                        SinkWritten(
                            .log, stream: streams[index % streams.count], principal: "a",
                            bytes: [byte]))
                }
            }.count
        }
        #expect(found(streams: ["one"]) > 0)
        #expect(found(streams: ["one", "two"]) == 0)
    }

    @Test("a finding says what, where and as what, and shows no byte of the secret")
    func message() {
        let secret = Array("correct horse battery".utf8)
        let found = taint(secret) { run in
            run.report(SinkWritten(.log, stream: "stderr", principal: "wrapper", bytes: secret))
        }
        #expect(found.map(\.message) == ["8 bytes of value as raw in log stderr of wrapper"])
    }

    @Test("an oracle of a later step is added without a change to the engine")
    func extraOracle() {
        var runner = SimulationRunner()
        runner.makeOracles = { StandardOracles.make() + [NonceOracle()] }
        let findings = runner.run(named: "nonces", seed: 1) { run in
            for nonce in [1, 2, 1] { run.report(NonceUsed(nonce: nonce)) }
        }.findings
        #expect(findings.map(\.description) == ["0.000000000 - nonce-reuse: 1 twice"])
    }

    @Test("sometimes-facts that no run hit are named")
    func sometimes() {
        #expect(SometimesFacts.missing(of: Wishful.self, in: [:]) == ["never", "seldom"])
        #expect(SometimesFacts.missing(of: Wishful.self, in: ["seldom": 1]) == ["never"])
        #expect(SometimesFacts.missing(of: Wishful.self, in: ["seldom": 1, "never": 2]) == [])
    }
}

private struct NonceUsed: SimulationFact {
    let nonce: Int
}

private final class NonceOracle: Oracle {
    let name = "nonce-reuse"
    private var seen: Set<Int> = []

    func subscribe(to registry: OracleRegistry) {
        registry.on(NonceUsed.self) { [self, unowned registry] used in
            if !seen.insert(used.nonce).inserted { registry.report(name, "\(used.nonce) twice") }
        }
    }

    func finish() {}
}

private struct Wishful: SimulatedScenario {
    static let name = "wishful"
    static let summary = "Declares marks and hits none."
    static let sometimes = ["seldom", "never"]
    func build(in run: SimulationRun) {}
}
