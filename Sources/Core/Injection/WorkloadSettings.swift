// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import WrapperConfiguration

/// What a pod's annotations and the policy together say of all its containers.
struct WorkloadSettings {
    let vault: CloudTaserPolicy.Vault
    let namespace: NamespaceFacts
    let policy: CloudTaserPolicy
    let annotations: AnnotationValues
    let agent: AgentPolicy
    /// How the socket gets in; nil: it does not.
    let socket: CloudTaserPolicy.AgentSocket?
    /// Architectures that the pod may run on; empty: any.
    var architectures: [String] { nodeArchitecture.map { [$0] } ?? policy.architectures }

    private let role: String
    /// Looked for once: a pod may have many references, and a policy many grants.
    private let granted: [CloudTaserPolicy.Grant]
    /// From the pod's node selector.
    private let nodeArchitecture: String?

    init(
        of pod: PodView, in namespace: NamespaceFacts, policy: CloudTaserPolicy,
        warnings: inout [String]
    ) throws(Refusal) {
        let annotations = try AnnotationValues(of: pod)
        guard let role = annotations[.vaultRole], !role.isEmpty else {
            throw Refusal(
                PodAnnotation.vaultRole.path, "is missing",
                fix: "name the vault's role for this workload")
        }
        let vault = try Self.vault(annotations, in: namespace, policy: policy)
        granted = policy.grants(for: namespace, vault: vault, role: role)
        guard !granted.isEmpty else {
            throw Refusal(
                PodAnnotation.vaultRole.path,
                "is no role that the policy grants namespace \(namespace.name) at this vault",
                fix: "use a granted role, or have the policy grant it")
        }
        try Self.checkTransport(annotations, vault: vault)
        let agent = try Self.agent(annotations, policy: policy)
        socket = try Self.socket(agent, in: namespace, policy: policy, warnings: &warnings)
        self.vault = vault
        self.namespace = namespace
        self.policy = policy
        self.annotations = annotations
        self.agent = agent
        self.role = role
        nodeArchitecture = try pod.spec.object("nodeSelector").text("kubernetes.io/arch")
        try checkChoices()
    }

    /// The vault that the annotation names among those the policy grants the namespace. An
    /// annotation chooses; it never adds one.
    private static func vault(
        _ annotations: AnnotationValues, in namespace: NamespaceFacts, policy: CloudTaserPolicy
    ) throws(Refusal) -> CloudTaserPolicy.Vault {
        let vaults = policy.vaults(for: namespace)
        let path = PodAnnotation.vaultAddress.path
        guard let address = annotations[.vaultAddress] else {
            guard let vault = vaults.first else {
                throw Refusal(
                    FieldPath.root["metadata"]["namespace"],
                    "\(namespace.name) is granted no vault by the policy",
                    fix: "have the policy grant it one")
            }
            guard vaults.count == 1 else {
                throw Refusal(
                    path, "is missing, and the namespace has several vaults",
                    fix: "name one of " + vaults.map(\.address).joined(separator: ", "))
            }
            return vault
        }
        let vault: CloudTaserPolicy.Vault?
        do throws(ConfigurationFailure) {
            vault = try vaults.first(at: address)
        } catch { throw Refusal(path, error.reason, fix: "write the vault's https URL") }
        guard let vault else {
            throw Refusal(
                path, "is no vault that the policy grants namespace \(namespace.name)",
                fix: "leave the annotation out, or have the policy grant that vault")
        }
        return vault
    }

    private static func checkTransport(
        _ annotations: AnnotationValues, vault: CloudTaserPolicy.Vault
    ) throws(Refusal) {
        if try annotations.flag(.vaultSkipVerify) == true {
            throw Refusal(
                PodAnnotation.vaultSkipVerify.path, "would leave the vault's certificate unchecked",
                fix: "remove it; name the CA in the policy's trustAnchors")
        }
        let method = annotations[.vaultAuthMethod] ?? vault.method.rawValue
        guard method == vault.method.rawValue else {
            throw Refusal(
                PodAnnotation.vaultAuthMethod.path,
                "is not \(vault.method.rawValue), as the policy has it for this vault",
                fix: "leave the annotation out")
        }
    }

