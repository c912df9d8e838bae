// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import Simulation
import Testing

@Suite("AV-008: process_vm_readv against the simulated kernel")
struct ProcessVMReadAttackTests {
    private static let secret = Array("correct horse battery staple".utf8)
    private static let user = SimulatedKernel.Credentials(user: 1000, mayTraceAll: false)
    private static let stranger = SimulatedKernel.Credentials(user: 1001, mayTraceAll: false)
    private static let permission = AttackVerdict.refused(errorNumber: 1)
    private static let fault = AttackVerdict.refused(errorNumber: 14)

    /// One victim that holds the secret, attacked once.
    private struct Scene {
        var features = SimulatedKernel.Features()
        var rules = SimulatedKernel.Rules()
        var kind = SimulatedKernel.MemoryKind.ordinary
        var attacker = SimulatedKernel.Credentials.root
        var isDumpable = true
        var isGuarded = false

        func verdict() throws -> AttackVerdict {
            var kernel = SimulatedKernel(features: features)
            kernel.rules = rules
            let victim = kernel.start(as: user)
            let attacker = kernel.start(as: attacker)
            _ = try kernel.map(secret, kind: kind, in: victim)
            kernel.setDumpable(isDumpable, of: victim)
            if isGuarded { kernel.guardAgainstTracing(victim) }
            let attack = ProcessVMReadAttack(attacker: attacker, victim: victim, needle: secret)
            return attack.run(in: kernel)
        }
    }

    @Test("root gets EFAULT for secret memory; control: the same read of other memory leaks")
    func root() throws {
        #expect(try Scene(kind: .secret).verdict() == Self.fault)
        #expect(try Scene(kind: .locked).verdict() == .leaked)
        #expect(try Scene(kind: .ordinary).verdict() == .leaked)
    }

    @Test("the armed program denies with EPERM; control: loaded without the bpf LSM it never runs")
    func hook() throws {
        var scene = Scene(isGuarded: true)
        #expect(try scene.verdict() == Self.permission)
        scene.features.bpfLSM = false
        #expect(try scene.verdict() == .leaked)
    }

    @Test("another user and an undumpable victim give EPERM; control: the same user, dumpable")
    func ordinaryUsers() throws {
        #expect(try Scene(attacker: Self.stranger).verdict() == Self.permission)
        #expect(try Scene(attacker: Self.user, isDumpable: false).verdict() == Self.permission)
        #expect(try Scene(attacker: Self.user).verdict() == .leaked)
        #expect(try Scene(isDumpable: false).verdict() == .leaked, "root is not bound by it")
    }

    @Test("a kernel without memfd_secret says ENOSYS and gives no secret memory")
    func withoutSecretMemory() throws {
        var features = SimulatedKernel.Features()
        features.memfdSecret = false
        #expect(throws: SimulatedKernel.Failure.notImplemented) {
            try Scene(features: features, kind: .secret).verdict()
        }
    }

    @Test("a secret that is not there is absent, a process that is gone is ESRCH")
    func nothingToFind() throws {
        var kernel = SimulatedKernel()
        let victim = kernel.start(as: Self.user)
        let attacker = kernel.start(as: .root)
        let address = try kernel.map(Array("nothing".utf8), kind: .ordinary, in: victim)
        let attack = ProcessVMReadAttack(attacker: attacker, victim: victim, needle: Self.secret)
        #expect(attack.run(in: kernel) == .absent)
        let read = try kernel.processVMRead(by: attacker, from: victim, at: address, count: 99)
        #expect(read == Array("nothing".utf8), "a short read, as the kernel gives it")
        kernel.exit(victim)
        #expect(attack.run(in: kernel) == .refused(errorNumber: 3))
    }

    @Test("the process itself reads its ordinary memory, guarded or not, and not its secret pages")
    func itself() throws {
        var kernel = SimulatedKernel()
        let process = kernel.start(as: Self.user)
        let attack = ProcessVMReadAttack(attacker: process, victim: process, needle: Self.secret)
        kernel.guardAgainstTracing(process)
        _ = try kernel.map(Self.secret, kind: .secret, in: process)
        #expect(attack.run(in: kernel) == Self.fault)
        _ = try kernel.map(Self.secret, kind: .ordinary, in: process)
        #expect(attack.run(in: kernel) == .leaked)
    }

    /// Every scene whose verdict hangs on exactly one rule, in the order of `Rules.allCases`.
    private static let refused: [Scene] = [
        Scene(attacker: stranger), Scene(attacker: user, isDumpable: false),
        Scene(isGuarded: true), Scene(kind: .secret),
    ]

    @Test(
        "each rule of the model decides a verdict: with it off, its scene leaks and no other does")
    func mutations() throws {
        let mutants = SimulatedKernel.Rules.allCases
        #expect(mutants.count == Self.refused.count)
        for (index, mutant) in mutants.enumerated() {
            for (other, scene) in Self.refused.enumerated() {
                var mutated = scene
                mutated.rules = mutant
                #expect(try (mutated.verdict() == .leaked) == (index == other))
                #expect(try scene.verdict() != .leaked)
            }
        }
    }

    @Test("the VM's attack programs know the vector by the same name")
    func sameName() {
        #expect(AttackVector(rawValue: ProcessVMReadAttack.name) == .processVMReadv)
        #expect(ProcessVMReadAttack.id == "AV-008")
    }
}
