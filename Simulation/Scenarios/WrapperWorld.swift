// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import LeakIndex
internal import Ports
internal import Simulation
internal import SimulationEngine
internal import WrapperConfiguration

/// A vault, a container that is started again when it fails, and what is stored where: drawn from
/// the run's choices (label `world`).
final class WrapperWorld {
    /// One secret that the wrapper is told to read.
    enum SecretKind: String, CaseIterable { case keyValue2, keyValue1, database, pki }

    /// How the wrapper logs in.
    enum Login: String, CaseIterable {
        case kubernetes, appRole, wrappedAppRole, jwt, certificate, tokenFile, token
    }

    let run: SimulationRun
    let server: SimulatedVaultServer
    let login: Login
    let secrets: [SecretKind]
    let settings: WrapperSettings
    /// Every text that may stand nowhere but in the program's memory.
    private(set) var secretTexts: [String] = []
    /// By delivered name, every text that was ever right.
    private(set) var rightValues: [String: Set<String>] = [:]
    private(set) var credential = ""
    private var newestKeyValue = 0
    private var issuedSeen = 0
    private var onSecret: (String) -> Void = { _ in }

    init(run: SimulationRun, onSecret: @escaping (String) -> Void) {
        self.run = run
        self.onSecret = onSecret
        login = run.choices.pick(Login.allCases, label: "world")
        let count = 1 + run.choices.draw(below: 3, label: "world")
        secrets = (0..<count).map { _ in run.choices.pick(SecretKind.allCases, label: "world") }
        // The closure outlives this initialiser, and choices are the run's.
        let choices = run.choices
        server = SimulatedVaultServer(
            SimulatedVault { _, number in
                Self.text(choices.seededBytes(24, label: "issued/\(number)"))
            })
        settings = Self.settings(run, login: login, secrets: secrets)
        server.vault.startedAt = SimulatedClock.startSecondsSince1970
        fill()
        renewCredential()
    }

    /// Letters and digits: what every encoding of the oracle shows differently or alike.
    static func text(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789")
        return String(bytes.map { alphabet[Int($0) % alphabet.count] })
    }

    /// Brings the vault's clock to the run's, before each look at it.
    func synchronize() {
        let seconds = Int(run.now.nanoseconds / 1_000_000_000) - server.vault.now
        if seconds > 0 { server.vault.advance(seconds: seconds) }
        learnIssued()
    }

    /// Registers what the vault made up since the last look.
    func learnIssued() {
        while issuedSeen < server.vault.issued.count {
            let issued = server.vault.issued[issuedSeen]
            issuedSeen += 1
            remember(issued.text)
            let kind: SecretKind
            switch issued.kind {
            case .password: kind = .database
            case .privateKey: kind = .pki
            case .token, .wrappingToken, .secretID: continue
            }
            for index in secrets.indices where secrets[index] == kind {
                rightValues[Self.name(index), default: []].insert(issued.text)
            }
        }
    }

    private func remember(_ text: String) {
        secretTexts.append(text)
        onSecret(text)
    }

    /// Whether that value was ever stored or issued for that name. A key comes in an envelope.
    func isRight(_ value: [UInt8], name: String) -> Bool {
        let text = String(decoding: value, as: UTF8.self)
        return rightValues[name, default: []].contains { text.contains($0) }
    }

    // MARK: - The vault's contents

    static func name(_ index: Int) -> String { "SECRET_\(index)" }
    static func path(_ kind: SecretKind, _ index: Int) -> String {
        switch kind {
        case .keyValue1: "legacy/app-\(index)"
        case .keyValue2: "secret/app-\(index)"
        case .database: "database/creds/app-\(index)"
        case .pki: "pki/issue/app-\(index)"
        }
    }

    private func fill() {
        server.vault.mount(.keyValue1([:]), at: "legacy")
        server.vault.mount(.keyValue2([:]), at: "secret")
        let lifetime = run.choices.pick([300, 60, 20, 5], label: "world")
        let factor = 1 + run.choices.draw(below: 6, label: "world")
        let isRenewable = !run.choices.happens(1, in: 4, label: "world")
        let role = SimulatedVault.DynamicRole(
            secondsToLive: lifetime, maxSecondsToLive: lifetime * factor,
            isRenewable: isRenewable)
        let names = secrets.indices.map { "app-\($0)" }
        server.vault.mount(.database(Self.roles(names, role)), at: "database")
        let certificate = SimulatedVault.DynamicRole(
            secondsToLive: lifetime, maxSecondsToLive: lifetime, grantsLease: false,
            isRenewable: false)
        server.vault.mount(.pki(Self.roles(names, certificate)), at: "pki")
        for index in secrets.indices { putVersion(of: index) }
    }

