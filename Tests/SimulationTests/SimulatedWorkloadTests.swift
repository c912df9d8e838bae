// SPDX-License-Identifier: Apache-2.0
import LinuxProcessHost
import Ports
import Simulation
import Testing

@Suite("The workload that attacks find")
struct SimulatedWorkloadTests {
    @Test("its filter denies what the host's filter denies")
    func sameFilter() {
        #expect(SimulatedWorkload.deniedCalls == Set(SystemCallFilter.restrictedCalls))
        #expect(SimulatedWorkload.unsupportedCalls == Set(SystemCallFilter.unsupportedCalls))
    }

    @Test("the secret is where the delivery mode puts it, and the wrapper has it too")
    func places() throws {
        for delivery in ModelledDelivery.allCases {
            let workload = try SimulatedWorkload(
                features: KernelFeatures(), delivery: delivery, enforcement: .none)
            let kinds = try workload.kernel.regions(of: workload.application).map(\.kind)
            #expect(kinds.contains(.secret) == (delivery != .environ))
            #expect(try workload.kernel.regions(of: workload.wrapper).map(\.kind).contains(.secret))
            let record = workload.kernel.processes.first { $0.id == workload.application }
            #expect((record?.tracer == workload.wrapper) == (delivery == .splice))
            #expect(record?.secretDescriptors.count == (delivery == .file ? 1 : 0))
        }
    }

    @Test("without memfd_secret only the classic environment is delivered")
    func withoutSecretMemory() throws {
        var features = KernelFeatures()
        features.memfdSecret = false
        for delivery in [ModelledDelivery.splice, .file] {
            #expect(throws: SimulatedWorkload.Refusal.noSecretMemory) {
                try SimulatedWorkload(
                    features: features, delivery: delivery, enforcement: .none)
            }
        }
        let classic = try SimulatedWorkload(
            features: features, delivery: .environ, enforcement: .none)
        #expect(try classic.kernel.regions(of: classic.wrapper).map(\.kind).contains(.locked))
    }

    @Test("every attack has a type of its own, and there are enough of them")
    func attacks() {
        let ids = SimulatedAttacks.all.map { $0.id }
        #expect(Set(ids).count == ids.count)
        #expect(ids == ids.sorted())
        #expect(ids.count >= 40)
    }

    @Test("every attack succeeds somewhere when nothing guards: the attack itself works")
    func positiveControl() throws {
        let rules = [nil] + SimulatedKernel.Rules.allCases.map(Optional.some)
        for attack in SimulatedAttacks.all {
            let succeeds = try ModelledDelivery.allCases.contains { delivery in
                try rules.contains { rules in
                    try Self.gain(of: attack, delivery, rules) != .nothing
                }
            }
            // /proc/PID/cmdline is read, and nobody puts a secret there.
            #expect(succeeds || attack.id == "AV-045", "\(attack.id)")
        }
    }

    private static func gain(
        of attack: any SimulatedAttack.Type, _ delivery: ModelledDelivery,
        _ rules: SimulatedKernel.Rules?
    ) throws -> AttackGain {
        var workload = try SimulatedWorkload(
            features: KernelFeatures(), delivery: delivery, enforcement: .none)
        if let rules { workload.kernel.rules = rules }
        let application = workload.application
        let scene = AttackScene(
            attacker: attack.position == .outside ? workload.attacker : application,
            neighbour: workload.neighbour, target: application, secret: workload.secret)
        return (try? attack.init().run(scene, on: &workload.kernel)) ?? .nothing
    }
}
