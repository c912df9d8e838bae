// SPDX-License-Identifier: Apache-2.0

/// What an attack came to, in the words of the VM's attack programs.
package enum AttackVerdict: Sendable, Equatable {
    /// The secret was found.
    case leaked
    /// The kernel refused every access that would have shown it; `errorNumber` as errno(3).
    case refused(errorNumber: Int32)
    /// The access worked and the secret was not in what it showed.
    case absent
}

/// One way of getting at another process's secret, played against the simulated kernel.
package protocol SimulatedAttack: Sendable {
    /// Stable id in the catalogue of attack vectors.
    static var id: String { get }
    /// The name that the VM's attack programs use for the same vector.
    static var name: String { get }

    func run(in kernel: SimulatedKernel) -> AttackVerdict
}