    private static func roles(
        _ names: [String], _ role: SimulatedVault.DynamicRole
    ) -> [String: SimulatedVault.DynamicRole] {
        Dictionary(uniqueKeysWithValues: names.map { ($0, role) })
    }

    /// A new version of a stored secret; nothing for those that the vault makes.
    func putVersion(of index: Int) {
        let mount: String
        switch secrets[index] {
        case .keyValue1: mount = "legacy"
        case .keyValue2: mount = "secret"
        case .database, .pki: return
        }
        newestKeyValue += 1
        let bytes = run.choices.seededBytes(24, label: "stored/\(newestKeyValue)")
        let text = Self.text(bytes)
        remember(text)
        rightValues[Self.name(index), default: []].insert(text)
        server.vault.put(
            mount: mount, name: "app-\(index)", fields: [("password", .string(text))])
    }

    func deleteVersion(of index: Int) {
        guard secrets[index] == .keyValue2 else { return }
        server.vault.mark(mount: "secret", name: "app-\(index)", .deleted)
    }

    // MARK: - Logins

    /// What a new container finds: a fresh wrapped secret id, or the same credential as before.
    func renewCredential() {
        synchronize()
        let label = "credential/\(server.vault.issued.count)"
        let fresh = Self.text(run.choices.seededBytes(24, label: label))
        let isFirst = credential.isEmpty
        let role = SimulatedVault.Role(
            credentials: [fresh], secondsToLive: tokenSeconds,
            maxSecondsToLive: tokenSeconds * tokenFactor, isRenewable: isTokenRenewable)
        switch login {
        case .wrappedAppRole:
            if isFirst { authenticate(.appRole(["app": role]), at: "approle") }
            credential = server.vault.wrapSecretID(roleID: "app") ?? ""
            learnIssued()
            return
        case .tokenFile, .token:
            // Somebody else's token: lives as long as that somebody said.
            credential = fresh
            server.vault.addToken(
                fresh, secondsToLive: login == .token ? tokenSeconds * 20 : tokenSeconds)
        case .kubernetes where isFirst:
            credential = fresh
            authenticate(.kubernetes(["app": role]), at: "kubernetes")
        case .jwt where isFirst:
            credential = fresh
            authenticate(.jwt(["app": role]), at: "jwt")
        case .appRole where isFirst:
            credential = fresh
            authenticate(.appRole(["app": role]), at: "approle")
        case .certificate where isFirst:
            // A certificate's name is no secret; its key never leaves the client.
            credential = "app.example"
            var role = role
            role.credentials = [credential]
            authenticate(.certificate(["app": role]), at: "cert")
            return
        default: return
        }
        remember(credential)
    }

    private lazy var tokenSeconds = run.choices.pick([3600, 600, 60, 20], label: "world")
    /// Of the container that runs now.
    private var node: SimulatedNodeAgent?
    private lazy var canScan = !run.choices.happens(1, in: 4, label: "scan")
    private lazy var scanTroubles = run.choices.draw(below: 3, label: "scan")
    private lazy var agentTroubles = run.choices.draw(below: 4, label: "agent")
    private lazy var tokenFactor = 1 + run.choices.draw(below: 5, label: "world")
    private lazy var isTokenRenewable = !run.choices.happens(1, in: 4, label: "world")

    private func authenticate(_ backend: SimulatedVault.AuthBackend, at mount: String) {
        server.vault.namespaces["", default: SimulatedVault.Namespace()].authBackends[mount] =
            backend
    }

    /// Ends every token that a login gave: an administrator's emergency brake.
    func revokeTokens() {
        for token in server.vault.liveTokens where token != SimulatedVault.rootToken {
            server.vault.revoke(token: token)
        }
    }
}

