// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import Ports
internal import Synchronization

/// `WorkloadObserver` on processes that a test starts and ends.
package final class SimulatedWorkloadObserver: WorkloadObserver {
    private struct Running {
        let parent: ProcessID
        let started: UInt64
        let isFork: Bool
        /// nil: it has no memory, as one that has ended and was not waited for.
        var facts: ProcessObservation?
    }

    private struct State {
        var running: [ProcessID: Running] = [:]
        var starts: UInt64 = 0
        var looks: [ProcessID] = []
    }

    private let state = Mutex(State())
    private let facts: NodeObservation

    package init(node: NodeObservation = NodeObservation()) { facts = node }

    /// Somebody begins who has this number from now on, whoever had it before.
    ///
    /// - Parameter isFork: it executes nothing.
    package func start(
        _ process: ProcessID, childOf parent: ProcessID = 1, isFork: Bool = false,
        _ facts: ProcessObservation? = nil
    ) {
        state.withLock { state in
            state.starts += 1
            state.running[process] = Running(
                parent: parent, started: state.starts, isFork: isFork, facts: facts)
        }
    }

    /// What is seen of it from now on; nil: it has no memory any more.
    package func change(_ process: ProcessID, to facts: ProcessObservation?) {
        state.withLock { $0.running[process]?.facts = facts }
    }

    package func end(_ process: ProcessID) {
        state.withLock { $0.running[process] = nil }
    }

    /// Wrappers that were looked at, in order.
    package var looks: [ProcessID] { state.withLock { $0.looks } }

    package func node() -> NodeObservation { facts }

    package func start(of process: ProcessID) -> UInt64? {
        state.withLock { $0.running[process]?.started }
    }

    package func programs(of wrapper: ProcessID, started: UInt64) -> ProcessObservation? {
        state.withLock { state in
            state.looks.append(wrapper)
            guard state.running[wrapper]?.started == started else { return nil }
            let children = state.running.filter { $0.value.parent == wrapper }
            let forks = children.filter(\.value.isFork).map(\.key)
            let behind = state.running.values.filter { forks.contains($0.parent) }
            guard children.count + behind.count <= WorkloadObserverLimits.childrenMax else {
                return nil
            }
            let programs = (children.map(\.value) + behind).filter { !$0.isFork }
            var found: ProcessObservation?
            for case let facts? in programs.map(\.facts) {
                found = found.map { $0.weakest(facts) } ?? facts
            }
            return found
        }
    }
}
