// SPDX-License-Identifier: Apache-2.0
import Ports
import Simulation
import Testing

@Suite("The simulated kernel")
struct SimulatedKernelTests {
    private static let secret = Array("correct horse battery staple".utf8)
    private static let user = SimulatedKernel.Credentials(user: 1000, mayTraceAll: false)
    private static let stranger = SimulatedKernel.Credentials(user: 1001, mayTraceAll: false)

    /// One victim that holds the secret, read once with process_vm_readv.
    private struct Scene {
        var features = KernelFeatures()
        var kind = MemoryKind.ordinary
        var attacker = SimulatedKernel.Credentials.root
        var isDumpable = true
        var hooks = ArmedHooks()

        /// What was read, or the error number.
        func read() throws -> Result<[UInt8], KernelFailure> {
            var kernel = SimulatedKernel(features: features)
            let victim = kernel.start(as: user)
            let attacker = kernel.start(as: attacker)
            let address = try kernel.map(secret, kind: kind, in: victim)
            try kernel.change(victim) { $0.isDumpable = isDumpable }
            kernel.hooks = hooks
            kernel.protect(victim)
            let range = address..<address + UInt64(secret.count)
            do throws(KernelFailure) {
                guard
                    case .bytes(let bytes) = try kernel.attempt(
                        .readMemory(victim, range), by: attacker)
                else { return .success([]) }
                return .success(bytes)
            } catch {
                return .failure(error)
            }
        }
    }

    @Test("root gets EFAULT for secret memory; control: the same read of other memory shows it")
    func root() throws {
        #expect(try Scene(kind: .secret).read() == .failure(.badAddress))
        for kind in MemoryKind.allCases where kind != .secret {
            #expect(try Scene(kind: kind).read() == .success(Self.secret))
        }
    }

    @Test("the armed program denies; control: loaded without the bpf LSM it never runs")
    func lsmProgram() throws {
        var hooks = ArmedHooks.agent(.deny)
        hooks.attachment = .lsmOnly
        var scene = Scene(hooks: hooks)
        #expect(try scene.read() == .failure(.operationNotPermitted))
        scene.features.bpfLSM = false
        #expect(try scene.read() == .success(Self.secret))
    }

    @Test("the agent falls back to fmod_ret without the bpf LSM, and to a signal without BTF")
    func tiers() throws {
        var scene = Scene(hooks: .agent(.deny))
        scene.features.bpfLSM = false
        #expect(try scene.read() == .failure(.operationNotPermitted))
        scene.features.btf = false
        #expect(try scene.read() == .success(Self.secret), "a signal comes after the read")
    }

    @Test("another user and an undumpable victim give EPERM; control: the same user, dumpable")
    func ordinaryUsers() throws {
        let refused = Result<[UInt8], KernelFailure>.failure(.operationNotPermitted)
        #expect(try Scene(attacker: Self.stranger).read() == refused)
        #expect(try Scene(attacker: Self.user, isDumpable: false).read() == refused)
        #expect(try Scene(attacker: Self.user).read() == .success(Self.secret))
        #expect(try Scene(isDumpable: false).read() == .success(Self.secret), "root may")
    }

    @Test("Yama refuses strangers of the same user from 1 on, and everybody at 3")
    func yama() throws {
        let refused = Result<[UInt8], KernelFailure>.failure(.operationNotPermitted)
        var scene = Scene(attacker: Self.user)
        scene.features.yamaPtraceScope = 1
        #expect(try scene.read() == refused)
        scene.attacker = .root
        #expect(try scene.read() == .success(Self.secret))
        scene.features.yamaPtraceScope = 3
        #expect(try scene.read() == refused)
    }

