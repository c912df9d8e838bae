// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesPorts
import Operator
import Ports
import ServerProcess
import Synchronization

/// This replica's part in electing a leader, and what it does as the leader.
final class Election: Sendable {
    private let leads = Mutex(false)
    private let duties = Mutex<LeaderDuties?>(nil)

    var isLeading: Bool { leads.withLock { $0 } }

    /// Pods that the leader found to ask and not to be injected; nil: it has not looked.
    var uninjectedCount: Int? { duties.withLock { $0 }?.uninjected.count }

    /// Workloads that the leader does not know to be protected; nil: it has not looked.
    var unprotectedCount: Int? { duties.withLock { $0 }?.reports.unprotectedCount }

    /// Until the task is cancelled; then the lock is given back.
    func takePart(
        _ cluster: ClusterAccess.Cluster, _ command: OperatorCommand, vaults: VaultProbe?,
        clock: any AsyncTimeSource, log: ProgramLog
    ) async {
        guard let namespace = command.namespace ?? cluster.namespace else {
            log.write(
                .warning, "no_election", "no leader is elected: say --namespace for the Lease")
            return
        }
        let host = ProcessInfo.processInfo.hostName
        let identity = host + "-" + String(UInt64.random(in: 0 ... .max), radix: 16)
        let election = LeaderElection(
            api: cluster.hasty, clock: clock, name: command.leaseName, namespace: namespace,
            identity: identity
        ) { [self] report in
            switch report {
            case .began: leads.withLock { $0 = true }
            case .ended: leads.withLock { $0 = false }
            case .failed(let failure): return log.failure("lease", failure)
            }
            log.write(.notice, "election", "\(report)")
        }
        let duties = LeaderDuties(
            cluster, namespace: namespace, vaults: vaults,
            reportEvery: .seconds(command.reportSeconds), clock: clock, log: log)
        self.duties.withLock { $0 = duties }
        let waiting = Duration.seconds(1)
        await election.run(until: { while !Task.isCancelled { await clock.sleep(for: waiting) } }) {
            leadership in
            await duties.run(leadership)
        }
    }
}
