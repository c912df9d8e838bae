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

    package init(_ mode: DeliveryMode) {
        switch mode {
        case .splice: self = .splice
        case .file: self = .file
        case .environ: self = .environ
        }
    }
}

/// What watches the machine.
package enum EnforcementMode: String, Sendable, CaseIterable {
    case none
    /// The agent's programs observe.
    case detect
    /// They deny.
    case deny
    /// They deny, and whoever they deny gets SIGKILL.
    case denyAndKill = "deny+kill"
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
    package private(set) var wrapper: ProcessID = 0
    package private(set) var application: ProcessID = 0
    /// Root on the node, with every capability.
    package private(set) var attacker: ProcessID
    /// Root in another container, without CAP_SYS_PTRACE.
    package private(set) var neighbour: ProcessID
    package private(set) var secret: [UInt8] = []
    package let delivery: ModelledDelivery
    package let enforcement: EnforcementMode
    package let follow: FollowStrategy

    /// What the application's filter denies; the list of LinuxProcessHost, which a test compares.
    package static let deniedCalls: Set<String> = [
        "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "io_uring_setup",
        "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open", "kcmp", "bpf",
        "init_module", "finit_module", "delete_module", "vmsplice", "tee",
    ]

    /// What it answers as a kernel does that cannot.
    package static let unsupportedCalls: Set<String> = ["splice"]

    private static let user: UInt32 = 1000
    private static let ownCredentials = SimulatedKernel.Credentials(
        user: user, mayTraceAll: false)
    private static let neighbourCredentials = SimulatedKernel.Credentials(
        user: 0, mayTraceAll: false)

    package init(
        features: KernelFeatures, delivery: ModelledDelivery, enforcement: EnforcementMode,
        follow: FollowStrategy = .standard,
        secret: [UInt8] = Array("6f9Q-canary-Zt3x-7Lm0-pq5V".utf8)
    ) throws {
        try self.init(
            idleOn: features, delivery: delivery, enforcement: enforcement, follow: follow)
        try startWrapper()
        try startApplication(with: secret)
    }

    /// The machine before the wrapper's start.
    package init(
        idleOn features: KernelFeatures, delivery: ModelledDelivery,
        enforcement: EnforcementMode, follow: FollowStrategy = .standard
    ) throws(Refusal) {
        guard features.memfdSecret || delivery == .environ else { throw .noSecretMemory }
        self.delivery = delivery
        self.enforcement = enforcement
        self.follow = follow
        kernel = SimulatedKernel(features: features)
        kernel.hooks = Self.hooks(of: enforcement)
        attacker = kernel.start(as: .root)
        neighbour = kernel.start(as: Self.neighbourCredentials)
    }

    /// What the programs of a mode answer.
    package static func hooks(of enforcement: EnforcementMode) -> ArmedHooks {
        switch enforcement {
        case .none: return ArmedHooks()
        case .detect: return .agent(.observe)
        case .deny: return .agent(.deny)
        case .denyAndKill:
            var hooks = ArmedHooks.agent(.deny)
            hooks.killsActor = true
            return hooks
        }
    }
}

// MARK: - Its life

extension SimulatedWorkload {
    /// A wrapper without a program yet; one that runs ends first, with all that it started.
    package mutating func startWrapper() throws(KernelFailure) {
        endWrapper()
        wrapper = kernel.start(as: Self.ownCredentials)
        try kernel.change(wrapper) { $0.isDumpable = false }
        try mapImage(in: wrapper, environment: [])
        if enforcement != .none { kernel.protect(wrapper, Protection(takesSignals: true)) }
    }

    /// The wrapper fetches a secret and starts a program with it; one that runs ends first.
    package mutating func startApplication(with secret: [UInt8]) throws(KernelFailure) {
        endApplication()
        self.secret = secret
        try keepCopy()
        application = kernel.start(as: Self.ownCredentials, parent: wrapper)
        let inUse = Array(secret.prefix(8))
        try kernel.change(application) { process in
            process.deniedCalls = Self.deniedCalls
            process.unsupportedCalls = Self.unsupportedCalls
            process.killsForeignEntries = true
            process.registers = inUse
            process.arguments = Array("application\0--verbose\0".utf8)
        }
        try deliver()
        guard enforcement != .none else { return }
        // Only spliced values have the leak index behind them that a scan needs.
        let scanned = delivery == .splice ? [secret] : []
        kernel.protect(application, Protection(tracer: wrapper, values: scanned))
    }

    /// The program is gone, with all that it started.
    package mutating func endApplication() { kernel.endTree(application) }

    package mutating func endWrapper() {
        kernel.endTree(wrapper)
        endApplication()
    }

    /// Whoever was killed comes back as another process.
    package mutating func reviveAttackers() {
        if kernel.process(attacker) == nil { attacker = kernel.start(as: .root) }
        if kernel.process(neighbour) == nil {
            neighbour = kernel.start(as: Self.neighbourCredentials)
        }
    }

    package var runsWrapper: Bool { kernel.process(wrapper) != nil }
    package var runsApplication: Bool { kernel.process(application) != nil }

    /// The wrapper's master copy, in the best memory there is, without a descriptor to it.
    private mutating func keepCopy() throws(KernelFailure) {
        let kind: MemoryKind = kernel.features.memfdSecret ? .secret : .locked
        try kernel.unmap(kind, of: wrapper)
        _ = try kernel.map(secret, kind: kind, in: wrapper)
        if enforcement != .none {
            kernel.protect(wrapper, Protection(takesSignals: true))
        }
    }

    private mutating func deliver() throws(KernelFailure) {
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
}
