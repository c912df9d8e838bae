// SPDX-License-Identifier: Apache-2.0
internal import Injection
internal import Inventory
internal import KubernetesFormat

/// Whether vaults would let pods log in: their roles, as a vault's token showed them.
struct RoleValidation {
    let check: Check
    let findings: [Finding]
    let unread: [UnreadObject]

    /// - Parameter roles: of the vaults that a token was meant for; nothing of others.
    init(_ uses: [LoginUse], _ roles: [VaultLogin: VaultRole], _ reading: PolicyReading) {
        var findings: [Finding] = []
        var open: [String] = []
        var unread: [String: String] = [:]
        for use in uses {
            switch roles[use.login] {
            case nil: open.append("\(use.login.text): not asked for")
            case .unread(let reason): unread[use.login.text] = reason
            case .missing:
                findings.append(
                    Self.finding(
                        .vaultRoleMissing, use,
                        "vault \(use.login.vault) has no role \(use.login.role) at "
                            + "auth/\(use.login.mount)"))
            case .methodMissing:
                findings.append(
                    Self.finding(
                        .vaultRoleMissing, use,
                        "vault \(use.login.vault) has no login method at auth/\(use.login.mount)"))
            case .found(let data):
                let binding = RoleBinding(data, isJWT: use.login.isJWT)
                findings += binding.faults(of: use).map {
                    Self.finding(.vaultRoleElsewhere, use, "\(use.login.text) \($0)")
                }
                open += binding.notJudged.map { "\(use.login.text): \($0) is not judged" }
            }
        }
        self.findings = findings
        self.unread = unread.sorted { $0.key < $1.key }.map {
            UnreadObject(source: $0.key, reason: $0.value)
        }
        let states = (findings.isEmpty, open.isEmpty && unread.isEmpty, uses.isEmpty)
        check = Self.check(
            uses, states, open + self.unread.map { "\($0.source): \($0.reason)" },
            Self.text(reading))
    }

    private static func check(
        _ uses: [LoginUse], _ states: (clean: Bool, whole: Bool, empty: Bool), _ open: [String],
        _ vaults: String
    ) -> Check {
        let name = "role binding"
        let roles = Set(uses.map(\.login)).count
        let fix =
            "--vault-token-file FILE with --vault-address; or: bao read auth/kubernetes/role/NAME"
        switch states {
        case (_, _, true):
            return Check(name, .notChecked, vaults + "no pod that would log in was read")
        case (false, _, _):
            return Check(name, .fails, "not every pod may log in as it asks")
        case (true, true, _):
            return Check(name, .ok, "\(roles) roles are bound to the pods that log in by them")
        case (true, false, _):
            var known: Set<String> = []
            let parts = open.filter { known.insert($0).inserted }
            return Check(name, .notChecked, parts.joined(separator: "; "), fix: fix)
        }
    }

    private static func text(_ reading: PolicyReading) -> String {
        reading.readable.flatMap(\.policy.vaults).map {
            "\($0.name): \($0.method.rawValue), audience \($0.audience); "
        }.joined()
    }

    private static func finding(_ id: FindingID, _ use: LoginUse, _ message: String) -> Finding {
        Finding(
            id: id, object: use.workload.object.reference, container: nil, path: "",
            message: message, source: use.workload.object.source)
    }
}

/// What a role of the login methods `kubernetes` and `jwt` is bound to
/// (https://openbao.org/api-docs/auth/kubernetes/, …/auth/jwt/).
private struct RoleBinding {
    private let data: JSONTree
    private let isJWT: Bool

    init(_ data: JSONTree, isJWT: Bool) {
        self.data = data
        self.isJWT = isJWT
    }

    /// What of it cannot be held against a manifest.
    var notJudged: [String] {
        guard isJWT else { return hasSelector ? ["its namespace selector"] : [] }
        let known = Set(claims.map(\.name)).subtracting(Self.claimTexts(of: nil).keys)
        return known.sorted().map { "its claim \($0)" }
    }

