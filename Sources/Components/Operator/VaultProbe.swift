// SPDX-License-Identifier: Apache-2.0
internal import Injection
package import InspectionPorts
package import KubernetesPorts
package import MetricsFormat
internal import Ports
internal import Synchronization

/// Asks the policy's vaults how they are, again and again, and tells it by metrics. Nothing is
/// decided by it: nobody is admitted or refused for what a vault says.
package final class VaultProbe: Sendable {
    package static let lookEvery = Duration.seconds(30)
    /// After that a vault counts as one that does not answer.
    package static let answerTime = Duration.seconds(5)
    /// Vaults that are asked at once.
    package static let parallelMax = 8

    package enum State: String, Sendable, CaseIterable {
        case active, standby, sealed
        case notInitialized = "not_initialized"
        /// Something answered that is no vault.
        case other
        case unreachable
        case timedOut = "timed_out"
        /// Its certificate is not believed.
        case untrusted

        /// Whether workloads can have their secrets of it.
        package var isUp: Bool { self == .active || self == .standby }
    }

    private let health: any VaultHealth
    private let policies: any PolicySource
    private let clock: any AsyncTimeSource
    private let report: @Sendable (_ vault: String, State) -> Void
    /// By the vault's name in the policy.
    private let states = Mutex<[String: State]>([:])

    /// - Parameter report: is told each state that a vault did not have at the look before.
    package init(
        health: any VaultHealth, policies: any PolicySource, clock: any AsyncTimeSource,
        report: @escaping @Sendable (_ vault: String, State) -> Void = { _, _ in }
    ) {
        self.health = health
        self.policies = policies
        self.clock = clock
        self.report = report
    }

    /// While `isCurrent` and until the task is cancelled; then nothing is known any more.
    package func run(while isCurrent: @escaping @Sendable () -> Bool) async {
        while isCurrent(), !Task.isCancelled {
            let seen = await look()
            guard isCurrent(), !Task.isCancelled else { break }
            let before = states.withLock { states in
                defer { states = seen }
                return states
            }
            for (vault, state) in seen.sorted(by: { $0.key < $1.key })
            where before[vault] != state { report(vault, state) }
            await clock.sleep(for: Self.lookEvery)
        }
        states.withLock { $0 = [:] }
    }

    private func look() async -> [String: State] {
        // Of a policy that cannot be used nothing is known.
        guard case .one(let policy) = policies.policyState else { return [:] }
        let found = await policy.vaults.concurrently(atMost: Self.parallelMax) {
            [health, clock] vault in
            await clock.within(Self.answerTime) {
                do throws(VaultSurveyFailure) {
                    return State(try await health.state(of: vault.address))
                } catch { return State(error) }
            } ?? .timedOut
        }
        return Dictionary(
            zip(policy.vaults.map(\.name), found), uniquingKeysWith: { first, _ in first })
    }

    package func append(to page: inout MetricsPage) {
        let states = states.withLock { $0 }
        page.family(
            "cloudtaser_operator_vault_up", .gauge,
            "Whether a vault of the policy gives out secrets (1); the leader asks.",
            states.map { (["vault": $0.key], $0.value.isUp ? 1 : 0) })
        page.family(
            "cloudtaser_operator_vault_state", .gauge,
            "1 for the state that a vault of the policy was last in; the leader asks.",
            states.map { (["vault": $0.key, "state": $0.value.rawValue], 1) })
    }
}

extension VaultProbe.State {
    init(_ told: VaultObservation.State) {
        self =
            switch told {
            case .active: .active
            case .standby: .standby
            case .sealed: .sealed
            case .notInitialized: .notInitialized
            case .other: .other
            }
    }

    init(_ failure: VaultSurveyFailure) {
        self =
            switch failure {
            case .addressInvalid, .unreachable: .unreachable
            case .timedOut: .timedOut
            case .tlsFailed: .untrusted
            }
    }
}
