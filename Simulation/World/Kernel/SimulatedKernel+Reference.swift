// SPDX-License-Identifier: Apache-2.0
package import Ports

/// What a kernel is compared with that may have a mistake in it.
extension SimulatedKernel {
    /// The same machine at the same moment, with every rule on and the programs of a mode armed.
    package func reference(for enforcement: EnforcementMode) -> SimulatedKernel {
        var copy = self
        copy.rules = Rules()
        copy.hooks = SimulatedWorkload.hooks(of: enforcement)
        copy.reports.fault = nil
        return copy
    }

    /// Whether loaded programs have a say in a call: programs that deny wherever they are asked
    /// would change its outcome. Programs that only observe must report such a call.
    package func isCovered(_ call: SystemCall, by caller: ProcessID) -> Bool {
        var bare = reference(for: .none)
        var guarded = bare
        guarded.hooks = .agent(.deny)
        for hook in Hook.allCases { guarded.hooks.responses[hook] = .deny }
        // Where programs cannot deny in time they see the same calls.
        guarded.features.bpfLSM = true
        return Self.outcome(of: call, by: caller, on: &guarded)
            != Self.outcome(of: call, by: caller, on: &bare)
    }

    private static func outcome(
        of call: SystemCall, by caller: ProcessID, on kernel: inout SimulatedKernel
    ) -> Result<KernelAnswer, KernelFailure> {
        do throws(KernelFailure) {
            return .success(try kernel.attempt(call, by: caller))
        } catch {
            return .failure(error)
        }
    }

    /// Whether the machine is other than an attacker finds it first: a setting was changed, or
    /// pages of processes that have ended lie about. Then attacks can succeed that the attack
    /// matrix has as blocked.
    package var isPrepared: Bool {
        coreTarget != .file || !freedPages.isEmpty || table.values.contains(where: \.hasCoreLimit)
    }
}
