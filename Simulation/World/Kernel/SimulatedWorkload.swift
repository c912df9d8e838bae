// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import Ports

/// How the values get into the application, as far as the kernel sees it.
package enum ModelledDelivery: String, Sendable, CaseIterable {
    /// A region of secret memory that the environment array points at; the wrapper stays the
    /// application's tracer under follow strategy `attached`.
    case splice
    /// An inherited memfd_secret descriptor that the application maps.
    case file
    /// The classic environment block.
    case environ
}

/// What watches the machine.
package enum EnforcementMode: String, Sendable, CaseIterable {
    case none
    /// The planned agent's programs observe.
    case detect
    /// They deny.
    case deny
    /// The test program bpf/deny_ptrace.bpf.c, which VM tests load: not a mode of the product.
    case denyPtraceProgram = "deny_ptrace"

    /// The modes of the product.
    package static let modes = [EnforcementMode.none, .detect, .deny]
}

/// A machine on which the wrapper has delivered a secret to an application, and somebody who is
/// root beside it.
package struct SimulatedWorkload: Sendable {
    /// Why there is nothing to attack.
    package enum Refusal: Error, Sendable {
        /// Without memfd_secret the wrapper refuses these delivery modes.
        case noSecretMemory
    }

    package var kernel: SimulatedKernel
    package let wrapper: ProcessID
    package let application: ProcessID
    /// Root on the node, with every capability.
    package let attacker: ProcessID
    /// Root in another container, without CAP_SYS_PTRACE.
    package let neighbour: ProcessID
    package let secret: [UInt8]

    /// What the application's filter denies; the list of LinuxProcessHost, which a test compares.
    package static let deniedCalls: Set<String> = [
        "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "io_uring_setup",
        "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open", "kcmp", "bpf",
        "init_module", "finit_module", "delete_module", "vmsplice", "tee",
    ]

    /// What it answers as a kernel does that cannot.
    package static let unsupportedCalls: Set<String> = ["splice"]

    private static let user: UInt32 = 1000

    package init(
        features: KernelFeatures, delivery: ModelledDelivery, enforcement: EnforcementMode,
        follow: FollowStrategy = .standard,
        secret: [UInt8] = Array("6f9Q-canary-Zt3x-7Lm0-pq5V".utf8)
    ) throws {
        guard features.memfdSecret || delivery == .environ else { throw Refusal.noSecretMemory }
        self.secret = secret
        kernel = SimulatedKernel(features: features)
        attacker = kernel.start(as: .root)
        neighbour = kernel.start(
            as: SimulatedKernel.Credentials(user: 0, mayTraceAll: false))
        let own = SimulatedKernel.Credentials(user: Self.user, mayTraceAll: false)
        wrapper = kernel.start(as: own)
        application = kernel.start(as: own, parent: wrapper)
        try startWrapper()
        try startApplication(delivery, follow)
        arm(enforcement)
    }

    /// Undumpable, with a master copy in the best memory there is and no descriptor to it.
    private mutating func startWrapper() throws(KernelFailure) {
        try kernel.change(wrapper) { $0.isDumpable = false }
        try mapImage(in: wrapper, environment: [])
        let kind: MemoryKind = kernel.features.memfdSecret ? .secret : .locked
        _ = try kernel.map(secret, kind: kind, in: wrapper)
    }

    private mutating func startApplication(
        _ delivery: ModelledDelivery, _ follow: FollowStrategy
    ) throws(KernelFailure) {
        let inUse = Array(secret.prefix(8))
        try kernel.change(application) { process in
            process.deniedCalls = Self.deniedCalls
            process.unsupportedCalls = Self.unsupportedCalls
            process.killsForeignEntries = true
            process.registers = inUse
            process.arguments = Array("application\0--verbose\0".utf8)
        }
        let name = Array("PASSWORD=".utf8)
        try mapImage(in: application, environment: delivery == .environ ? name + secret : name)
        _ = try kernel.open(.channel, in: application)
        guard delivery != .environ else { return }
        _ = try kernel.map(secret, kind: .secret, in: application)
        if delivery == .file { _ = try kernel.open(.secretMemory(secret), in: application) }
        if delivery == .splice, follow == .attached {
            let tracer = wrapper
            try kernel.change(application) { $0.tracer = tracer }
        }
    }

    private mutating func mapImage(
        in id: ProcessID, environment: [UInt8]
    ) throws(KernelFailure) {
        _ = try kernel.map([UInt8](repeating: 0x90, count: 64), kind: .program, in: id)
        _ = try kernel.map([UInt8](repeating: 0, count: 64), kind: .ordinary, in: id)
        _ = try kernel.map(environment + [0], kind: .stack, in: id)
    }

    private mutating func arm(_ enforcement: EnforcementMode) {
        switch enforcement {
        case .none: return
        case .detect: kernel.hooks = .agent(.observe)
        case .deny: kernel.hooks = .agent(.deny)
        case .denyPtraceProgram: kernel.hooks = .denyPtraceProgram
        }
        kernel.protect(wrapper, Protection(values: [secret]))
        kernel.protect(application, Protection(tracer: wrapper, values: [secret]))
    }
}
