// SPDX-License-Identifier: Apache-2.0

/// Reads every mapping of the victim with process_vm_readv(2) and searches it for the secret.
package struct ProcessVMReadAttack: SimulatedAttack {
    package static let id = "AV-008"
    package static let name = "process-vm-readv"

    private let attacker: SimulatedKernel.ProcessID
    private let victim: SimulatedKernel.ProcessID
    private let needle: [UInt8]

    /// - Parameter needle: the secret to look for, not empty.
    package init(
        attacker: SimulatedKernel.ProcessID, victim: SimulatedKernel.ProcessID, needle: [UInt8]
    ) {
        self.attacker = attacker
        self.victim = victim
        self.needle = needle
    }

    package func run(in kernel: SimulatedKernel) -> AttackVerdict {
        guard let target = kernel.process(victim) else {
            return .refused(errorNumber: SimulatedKernel.Failure.noSuchProcess.rawValue)
        }
        var refusal: SimulatedKernel.Failure?
        for mapping in target.mappings {
            do throws(SimulatedKernel.Failure) {
                let bytes = try kernel.processVMRead(
                    by: attacker, from: victim, at: mapping.start, count: mapping.bytes.count)
                if bytes.contains(needle) { return .leaked }
            } catch {
                refusal = refusal ?? error
            }
        }
        return refusal.map { .refused(errorNumber: $0.rawValue) } ?? .absent
    }
}
