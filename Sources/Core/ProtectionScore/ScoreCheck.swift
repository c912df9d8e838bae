// SPDX-License-Identifier: Apache-2.0

/// What points are given for. The words are for ever: one that is given up is not used again.
package enum ScoreCheck: String, Sendable, CaseIterable {
    case secretMemory = "memfd_secret"
    case lockedMemory = "mlock"
    case coreDumpExclusion = "core_dump_exclusion"
    case dumpableOff = "dumpable_disabled"
    case tokenProtected = "token_protected"
    case environmentClean = "environ_scrubbed"
    /// In the place of a library that is loaded before the program and answers getenv(3).
    case environmentLookup = "environment_lookup"
    case agentConnected = "agent_connected"
    case processorMitigations = "cpu_mitigations"
    case enforceMode = "enforce_mode"
    case denyingPrograms = "deny_programs"
    case lsmPrograms = "lsm_programs"
    case confidentialMachine = "confidential_vm"
    case guardPages = "guard_pages"
    case canary = "buffer_canary"
    case deliveryMode = "delivery_mode"

    package var points: Int {
        switch self {
        case .secretMemory, .enforceMode, .lsmPrograms, .deliveryMode: 15
        case .lockedMemory, .tokenProtected, .environmentLookup, .agentConnected,
            .denyingPrograms, .confidentialMachine:
            10
        case .coreDumpExclusion, .dumpableOff, .environmentClean, .processorMitigations,
            .guardPages, .canary:
            5
        }
    }

    /// nil: it is judged by the mode of delivery.
    package var fact: ProtectionFact? {
        switch self {
        case .environmentLookup, .deliveryMode: nil
        default: ProtectionFact(rawValue: rawValue)
        }
    }

    /// Of the two that are judged by it.
    func points(for delivery: ValueDelivery) -> Int {
        switch (self, delivery) {
        case (.deliveryMode, .splice), (.environmentLookup, .splice): points
        case (.deliveryMode, .file): 10
        default: 0
        }
    }

    package var meaning: String {
        switch self {
        case .secretMemory: "values are in memory that the kernel itself does not map"
        case .lockedMemory: "the memory of values is not written to swap"
        case .coreDumpExclusion: "the memory of values is left out of core dumps"
        case .dumpableOff: "others of the same user are kept out of the process's files"
        case .tokenProtected: "the vault's token is in memory of that kind, never in a variable"
        case .environmentClean: "no value and no credential is in the environment block"
        case .environmentLookup:
            "the program finds its values in that memory by its own environment pointers"
        case .agentConnected: "the workload is enrolled with an agent that answers"
        case .processorMitigations: "the kernel reports no processor weakness as open"
        case .enforceMode: "attempts are denied, not only told"
        case .denyingPrograms: "programs that deny are live: fmod_ret or LSM"
        case .lsmPrograms: "the programs are on the hooks of the security modules"
        case .confidentialMachine: "the node is a confidential virtual machine, by its own word"
        case .guardPages: "pages without access lie on both sides of each buffer"
        case .canary: "each buffer ends with a canary that is checked"
        case .deliveryMode: "splice has them all, file 10, environ and none 0"
        }
    }

    package var fix: String {
        switch self {
        case .secretMemory:
            "use nodes with memfd_secret (Linux 6.1 or later) and minimumTier memfd_secret"
        case .lockedMemory: "raise RLIMIT_MEMLOCK and set minimumTier to locked or better"
        case .coreDumpExclusion, .guardPages, .canary, .tokenProtected:
            "let the webhook start the container by the wrapper"
        case .dumpableOff: "set cloudtaser.io/undumpable: \"true\""
        case .environmentClean:
            "take credentials out of env and envFrom, and use cloudtaser.io/delivery: splice"
        case .environmentLookup, .deliveryMode: "use cloudtaser.io/delivery: splice"
        case .agentConnected: "run the agent on the node and set agent: required in the policy"
        case .processorMitigations:
            "boot the node with its kernel's mitigations and current microcode"
        case .enforceMode: "run the agent with --mode deny (agent.mode of the chart)"
        case .denyingPrograms:
            "use a kernel with BTF and BPF trampolines, and look at /readyz of the agent"
        case .lsmPrograms: "boot the node with bpf in lsm="
        case .confidentialMachine: "use nodes with SEV-SNP or TDX"
        }
    }
}

/// What a score does not get past, whatever else holds.
package enum ScoreCap: String, Sendable, CaseIterable {
    case storedInCluster = "stored_in_cluster"
    case environmentDelivery = "environ_delivery"
    case noAgent = "no_agent"
    case detectOnly = "detect_only"

    /// Of 100.
    package var limit: Int {
        switch self {
        case .storedInCluster: 20
        case .environmentDelivery: 50
        case .noAgent: 60
        case .detectOnly: 75
        }
    }

    package var reason: String {
        switch self {
        case .storedInCluster: "the value is stored in the cluster"
        case .environmentDelivery: "the value is in the environment block, or no wrapper has it"
        case .noAgent: "no agent that answers has the workload enrolled"
        case .detectOnly: "attempts are told and not denied"
        }
    }

    package var fix: String {
        switch self {
        case .storedInCluster: "move the value to the vault, delete the copy and rotate the value"
        case .environmentDelivery: ScoreCheck.deliveryMode.fix
        case .noAgent: ScoreCheck.agentConnected.fix
        case .detectOnly: ScoreCheck.enforceMode.fix
        }
    }

    func state(of facts: WorkloadFacts) -> Fact.State {
        switch self {
        case .storedInCluster: facts[.outsideCluster].state
        case .noAgent: facts[.agentConnected].state
        case .detectOnly: facts[.enforceMode].state
        case .environmentDelivery:
            switch facts.delivery {
            case .splice, .file: .holds
            case .environ, .notByWrapper: .fails
            case nil: .unknown
            }
        }
    }
}
