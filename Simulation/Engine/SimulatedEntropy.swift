// SPDX-License-Identifier: Apache-2.0
package import Ports
package import SecretMemory

/// Randomness of a component from the run's choices: what may be seen is drawn and recorded,
/// secret bytes belong to the seed.
///
/// Fault class: `entropy.unavailable`.
package final class SimulatedEntropy: EntropySource, @unchecked Sendable {
    private unowned let run: SimulationRun
    private let component: String
    private var secretBytesDrawn = 0

    init(run: SimulationRun, component: String) {
        self.run = run
        self.component = component
    }

    package func draw(below bound: UInt64) throws(EntropyFailure) -> UInt64 {
        try failIfPlanned()
        return run.choices.draw(below: bound, label: "entropy/\(component)")
    }

    package func appendSecret(
        _ count: Int, to buffer: inout SecretBuffer
    ) throws(EntropyFailure) {
        try failIfPlanned()
        secretBytesDrawn += 1
        let bytes = run.choices.seededBytes(
            count, label: "entropy/secret/\(component)/\(secretBytesDrawn)")
        do {
            for byte in bytes { try buffer.append(byte: byte) }
        } catch {
            preconditionFailure("the caller's buffer has no room for \(count) bytes")
        }
    }

    private func failIfPlanned() throws(EntropyFailure) {
        // ENOSYS: what an old kernel answers.
        if run.faults.fires("entropy.unavailable") { throw .unavailable(errorNumber: 38) }
    }
}