    /// The stricter of both; a pod cannot get less than the policy wants.
    private static func agent(
        _ annotations: AnnotationValues, policy: CloudTaserPolicy
    ) throws(Refusal) -> AgentPolicy {
        switch (try annotations.flag(.agent), policy.agent) {
        case (true, _), (_, .required): break
        case (false, .preferred), (nil, .preferred): return .preferred
        case (false, .none), (nil, .none): return .none
        }
        guard try annotations.flag(.agent) != false else {
            throw Refusal(
                PodAnnotation.agent.path, "is false, but the policy requires the node's agent",
                fix: "leave the annotation out")
        }
        return .required
    }

    private static func socket(
        _ agent: AgentPolicy, in namespace: NamespaceFacts, policy: CloudTaserPolicy,
        warnings: inout [String]
    ) throws(Refusal) -> CloudTaserPolicy.AgentSocket? {
        guard agent != .none else { return nil }
        let level = namespace.labels["pod-security.kubernetes.io/enforce"]
        guard case .hostPath = policy.agentSocket, level == "restricted" || level == "baseline"
        else { return policy.agentSocket }
        guard agent == .preferred else {
            throw Refusal(
                FieldPath.spec["volumes"],
                "need the agent's socket by hostPath, which Pod Security forbids here",
                fix: "set the policy's agentSocket.csiDriver")
        }
        warnings.warn(
            "without the node's agent: Pod Security forbids hostPath here;"
                + " set the policy's agentSocket.csiDriver")
        return nil
    }

    /// Whether what the pod chose is among what the policy lets it choose.
    private func checkChoices() throws(Refusal) {
        if let mode = annotations[.delivery], !policy.delivery.contains(mode) {
            throw Refusal(
                PodAnnotation.delivery.path, "is no mode that the policy allows",
                fix: "use " + policy.delivery.joined(separator: " or "))
        }
        let tiers: [MemoryTierRequirement] = [.ordinary, .locked, .secret]
        if let name = annotations[.minimumTier], let tier = MemoryTierRequirement(rawValue: name),
            let given = tiers.firstIndex(of: tier),
            let wanted = tiers.firstIndex(of: policy.minimumTier), given < wanted
        {
            throw Refusal(
                PodAnnotation.minimumTier.path, "is less than the policy wants",
                fix: "use \(policy.minimumTier.rawValue), or leave the annotation out")
        }
        if try annotations.flag(.restrictSystemCalls) == false, !policy.allowsAllSystemCalls {
            throw Refusal(
                PodAnnotation.restrictSystemCalls.path,
                "is false, which the policy does not allow",
                fix: "leave the annotation out")
        }
    }

    // MARK: - Variables

    /// Every variable of the wrapper but for what a container adds, in a fixed order. What is not
    /// in use is set to nothing: neither the image nor `envFrom` can set it then.
    func variables(
        requests: [SecretRequest], terminationMessage: String?, attach: AttachPolicy = .none
    ) -> [(variable: ControlVariable, text: String)] {
        ControlVariable.allCases.map { variable in
            let isAttach = variable == .attach
            return (
                variable, isAttach ? attach.text : text(of: variable, requests, terminationMessage)
            )
        }
    }

