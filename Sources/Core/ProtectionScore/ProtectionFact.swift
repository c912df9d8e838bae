// SPDX-License-Identifier: Apache-2.0

/// What can be known of a container that has secrets; each is good when it holds.
package enum ProtectionFact: String, Sendable, CaseIterable {
    /// No Secret, ConfigMap or manifest of the cluster has the value.
    case outsideCluster = "outside_cluster"
    case secretMemory = "memfd_secret"
    case lockedMemory = "mlock"
    case coreDumpExclusion = "core_dump_exclusion"
    case dumpableOff = "dumpable_disabled"
    /// Nobody has a descriptor of the secret memory open.
    case descriptorClosed = "descriptor_closed"
    case tokenProtected = "token_protected"
    case environmentClean = "environ_scrubbed"
    case guardPages = "guard_pages"
    case canary = "buffer_canary"
    /// The workload is enrolled with an agent that answers now.
    case agentConnected = "agent_connected"
    /// Attempts on it are denied, not only told.
    case enforceMode = "enforce_mode"
    /// Programs that deny are live there: fmod_ret or better.
    case denyingPrograms = "deny_programs"
    case lsmPrograms = "lsm_programs"
    /// The agent attacked a process of its own, and nothing came through that its policy denies.
    case selfTestPassed = "self_test"
    case processorMitigations = "cpu_mitigations"
    /// The machine says it is one. No attestation was looked at.
    case confidentialMachine = "confidential_vm"
    /// Values are released only to what a verifier has vouched for.
    case attestationVerified = "attestation_verified"
    /// Pods that ask are refused while no operator answers.
    case webhookFailsClosed = "webhook_fails_closed"

    /// Whether there are platforms that cannot have it. Of others `unreachable` counts as `fails`.
    package var dependsOnPlatform: Bool {
        switch self {
        case .secretMemory, .enforceMode, .denyingPrograms, .lsmPrograms, .confidentialMachine:
            true
        default: false
        }
    }
}

/// What is known of one container, by whom. What is not given is unknown.
package struct WorkloadFacts: Sendable, Hashable {
    /// `Deployment shop/web`.
    package private(set) var object: String
    package private(set) var container: String
    /// False: it has no secret as far as anybody sees, and there is nothing to assess.
    package var hasSecrets: Bool
    /// nil: not known.
    package var delivery: ValueDelivery?
    package var deliverySource: FactSource
    private var facts: [ProtectionFact: Fact] = [:]

    package init(
        object: String, container: String, hasSecrets: Bool = true, delivery: ValueDelivery? = nil,
        deliverySource: FactSource = .nobody
    ) {
        self.object = object
        self.container = container
        self.hasSecrets = hasSecrets
        // Somebody's word is enough for what is bad.
        let isBelieved =
            switch deliverySource {
            case .agent, .storedObject: true
            case .declared: delivery == .environ || delivery == .notByWrapper
            case .nobody: false
            }
        self.delivery = isBelieved ? delivery : nil
        self.deliverySource = deliverySource
    }

    /// The same facts of nobody: what follows from them is the same for all who have them.
    package var unnamed: WorkloadFacts {
        var facts = self
        (facts.object, facts.container) = ("", "")
        return facts
    }

    package subscript(_ name: ProtectionFact) -> Fact {
        get { facts[name] ?? .unknown }
        set {
            facts[name] =
                newValue.state == .unreachable && !name.dependsOnPlatform
                ? .fails(newValue.source) : newValue
        }
    }
}
