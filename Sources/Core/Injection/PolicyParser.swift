// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import WrapperConfiguration

extension CloudTaserPolicy {
    /// Reads the `spec` of a `CloudTaserPolicy` object. Members that are not known are refused: a
    /// misspelt one would grant or forbid something silently.
    ///
    /// - Parameter json: the object in `spec`, in JSON.
    package init(spec json: [UInt8]) throws(Refusal) {
        let spec = try JSONNode(document: json).object()
        try PolicyParser.check(
            spec,
            knows: [
                "vaults", "grants", "wrapper", "delivery", "minimumTier", "agent", "agentSocket",
                "allowAllSystemCalls", "tokenSeconds", "entrypoints", "architectures",
                "ephemeralContainers",
            ])
        let wrapper = try spec.object("wrapper")
        try PolicyParser.check(wrapper, knows: ["image", "pullPolicy"])
        wrapperImage = try PolicyParser.required("image", of: wrapper)
        wrapperPullPolicy = try PolicyParser.choice(
            "pullPolicy", of: wrapper, from: ["Always", "IfNotPresent", "Never"])
        vaults = try PolicyParser.vaults(of: spec)
        grants = try PolicyParser.grants(of: spec, vaults: vaults.map(\.name))
        let modes = DeliveryMode.allCases.map(\.rawValue)
        let most = Self.entryCountMax
        let elements = try spec.elements("delivery", max: most, fix: "write fewer")
        for element in elements where !modes.contains(try element.text()) {
            throw PolicyParser.noChoice(element.path, modes)
        }
        if spec["delivery"] != nil { delivery = try spec.texts("delivery", max: most) }
        guard !delivery.isEmpty else {
            throw Refusal(spec.path["delivery"], "is empty", fix: "name splice, or leave it out")
        }
        minimumTier = try PolicyParser.choice("minimumTier", of: spec) ?? minimumTier
        agent = try PolicyParser.choice("agent", of: spec) ?? agent
        agentSocket = try PolicyParser.agentSocket(of: spec) ?? agentSocket
        allowsAllSystemCalls = try spec.flag("allowAllSystemCalls") ?? false
        tokenSeconds = try spec.integer("tokenSeconds") ?? tokenSeconds
        guard (Self.tokenSecondsMin...Self.tokenSecondsMax).contains(tokenSeconds) else {
            throw Refusal(
                spec.path["tokenSeconds"], "is out of range",
                fix: "write \(Self.tokenSecondsMin) to \(Self.tokenSecondsMax)")
        }
        entrypoints = try PolicyParser.choice("entrypoints", of: spec) ?? entrypoints
        architectures = try spec.texts("architectures", max: most, fix: "write fewer")
        ephemeralContainers =
            try PolicyParser.choice("ephemeralContainers", of: spec) ?? ephemeralContainers
    }
}

private enum PolicyParser {
    static func check(_ object: JSONObject, knows names: [String]) throws(Refusal) {
        let unknown = object.members.keys.filter { !names.contains($0) }
        guard let name = unknown.min() else { return }
        throw Refusal(
            object.path[name], "is no field of a policy",
            fix: "use one of \(names.sorted().joined(separator: ", "))")
    }

    static func required(_ name: String, of object: JSONObject) throws(Refusal) -> String {
        guard let text = try object.text(name), !text.isEmpty else {
            throw Refusal(object.path[name], "is missing", fix: "write it")
        }
        return text
    }

    static func noChoice(_ path: FieldPath, _ names: [String]) -> Refusal {
        Refusal(path, "is none of its values", fix: "use \(names.joined(separator: ", "))")
    }

    static func choice(
        _ name: String, of object: JSONObject, from names: [String]
    ) throws(Refusal) -> String? {
        guard let text = try object.text(name) else { return nil }
        guard names.contains(text) else { throw noChoice(object.path[name], names) }
        return text
    }