    private func text(
        of variable: ControlVariable, _ requests: [SecretRequest], _ terminationMessage: String?
    ) -> String {
        switch variable {
        case .address: return vault.address
        case .trustAnchors:
            return vault.trustAnchors == nil ? "" : InjectedNames.trustAnchorsFile
        case .namespace: return vault.namespace ?? ""
        case .authMethod: return vault.method.rawValue
        case .authRole: return role
        case .authMount: return vault.mount ?? ""
        case .jwtFile: return InjectedNames.tokenFile
        case .secretPaths: return requests.map(\.pathText).joined(separator: ",")
        case .environmentMap: return requests.map(\.mapText).joined(separator: ";")
        case .allowedOrigins: return vault.origin.description
        case .delivery: return annotations[.delivery] ?? policy.delivery.first ?? ""
        case .minimumTier: return annotations[.minimumTier] ?? policy.minimumTier.rawValue
        case .agent: return agent.rawValue
        case .agentSocket: return agent == .none ? "" : InjectedNames.agentSocket
        case .terminationMessage:
            return terminationMessage ?? LifeSettings.kubernetesTerminationMessageFile
        case .clientCertificate, .clientKey, .token, .tokenFile, .secretID, .secretIDFile,
            .secretIDWrapped, .attach:
            return ""
        case .follow, .emptyValues, .undumpable, .readOnlyValues, .readableFiles,
            .dropCapabilities, .restrictSystemCalls, .denySendmmsg, .rotation, .rotationHook,
            .rotationCheckSeconds, .fetchSecondsMax, .stopSeconds, .destinations:
            let annotation = PodAnnotation.allCases.first { $0.variable == variable }
            return annotation.flatMap { annotations[$0] } ?? ""
        }
    }

    /// Reads the variables as the wrapper will.
    func parse(
        _ variables: [(variable: ControlVariable, text: String)], of container: ContainerView? = nil
    ) throws(Refusal) -> WrapperSettings {
        let texts = Dictionary(
            variables.map { ($0.variable, $0.text) }, uniquingKeysWith: { $1 })
        do throws(ConfigurationFailure) {
            return try SettingsParser(
                defaultFollow: .attached, hasCredential: { _ in false }, lookUp: { texts[$0] }
            ).parse()
        } catch {
            let variable = ControlVariable(rawValue: error.variable)
            var path = variable.map { PodAnnotation.path(of: $0) } ?? FieldPath.podAnnotations
            var reason = error.reason
            if let container {
                switch variable {
                case .terminationMessage: path = container.path["terminationMessagePath"]
                // What the annotations say alone was read before. The reason would quote what
                // entries of the environment refer to.
                case .secretPaths, .environmentMap:
                    reason = "cannot be joined with what \(container.path["env"]) refers to"
                default: break
                }
            }
            throw Refusal(path, reason, fix: "correct it (\(error.variable))")
        }
    }

    /// Whether a grant lets this workload read the path.
    func mayRead(_ path: String) -> Bool {
        granted.contains { grant in
            grant.paths.contains { $0.matches(path: path, in: namespace) }
        }
    }
}

extension SecretRequest {
    /// As `CLOUDTASER_SECRET_PATHS` has it.
    var pathText: String {
        guard !parameters.isEmpty else { return path }
        return path + "?" + parameters.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    /// As a group of `CLOUDTASER_ENV_MAP`.
    var mapText: String { mappings.map { "\($0.field)=\($0.name)" }.joined(separator: ",") }
}

extension WorkloadSettings {
    /// What the annotations ask for, in all containers.
    func annotatedRequests() throws(Refusal) -> [SecretRequest] {
        guard annotations[.secretPaths] != nil || annotations[.environmentMap] != nil else {
            return []
        }
        let texts = variables(requests: [], terminationMessage: nil).map {
            variable, text -> (variable: ControlVariable, text: String) in
            switch variable {
            case .secretPaths: (variable, annotations[.secretPaths] ?? "")
            case .environmentMap: (variable, annotations[.environmentMap] ?? "")
            // These may name values that a container's own references deliver.
            case .destinations: (variable, "")
            default: (variable, text)
            }
        }
        let requests = try parse(texts).requests
        for request in requests where !mayRead(request.path) {
            throw Refusal(
                PodAnnotation.secretPaths.path,
                "'\(request.path)' is no path that the policy grants this namespace and role",
                fix: Self.deniedFix)
        }
        return requests
    }

    /// - Parameter field: of the environment. Its value is told to nobody, and so is not its path.
    static func denied(at field: FieldPath) -> Refusal {
        Refusal(
            field, "refers to no path that the policy grants this namespace and role",
            fix: deniedFix)
    }

    private static let deniedFix = "write it as the policy does, or have the policy grant it"
}