    @Test("a kernel without memfd_secret says ENOSYS and gives no secret memory")
    func withoutSecretMemory() throws {
        var features = KernelFeatures()
        features.memfdSecret = false
        #expect(throws: KernelFailure.notImplemented) {
            try Scene(features: features, kind: .secret).read()
        }
    }

    @Test("a read ends at the mapping's end, and ESRCH is for a process that is gone")
    func ends() throws {
        var kernel = SimulatedKernel()
        let victim = kernel.start(as: Self.user)
        let attacker = kernel.start(as: .root)
        let address = try kernel.map(Self.secret, kind: .ordinary, in: victim)
        let long = SystemCall.readMemory(victim, address..<address + 4000)
        #expect(try kernel.attempt(long, by: attacker) == .bytes(Self.secret))
        #expect(try kernel.attempt(.exit, by: victim) == .done)
        #expect(throws: KernelFailure.noSuchProcess) { try kernel.attempt(long, by: attacker) }
    }

    @Test("a lockdown closes the kernel's own memory; control: without it root reads it")
    func lockdown() throws {
        for isLockedDown in [false, true] {
            var features = KernelFeatures()
            features.isLockedDown = isLockedDown
            var kernel = SimulatedKernel(features: features)
            let attacker = kernel.start(as: .root)
            let opening = SystemCall.openKernelFile(.kernelCore, writing: false)
            if isLockedDown {
                #expect(throws: KernelFailure.operationNotPermitted) {
                    try kernel.attempt(opening, by: attacker)
                }
            } else {
                #expect(try kernel.attempt(opening, by: attacker) == .descriptor(3))
            }
        }
    }

    @Test("a denied attempt gives one event, an observed one too, and taking them empties the list")
    func events() throws {
        for response in [ArmedHooks.Response.observe, .deny] {
            var kernel = SimulatedKernel()
            let victim = kernel.start(as: Self.user)
            let attacker = kernel.start(as: .root)
            kernel.hooks = .agent(response)
            kernel.protect(victim)
            _ = try? kernel.attempt(.trace(victim, seizing: true), by: attacker)
            let expected = KernelEvent(
                sequence: 0, type: .ptraceAttach, hook: "ptrace_access_check", caller: attacker,
                target: victim, isDenied: response == .deny)
            #expect(kernel.takeEvents() == KernelEventBatch(events: [expected], lostCount: 0))
            #expect(kernel.takeEvents().events.isEmpty)
            #expect((kernel.process(victim)?.tracer == nil) == (response == .deny))
        }
    }

    @Test("a call that two programs answer gives one event; control: two calls give two")
    func oneEventForEachCall() throws {
        var kernel = SimulatedKernel()
        let victim = kernel.start(as: Self.user)
        let attacker = kernel.start(as: .root)
        kernel.hooks = .agent(.observe)
        kernel.protect(victim)
        let opening = SystemCall.openProcessFile(
            .memory, of: victim, through: .plain, writing: false)
        _ = try kernel.attempt(opening, by: attacker)
        #expect(kernel.takeEvents().events.map(\.hook) == ["file_open"])
        _ = try kernel.attempt(opening, by: attacker)
        _ = try kernel.attempt(opening, by: attacker)
        #expect(kernel.takeEvents().events.map(\.sequence) == [1, 2])
    }

    @Test("a full ring counts what it loses, and denies all the same")
    func lostEvents() throws {
        var kernel = SimulatedKernel()
        let victim = kernel.start(as: Self.user)
        let attacker = kernel.start(as: .root)
        kernel.hooks = .agent(.deny)
        kernel.protect(victim)
        for (count, lost) in [(EventRing.capacityStandard, 0), (EventRing.capacityStandard + 1, 1)]
        {
            for _ in 0..<count {
                #expect(throws: KernelFailure.operationNotPermitted) {
                    try kernel.attempt(.trace(victim, seizing: true), by: attacker)
                }
            }
            let batch = kernel.takeEvents()
            #expect(batch.events.count == EventRing.capacityStandard)
            #expect(batch.lostCount == lost)
        }
        #expect(kernel.takeEvents() == KernelEventBatch(events: [], lostCount: 0))
        #expect(kernel.reports.reported == UInt64(2 * EventRing.capacityStandard + 1))
    }

    @Test("deny+kill ends the actor, after the denial or after the effect; control: deny does not")
    func killsActor() throws {
        for killsActor in [false, true] {
            for isSynchronous in [true, false] {
                var features = KernelFeatures()
                (features.bpfLSM, features.btf) = (isSynchronous, isSynchronous)
                var kernel = SimulatedKernel(features: features)
                let victim = kernel.start(as: Self.user)
                let attacker = kernel.start(as: .root)
                kernel.hooks = .agent(.deny)
                kernel.hooks.killsActor = killsActor
                kernel.protect(victim)
                let answer = try? kernel.attempt(.trace(victim, seizing: true), by: attacker)
                #expect((answer == .done) == !isSynchronous)
                #expect((kernel.process(attacker) == nil) == killsActor)
                #expect(kernel.process(victim) != nil)
                let isTraced = kernel.process(victim)?.tracer == attacker
                #expect(isTraced == (!isSynchronous && !killsActor))
                #expect(kernel.takeEvents().events.count == 1)
            }
        }
    }

    @Test("a failure's number is the kernel's own")
    func failureNumbers() {
        #expect(
            KernelFailure.allCases.map(\.rawValue) == [
                1, 2, 3, 5, 6, 9, 13, 14, 16, 22, 29, 38, 95,
            ])
        #expect(Set(KernelFailure.allCases.map(\.name)).count == KernelFailure.allCases.count)
    }
}