    static func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, of object: JSONObject
    ) throws(Refusal) -> Choice? where Choice.RawValue == String {
        try choice(name, of: object, from: Choice.allCases.map(\.rawValue))
            .flatMap(Choice.init(rawValue:))
    }

    // MARK: - Vaults

    static func vaults(of spec: JSONObject) throws(Refusal) -> [CloudTaserPolicy.Vault] {
        var vaults: [CloudTaserPolicy.Vault] = []
        for node in try elements("vaults", of: spec, max: CloudTaserPolicy.vaultCountMax) {
            let vault = try self.vault(try node.object())
            guard !vaults.contains(where: { $0.name == vault.name }) else {
                throw Refusal(node.path["name"], "is there twice", fix: "use another name")
            }
            vaults.append(vault)
        }
        return vaults
    }

    private static func vault(_ object: JSONObject) throws(Refusal) -> CloudTaserPolicy.Vault {
        try check(
            object,
            knows: ["name", "address", "namespace", "method", "mount", "audience", "trustAnchors"])
        let address = try required("address", of: object)
        // The kubelet reads it as more than a character, and the admission policy
        // cloudtaser-vaults compares what it has been doubled to.
        guard !address.utf8.contains(UInt8(ascii: "$")) else {
            throw Refusal(
                object.path["address"], "holds '$', which means something to a kubelet",
                fix: "give the vault an address without it")
        }
        let method: CloudTaserPolicy.LoginMethod = try choice("method", of: object) ?? .kubernetes
        let given: [ControlVariable: (field: String, text: String)] = [
            .address: ("address", address),
            .namespace: ("namespace", try object.text("namespace") ?? ""),
            .authMethod: ("method", method.rawValue),
            .authMount: ("mount", try object.text("mount") ?? ""),
            // Of the pod; any will do here.
            .authRole: ("", "role"), .jwtFile: ("", InjectedNames.tokenFile),
        ]
        let settings: VaultSettings
        do throws(ConfigurationFailure) {
            settings = try SettingsParser(
                defaultFollow: .attached, hasCredential: { _ in false },
                lookUp: { given[$0]?.text }
            ).parseVault()
        } catch {
            let field = given.first { $0.key.rawValue == error.variable }?.value.field ?? ""
            throw Refusal(object.path[field], error.reason, fix: "write it as the wrapper takes it")
        }
        return CloudTaserPolicy.Vault(
            name: try required("name", of: object), address: address, origin: settings.origin,
            pathPrefix: settings.pathPrefix, namespace: settings.namespace, method: method,
            mount: try object.text("mount"), audience: try required("audience", of: object),
            trustAnchors: try trustAnchors(of: object))
    }

    private static func trustAnchors(
        of vault: JSONObject
    ) throws(Refusal) -> CloudTaserPolicy.ConfigMapKey? {
        guard vault["trustAnchors"] != nil else { return nil }
        let anchors = try vault.object("trustAnchors")
        try check(anchors, knows: ["configMap", "key"])
        return CloudTaserPolicy.ConfigMapKey(
            name: try required("configMap", of: anchors), key: try required("key", of: anchors))
    }

    // MARK: - Grants

    static func grants(
        of spec: JSONObject, vaults: [String]
    ) throws(Refusal) -> [CloudTaserPolicy.Grant] {
        var grants: [CloudTaserPolicy.Grant] = []
        for node in try elements("grants", of: spec, max: CloudTaserPolicy.grantCountMax) {
            let object = try node.object()
            try check(
                object, knows: ["namespaces", "namespaceLabels", "vault", "roles", "paths"])
            let vault = try required("vault", of: object)
            guard vaults.contains(vault) else {
                throw Refusal(
                    object.path["vault"], "is no vault of this policy", fix: "name one of vaults")
            }
            let most = CloudTaserPolicy.entryCountMax
            let namespaces = try object.texts("namespaces", max: most, fix: "write fewer")
            let labels = try object.dictionary("namespaceLabels")
            guard !namespaces.isEmpty || !labels.isEmpty else {
                throw Refusal(
                    object.path["namespaces"], "and namespaceLabels are empty",
                    fix: "name namespaces, or * for all")
            }
            grants.append(
                CloudTaserPolicy.Grant(
                    namespaces: namespaces, namespaceLabels: labels, vault: vault,
                    roles: try patterns("roles", of: object),
                    paths: try patterns("paths", of: object)))
        }
        return grants
    }

    private static func patterns(
        _ name: String, of object: JSONObject
    ) throws(Refusal) -> [Pattern] {
        var patterns: [Pattern] = []
        for node in try elements(name, of: object, max: CloudTaserPolicy.entryCountMax) {
            guard let pattern = Pattern(try node.text()) else {
                throw Refusal(
                    node.path, "is no pattern",
                    fix: "use + for a whole part and * at the end only, like secret/+/app or app-*")
            }
            patterns.append(pattern)
        }
        return patterns
    }

    static func agentSocket(
        of spec: JSONObject
    ) throws(Refusal) -> CloudTaserPolicy.AgentSocket? {
        guard spec["agentSocket"] != nil else { return nil }
        let socket = try spec.object("agentSocket")
        try check(socket, knows: ["hostPath", "csiDriver"])
        switch (try socket.text("hostPath"), try socket.text("csiDriver")) {
        case (let folder?, nil) where folder.hasPrefix("/"): return .hostPath(folder: folder)
        case (nil, let driver?) where !driver.isEmpty: return .csi(driver: driver)
        default:
            throw Refusal(
                socket.path, "is neither one hostPath nor one csiDriver",
                fix: "name the folder of the agent's socket, or the driver that mounts it")
        }
    }

    static func elements(
        _ name: String, of object: JSONObject, max: Int
    ) throws(Refusal) -> [JSONNode] {
        try object.elements(name, max: max, fix: "write fewer")
    }
}