    /// For a reader, after the role's name.
    func faults(of use: LoginUse) -> [String] {
        isJWT ? faultsOfJWT(use) : faultsOfKubernetes(use)
    }

    // MARK: - kubernetes

    private var hasSelector: Bool {
        !(data["bound_service_account_namespace_selector"]?.text ?? "").isEmpty
    }

    private func faultsOfKubernetes(_ use: LoginUse) -> [String] {
        let names = texts("bound_service_account_names")
        let namespaces = texts("bound_service_account_namespaces")
        var faults: [String] = []
        if !Self.has(names, use.account) {
            faults.append(
                "is bound to ServiceAccounts \(Self.list(names)); the pods have \(use.account)")
        }
        if !Self.has(namespaces, use.namespace), !hasSelector {
            faults.append(
                "is bound to namespaces \(Self.list(namespaces)); the pods are in "
                    + use.namespace)
        }
        let audience = data["audience"]?.text ?? ""
        // One without an audience takes any.
        if !audience.isEmpty, audience != use.login.audience {
            faults.append(Self.audience([audience], use))
        }
        return faults
    }

    // MARK: - jwt

    private var claims: [JSONTree.Member] { data["bound_claims"]?.members ?? [] }

    /// What a pod's projected token has; nil: names alone matter.
    private static func claimTexts(of use: LoginUse?) -> [String: String] {
        let (namespace, account) = (use?.namespace ?? "", use?.account ?? "")
        return [
            "sub": "system:serviceaccount:\(namespace):\(account)",
            "/kubernetes.io/namespace": namespace,
            "/kubernetes.io/serviceaccount/name": account,
        ]
    }

    private func faultsOfJWT(_ use: LoginUse) -> [String] {
        var faults: [String] = []
        let texts = Self.claimTexts(of: use)
        let subject = data["bound_subject"]?.text ?? ""
        if let own = texts["sub"], !subject.isEmpty, subject != own {
            faults.append("is bound to the subject \(subject); the pods have \(own)")
        }
        // A token has an audience always, and a role without one takes none that has.
        let audiences = self.texts("bound_audiences")
        if !audiences.contains(use.login.audience) { faults.append(Self.audience(audiences, use)) }
        let isGlob = data["bound_claims_type"]?.text == "glob"
        for claim in claims {
            guard let own = texts[claim.name] else { continue }
            let wanted = claim.value.elements?.compactMap(\.text) ?? [claim.value.text ?? ""]
            guard isGlob ? !Self.has(wanted, own) : !wanted.contains(own) else { continue }
            faults.append(
                "is bound to \(claim.name) \(Self.list(wanted)); the pods have \(own)")
        }
        return faults
    }

    // MARK: - Texts

    private func texts(_ name: String) -> [String] {
        data[name]?.elements?.compactMap(\.text) ?? []
    }

    private static func list(_ texts: [String]) -> String {
        texts.isEmpty ? "(none)" : texts.joined(separator: ", ")
    }

    private static func audience(_ audiences: [String], _ use: LoginUse) -> String {
        "is bound to the audience \(list(audiences)); the policy has \(use.login.audience)"
    }

    /// Whether one of the patterns means the text: `*` is any number of characters.
    private static func has(_ patterns: [String], _ text: String) -> Bool {
        patterns.contains { pattern in
            let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
            guard parts.count > 1, let first = parts.first, let last = parts.last else {
                return pattern == text
            }
            guard text.utf8.count >= first.utf8.count + last.utf8.count, text.hasPrefix(first),
                text.hasSuffix(last)
            else { return false }
            var rest = text.dropFirst(first.count).dropLast(last.count)
            for part in parts.dropFirst().dropLast() where !part.isEmpty {
                guard let range = rest.firstRange(of: part) else { return false }
                rest = rest[range.upperBound...]
            }
            return true
        }
    }
}
