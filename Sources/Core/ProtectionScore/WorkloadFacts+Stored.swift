// SPDX-License-Identifier: Apache-2.0
package import Protection

/// What is known of a cluster beside the pod and its node's agent.
package struct ClusterFacts: Sendable, Equatable {
    /// Images of the wrapper that policies name; nil: no policy was read, and whose wrapper it is
    /// that a command starts is not known.
    package var wrapperImages: Set<String>?
    /// Whether pods that ask are refused while no operator answers; nil: not known.
    package var webhookFailsClosed: Bool?

    package init(wrapperImages: Set<String>? = nil, webhookFailsClosed: Bool? = nil) {
        self.wrapperImages = wrapperImages
        self.webhookFailsClosed = webhookFailsClosed
    }
}

extension WorkloadFacts {
    /// - Parameters:
    ///   - stored: the container.
    ///   - copies: credentials that it has from Secrets, ConfigMaps or its own manifest.
    ///   - hasOthers: whether it has secrets on another way: it should be started by the wrapper
    ///     and is not, or a CSI driver mounts them.
    ///   - answer: of the agent of its node; nil: nobody asked.
    package init(
        _ stored: StoredContainer, copies: Int, hasOthers: Bool, answer: NodeAnswer?,
        in cluster: ClusterFacts = ClusterFacts()
    ) {
        let isOurs = stored.wrapperImage.flatMap { cluster.wrapperImages?.contains($0) }
        let isKnown = !stored.startsByWrapper || isOurs == true
        self.init(
            object: stored.object, container: stored.name,
            hasSecrets: stored.startsByWrapper || copies > 0 || hasOthers,
            delivery: isKnown ? stored.delivery : nil,
            deliverySource: isKnown ? .storedObject : .nobody)
        self[.outsideCluster] = copies == 0 ? .holds(.storedObject) : .fails(.storedObject)
        self[.attestationVerified] = .fails(.storedObject)
        if let isClosed = cluster.webhookFailsClosed {
            self[.webhookFailsClosed] = isClosed ? .holds(.storedObject) : .fails(.storedObject)
        }
        addBuild(stored, copies: copies)
        addAgent(stored, answer)
        if case .told(let node) = answer { addNode(node.node) }
        addMemory(stored, answer)
    }

    /// What the wrapper does wherever it runs.
    private mutating func addBuild(_ stored: StoredContainer, copies: Int) {
        let byWrapper: Fact
        switch delivery {
        case nil: byWrapper = .unknown
        case .notByWrapper: byWrapper = .fails(.storedObject)
        case .environ, .file, .splice: byWrapper = .holds(.storedObject)
        }
        for name in [ProtectionFact.guardPages, .canary] { self[name] = byWrapper }
        let isBare = delivery == .environ || delivery == .file && stored.hasReadableFiles
        self[.coreDumpExclusion] = isBare ? .fails(.storedObject) : byWrapper
        self[.descriptorClosed] = delivery == .file ? .fails(.storedObject) : byWrapper
        self[.tokenProtected] =
            stored.hasTokenInEnvironment ? .fails(.storedObject) : byWrapper
        self[.environmentClean] =
            copies > 0 || delivery == .environ || stored.hasTokenInEnvironment
            ? .fails(.storedObject) : byWrapper
    }

    private mutating func addAgent(_ stored: StoredContainer, _ answer: NodeAnswer?) {
        let guarding: [ProtectionFact] = [
            .enforceMode, .denyingPrograms, .lsmPrograms, .selfTestPassed,
        ]
        // Who does not start by the wrapper has not registered, whatever an agent says.
        guard stored.startsByWrapper else { return fail(guarding, by: .storedObject) }
        switch answer {
        case nil, .unreachable: break
        case .noAgent: fail(guarding, by: .storedObject)
        case .told(let node):
            guard node.tier != ProtectionTier.none else { return fail(guarding, by: .agent) }
            guard let id = stored.id else { break }
            let isEnrolled = node.containers[id] != nil
            guard isEnrolled || node.hasMore else { return fail(guarding, by: .agent) }
            // What the node has helps whom the agent has enrolled; what it lacks nobody has.
            func fact(_ isThere: Bool) -> Fact {
                Fact(isThere ? isEnrolled ? .holds : .unknown : .fails, by: .agent)
            }
            let denies = node.tier == .lsm || node.tier == .modifyReturn
            self[.agentConnected] = fact(true)
            self[.enforceMode] = fact(denies && node.mode != .detect)
            self[.denyingPrograms] = fact(denies)
            self[.lsmPrograms] = fact(node.tier == .lsm)
            if let isReady = node.isReady { self[.selfTestPassed] = fact(isReady) }
        }
    }

    private mutating func fail(_ names: [ProtectionFact], by source: FactSource) {
        for name in names + [.agentConnected] { self[name] = .fails(source) }
    }

    private mutating func addNode(_ node: SeenNode) {
        if let open = node.openWeaknesses {
            self[.processorMitigations] = open.isEmpty ? .holds(.agent) : .fails(.agent)
        }
        switch node.confidential {
        case nil: break
        case .ordinary: self[.confidentialMachine] = .unreachable(.agent)
        case .sevSNP, .tdx: self[.confidentialMachine] = .holds(.agent)
        }
    }

    /// The agent sees that memory is locked, and not of which kind: that it is memfd_secret is
    /// known where nothing else is accepted and locked memory is there.
    private mutating func addMemory(_ stored: StoredContainer, _ answer: NodeAnswer?) {
        var seen: SeenPrograms?
        var kernel: SeenNode.SecretMemory?
        if case .told(let node) = answer {
            seen = stored.startsByWrapper ? stored.id.flatMap { node.seen[$0] } : nil
            kernel = node.node.secretMemory
        }
        switch delivery {
        case .notByWrapper, .environ:
            self[.lockedMemory] = .fails(.storedObject)
            self[.secretMemory] = .fails(.storedObject)
        case .file where stored.hasReadableFiles:
            self[.lockedMemory] = .fails(.storedObject)
            self[.secretMemory] = .fails(.storedObject)
        case nil, .file, .splice:
            guard let seen else { break }
            // None seen is no proof: a forked child has its parent's pages, and not its locks.
            guard seen.lockedKiB > 0 else {
                self[.lockedMemory] = Fact(.unknown, by: .agent)
                break
            }
            self[.lockedMemory] = .holds(.agent)
            if delivery != nil, stored.requiresSecretMemory, kernel == .on {
                self[.secretMemory] = .holds(.storedObject)
            }
        }
        if kernel == .missing { self[.secretMemory] = .unreachable(.agent) }
        if kernel == .off { self[.secretMemory] = .fails(.agent) }
        switch (delivery, seen?.isDumpable) {
        case (_, let isDumpable?):
            self[.dumpableOff] = isDumpable ? .fails(.agent) : .holds(.agent)
        case (nil, _): break
        case (.notByWrapper, _): self[.dumpableOff] = .fails(.storedObject)
        default:
            self[.dumpableOff] = stored.isUndumpable ? .holds(.storedObject) : .fails(.storedObject)
        }
    }
}
