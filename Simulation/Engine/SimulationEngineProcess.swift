// SPDX-License-Identifier: Apache-2.0
internal import CSimulationHooks

/// A process that does nothing but simulate.
package enum SimulationEngineProcess {
    /// From now on a job that any thread hands to the global executor is a finding: nothing else
    /// here uses tasks. In a test's process other tests do.
    package static func own() { csimulation_own_process() }
}