extension WrapperWorld {
    /// The node's agent: sometimes late, now and then of another opinion, and there once
    /// everything has healed: its troubles are faults like any other.
    func newNode() -> SimulatedNodeAgent {
        let failures: [NodeAgentFailure] = [
            .absent(errorNumber: 2), .timedOut, .refused(reason: "traced"),
            .refused(reason: "full"), .malformed,
        ]
        let node = SimulatedNodeAgent { [self] in
            guard agentTroubles > 0, !run.faults.isHealed else {
                return .success(NodeRegistration(enrolment: 16, tier: "lsm", canScan: canScan))
            }
            agentTroubles -= 1
            return .failure(run.choices.pick(failures, label: "agent"))
        } scanAnswer: { [self] in
            guard scanTroubles > 0, !run.faults.isHealed else { return nil }
            scanTroubles -= 1
            return run.choices.pick(failures, label: "scan")
        }
        self.node = node
        return node
    }

    /// Whether a program with these values may run: the agent that is required scans for each.
    func isScanned(_ values: [String: [UInt8]]) -> Bool {
        guard settings.agent == .required, settings.delivery == .splice, canScan else {
            return true
        }
        guard let bitmap = node?.scan?.index.bitmap else { return false }
        return values.values.allSatisfy { value in
            value.indices.dropFirst(7).contains { end in
                let second = value[(end - 7)...end].reversed().reduce(UInt64(0)) {
                    $0 << 8 | UInt64($1)
                }
                let hash = LeakIndex.hash(
                    second: second, multiplier: SimulatedProcessHost.multiplier)
                return bitmap[hash >> 3] >> UInt8(hash & 7) & 1 == 1
            }
        }
    }

    private static func settings(
        _ run: SimulationRun, login: Login, secrets: [SecretKind]
    ) -> WrapperSettings {
        let auth: AuthMethod =
            switch login {
            case .kubernetes: .kubernetes(role: "app", tokenFile: "/run/token")
            case .appRole, .wrappedAppRole: .appRole(roleID: "app", secretIDFile: "/run/id")
            case .jwt: .jwt(role: "app", tokenFile: "/run/token")
            case .certificate: .certificate(name: "app")
            case .tokenFile: .token(file: "/run/token")
            case .token: .token(file: nil)
            }
        var vault = VaultSettings(
            origin: Origin(scheme: "https", host: StoreFaults.host, port: 8200), auth: auth)
        vault.isSecretIDWrapped = login == .wrappedAppRole
        vault.minimumTier = .ordinary
        vault.requestSecondsMax = run.choices.pick([30, 5], label: "settings")
        let requests = secrets.indices.map { index in
            SecretRequest(
                path: path(secrets[index], index),
                parameters: secrets[index] == .pki
                    ? [.init(name: "common_name", value: "app-\(index).example")] : [],
                mappings: [
                    .init(
                        field: secrets[index] == .pki ? "private_key" : "password",
                        name: name(index))
                ])
        }
        var settings = WrapperSettings(vault: vault, requests: requests, follow: .attached)
        settings.delivery = run.choices.pick(DeliveryMode.allCases, label: "settings")
        settings.life.rotation = run.choices.pick(
            [.none, .restart, .signal(1), .execHook([Programs.hook])], label: "settings")
        settings.life.fetchSecondsMax = run.choices.pick([60, 10, 0], label: "settings")
        settings.life.checkSeconds = run.choices.pick([60, 5, 300], label: "settings")
        settings.life.stopSeconds = run.choices.pick([10, 1, 30], label: "settings")
        settings.agent = run.choices.pick([.preferred, .required, .none], label: "agent")
        return settings
    }
}

/// What the container's image holds.
enum Programs {
    static let server = "/app/server"
    static let stubborn = "/app/stubborn"
    static let job = "/app/job"
    static let missing = "/app/missing"
    static let hook = "/app/reload"

    static func all(_ choices: Choices) -> [String: SimulatedProgram] {
        let slowness = Duration.milliseconds(choices.draw(below: 3000, label: "programs"))
        let jobSeconds = 1 + choices.draw(below: 600, label: "programs")
        let jobCode = Int32(choices.draw(below: 2, label: "programs"))
        let hookCode = Int32(choices.draw(below: 2, label: "programs"))
        return [
            server: SimulatedProgram(
                reactions: [
                    1: .ignores, 15: .ends(.exited(code: 0), after: slowness),
                ]),
            stubborn: SimulatedProgram(reactions: [1: .ignores, 15: .ignores]),
            job: SimulatedProgram(
                end: .init(after: .seconds(jobSeconds), .exited(code: jobCode)),
                reactions: [1: .ignores]),
            hook: SimulatedProgram(
                end: .init(after: .milliseconds(1 + Int(hookCode) * 900), .exited(code: hookCode))),
        ]
    }
}
