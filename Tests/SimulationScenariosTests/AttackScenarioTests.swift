// SPDX-License-Identifier: Apache-2.0
import Ports
import Simulation
import SimulationEngine
import SimulationScenarios
import Testing

/// Kernels with one mistake each, which the oracles have to find while a wrapper runs on them.
/// Rarer mistakes are for the attack matrix, which plays every cell.
enum BrokenKernel: String, CaseIterable, Sendable {
    case pinsSecretPages = "pins secret pages"
    case mapsSecretPages = "keeps secret pages in its direct map"
    case ignoresFilters = "does not obey seccomp filters"
    case twoTracers = "lets a task have two tracers"
    case asksNobody = "asks no loaded program"
    case missesHook = "has no program on ptrace_access_check"
    case forgetsEvents = "does not report what its programs answer"
    case repeatsEvents = "reports everything twice"
    case losesEvents = "loses reports without a count"

    /// Oracles of which one has to go red.
    var oracles: Set<String> {
        switch self {
        case .pinsSecretPages, .mapsSecretPages, .ignoresFilters, .twoTracers: ["taint", "attack"]
        case .asksNobody, .missesHook: ["taint", "attack", "event-completeness"]
        case .forgetsEvents, .repeatsEvents, .losesEvents: ["event-completeness"]
        }
    }

    func tamper(_ kernel: inout SimulatedKernel) {
        switch self {
        case .pinsSecretPages: kernel.rules.refusesToPinSecretPages = false
        case .mapsSecretPages: kernel.rules.keepsSecretPagesOutOfDirectMap = false
        case .ignoresFilters: kernel.rules.obeysFilters = false
        case .twoTracers: kernel.rules.allowsOneTracer = false
        case .asksNobody: kernel.rules.consultsHooks = false
        case .missesHook: kernel.hooks.responses[.ptraceAccessCheck] = nil
        case .forgetsEvents: kernel.reports.fault = .forgets
        case .repeatsEvents: kernel.reports.fault = .repeats
        case .losesEvents: kernel.reports.fault = .losesUncounted
        }
    }
}

@Suite("A wrapper under attack in the simulator")
struct AttackScenarioTests {
    private static func run(
        _ broken: BrokenKernel?, seed: UInt64, replaying tape: Tape? = nil
    ) -> RunResult {
        let scenario = WrapperScenario(tamper: { broken?.tamper(&$0) })
        return SimulationRunner().run(
            named: WrapperScenario.name, limits: WrapperScenario.limits, seed: seed,
            replaying: tape
        ) { scenario.build(in: $0) }
    }

    private static func firstFailure(of broken: BrokenKernel) -> RunResult? {
        (1...seedsMax).lazy.map { Self.run(broken, seed: $0) }.first { result in
            result.findings.contains { broken.oracles.contains($0.oracle) }
        }
    }

    /// So many seeds may pass before a mistake is found.
    private static let seedsMax: UInt64 = 100

    @Test("a kernel that is broken is found out", arguments: BrokenKernel.allCases)
    func broken(_ kernel: BrokenKernel) throws {
        let failure = try #require(
            Self.firstFailure(of: kernel), "found nothing wrong with one that \(kernel.rawValue)")
        #expect(failure.findings.allSatisfy { kernel.oracles.contains($0.oracle) })
        let whole = Self.run(nil, seed: failure.seed).findings
        #expect(whole.isEmpty, "control: seed \(failure.seed): \(whole)")
    }

    @Test("attacks get bytes where nothing guards; control: none where all of it is blocked")
    func positiveControl() {
        var marks: [String: Int] = [:]
        for seed in 1...40 as ClosedRange<UInt64> {
            marks.merge(Self.run(nil, seed: seed).marks, uniquingKeysWith: +)
        }
        #expect(marks["attack.bytes.none", default: 0] > 0)
        #expect(marks["attack.blocked.none", default: 0] > 0)
        #expect(marks["attack.blocked.deny", default: 0] > marks["attack.bytes.deny", default: 0])
        #expect(marks["attack.event", default: 0] > 0)
    }

    @Test("shrinking drops every step of the attack that the failure does not need")
    func shrinking() throws {
        let kernel = BrokenKernel.pinsSecretPages
        let failure = try #require(Self.firstFailure(of: kernel))
        let steps = failure.tape.parts.filter { $0.label.hasPrefix("attack/") }.count
        let oracle = failure.findings[0].oracle
        let outcome = TapeShrinker().shrink(failure.tape) { tape in
            Self.run(kernel, seed: failure.seed, replaying: tape).findings.first?.oracle == oracle
        }
        let left = outcome.tape.parts.map(\.label).filter {
            $0.hasPrefix("attack/") && $0 != "attack/world" && $0 != "attack/collector"
        }
        #expect(left.count == 1, "\(outcome.tape.text)")
        #expect(steps > left.count)
        #expect(!Self.run(kernel, seed: failure.seed, replaying: outcome.tape).findings.isEmpty)
    }

    @Test("every difference between kernels is drawn, and secret memory where it is needed")
    func kernels() {
        for needsSecretMemory in [false, true] {
            let drawn = (1...200 as ClosedRange<UInt64>).map { seed in
                KernelFeatures.drawn(
                    Choices(seed: seed), label: "kernel", needsSecretMemory: needsSecretMemory)
            }
            for (name, feature) in KernelFeatures.switches {
                let values = Set(drawn.map { $0[keyPath: feature] })
                let isFixed = needsSecretMemory && name == "memfdSecret"
                #expect(values.count == (isFixed ? 1 : 2), "\(name)")
            }
            #expect(Set(drawn.map(\.yamaPtraceScope)) == [0, 1, 2, 3])
            for flag in [\KernelFeatures.hibernation, \.zeroesFreedPages, \.isLockedDown] {
                #expect(Set(drawn.map { $0[keyPath: flag] }).count == 2)
            }
        }
        let simplest = KernelFeatures.drawn(
            Choices(seed: 1, replaying: Tape(seed: 1)), label: "kernel", needsSecretMemory: false)
        #expect(simplest == KernelFeatures(), "the simplest choice is the newest kernel")
    }
}
