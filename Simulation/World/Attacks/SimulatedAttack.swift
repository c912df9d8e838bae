// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Where the attacker stands.
package enum AttackPosition: String, Sendable, CaseIterable {
    /// Root on the node or in another container.
    case outside
    /// The application's own code.
    case inside
}

/// Whose secret an attack is after.
package enum AttackTarget: String, Sendable, CaseIterable {
    case application, wrapper
}

/// What an attack gained.
package enum AttackGain: String, Sendable {
    case nothing
    /// Eight bytes of the secret in a row, or more.
    case secret
    /// The target does what the attacker wants, and it may read its secret.
    case control
    /// A setting that later attacks need.
    case setting
    /// Facts that help other attacks, and no byte of the secret.
    case information
}

/// The stage of one attack: who attacks whom, and what for.
package struct AttackScene: Sendable {
    /// Who makes the calls: root on the node, or the application itself.
    package let attacker: ProcessID
    /// Root in another container.
    package let neighbour: ProcessID
    package let target: ProcessID
    package let secret: [UInt8]
    /// Every run of the secret that counts as a leak.
    private let runs: Set<UInt64>

    package init(
        attacker: ProcessID, neighbour: ProcessID, target: ProcessID, secret: [UInt8]
    ) {
        self.attacker = attacker
        self.neighbour = neighbour
        self.target = target
        self.secret = secret
        var runs: Set<UInt64> = []
        Self.eachRun(of: secret) { runs.insert($0) }
        self.runs = runs
    }

    /// Shortest run of the secret that counts as a leak (bytes): as many as a word has.
    package static let runBytesMin = 8

    /// Whether `bytes` holds a run of the secret.
    package func isLeak(_ bytes: [UInt8]) -> Bool {
        var isFound = false
        Self.eachRun(of: bytes) { isFound = isFound || runs.contains($0) }
        return isFound
    }

    /// Calls `body` with each `runBytesMin` bytes in a row, as a number.
    private static func eachRun(of bytes: [UInt8], _ body: (UInt64) -> Void) {
        var run: UInt64 = 0
        for (index, byte) in bytes.enumerated() {
            run = run << 8 | UInt64(byte)
            if index >= runBytesMin - 1 { body(run) }
        }
    }

    package func gain(from bytes: [UInt8]) -> AttackGain { isLeak(bytes) ? .secret : .nothing }
}

/// One way of getting at a delivered secret, made of attempts on a kernel.
///
/// An attack takes what works and goes on where one of its calls is refused; it throws the last
/// refusal when nothing worked.
package protocol SimulatedAttack: Sendable {
    /// Stable id in the catalogue of attack vectors: `AV-008`.
    static var id: String { get }
    static var position: AttackPosition { get }
    static var targets: [AttackTarget] { get }

    init()

    /// Why there is nothing to try here, or nil.
    func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String?

    func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain
}

extension SimulatedAttack {
    package static var position: AttackPosition { .outside }
    package static var targets: [AttackTarget] {
        position == .outside ? AttackTarget.allCases : [.application]
    }

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? { nil }
}

/// An attack from within the application.
package protocol InsideAttack: SimulatedAttack {}

extension InsideAttack {
    package static var position: AttackPosition { .inside }
}

extension Kernel {
    /// The bytes that a call gives; none when it gives something else.
    mutating func bytes(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> [UInt8] {
        guard case .bytes(let bytes) = try attempt(call, by: caller) else { return [] }
        return bytes
    }

    /// The descriptor that a call gives.
    mutating func descriptor(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> Int32 {
        guard case .descriptor(let number) = try attempt(call, by: caller) else {
            throw .badDescriptor
        }
        return number
    }

    /// The process that a call starts.
    mutating func child(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> ProcessID {
        guard case .process(let id) = try attempt(call, by: caller) else { throw .noSuchProcess }
        return id
    }

    /// Makes `call` for every mapping of the target until one shows the secret. Throws the last
    /// refusal when no mapping could be read but those that hold nothing.
    mutating func search(
        _ scene: AttackScene, of target: ProcessID? = nil, by caller: ProcessID? = nil,
        with call: (Range<UInt64>) -> SystemCall
    ) throws(KernelFailure) -> AttackGain {
        var refusal: KernelFailure?
        for region in try regions(of: target ?? scene.target) {
            do throws(KernelFailure) {
                let found = try bytes(call(region.range), by: caller ?? scene.attacker)
                if scene.isLeak(found) { return .secret }
            } catch {
                refusal = error
            }
        }
        if let refusal { throw refusal }
        return .nothing
    }

    func record(_ id: ProcessID) -> ProcessRecord? { processes.first { $0.id == id } }
}
