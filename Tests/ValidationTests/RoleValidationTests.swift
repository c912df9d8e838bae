// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import Testing
import Validation

private func validated(
    _ role: VaultRole?, method: String = "kubernetes", objects given: [ClusterObject]? = nil
) throws -> Validation {
    var objects = try given ?? Samples.whole()
    if method != "kubernetes" {
        objects[2] = try Samples.policy(method: method)
    }
    let logins = ValidationInput.logins(
        in: objects, Inventory(objects, unread: [], isWholeCluster: true))
    let pairs = logins.compactMap { login in role.map { (login, $0) } }
    return Validation(
        Samples.input(objects, roles: Dictionary(uniqueKeysWithValues: pairs)))
}

private func check(_ validation: Validation) -> Check? {
    validation.checks.first { $0.name == "role binding" }
}

@Suite("Roles of vaults, and who logs in by them") struct RoleValidationTests {
    /// Of the sample: ServiceAccount default of shop, audience vault.
    static func bound(
        names: JSONTree = ["default"], namespaces: JSONTree = ["shop"],
        audience: JSONTree = "vault",
        selector: JSONTree = ""
    ) -> VaultRole {
        .found([
            "bound_service_account_names": names, "bound_service_account_namespaces": namespaces,
            "bound_service_account_namespace_selector": selector, "audience": audience,
        ])
    }

    @Test func `names each login once`() throws {
        let objects =
            try Samples.whole() + [
                Samples.deployment(namespace: "shop"), Samples.pod(bare: false),
                Samples.deployment(["cloudtaser.io/vault-role": "other"]),
            ]
        let found = ValidationInput.logins(
            in: objects, Inventory(objects, unread: [], isWholeCluster: true))
        // The last one is refused by the policy, and logs in nowhere.
        #expect(found.map(\.text) == ["auth/kubernetes/role/shop of vault main"])
        #expect(found.map(\.address) == ["https://vault.test:8200"])
    }

    @Test(arguments: [
        bound(), bound(names: ["*"]), bound(names: ["def*t"]), bound(names: ["x", "*ault"]),
        bound(namespaces: ["sh*"]), bound(audience: ""),
    ])
    func `a role that is bound to the pods is well`(_ role: VaultRole) throws {
        let validation = try validated(role)
        #expect(validation.findings == [])
        #expect(check(validation)?.state == .ok, "\(validation.checks)")
    }

    @Test(arguments: [
        (bound(names: ["web"]), "is bound to ServiceAccounts web; the pods have default"),
        (bound(names: []), "is bound to ServiceAccounts (none); the pods have default"),
        (bound(names: ["a*default"]), "is bound to ServiceAccounts a*default; the pods have"),
        (bound(names: ["default*default"]), "is bound to ServiceAccounts default*default"),
        (bound(namespaces: ["bank"]), "is bound to namespaces bank; the pods are in shop"),
        (bound(audience: "other"), "is bound to the audience other; the policy has vault"),
        (VaultRole.missing, "vault main has no role shop at auth/kubernetes"),
        (.methodMissing, "vault main has no login method at auth/kubernetes"),
    ])
    func `a role that is not is found`(_ role: VaultRole, _ text: String) throws {
        let validation = try validated(role)
        let finding = try #require(validation.findings.first)
        #expect(validation.findings.count == 1)
        #expect(finding.message.contains(text), "\(finding.message)")
        #expect(finding.object == "Deployment shop/web")
        let isThere = text.contains("is bound")
        #expect(finding.id == (isThere ? .vaultRoleElsewhere : .vaultRoleMissing))
        #expect(check(validation)?.state == .fails && validation.reaches(.high))
    }

    @Test func `a selector of namespaces is not judged`() throws {
        let validation = try validated(Self.bound(namespaces: [], selector: "{}"))
        #expect(validation.findings == [] && validation.unread == [])
        #expect(check(validation)?.state == .notChecked)
        #expect(check(validation)?.detail.contains("its namespace selector is not judged") == true)
    }

    @Test func `a role that could not be read makes it incomplete`() throws {
        let validation = try validated(.unread(reason: "the token may not read it"))
        #expect(validation.findings == [])
        #expect(validation.unread.map(\.source) == ["auth/kubernetes/role/shop of vault main"])
        #expect(check(validation)?.state == .notChecked)
        // Control: nobody wanted to know.
        let unasked = try validated(nil)
        #expect(unasked.unread == [] && check(unasked)?.state == .notChecked)
    }

    @Test func `without pods that log in there is nothing to ask for`() throws {
        var objects = try Samples.whole()
        objects.remove(at: 1)
        let validation = try validated(Self.bound(names: ["web"]), objects: objects)
        #expect(validation.findings == [] && check(validation)?.state == .notChecked)
    }

    /// - Parameter claims: beside what a pod's token of the sample has.
    static func token(
        subject: JSONTree = "system:serviceaccount:shop:default",
        audiences: JSONTree = ["other", "vault"], claims: JSONTree = [:], type: JSONTree = "string"
    ) -> VaultRole {
        .found([
            "bound_subject": subject, "bound_audiences": audiences, "bound_claims": claims,
            "bound_claims_type": type,
        ])
    }

    @Test(arguments: [
        token(), token(subject: ""), token(claims: ["/kubernetes.io/namespace": "shop"]),
        token(claims: ["sub": ["a", "system:serviceaccount:shop:default"]]),
        token(claims: ["sub": "system:serviceaccount:shop:*"], type: "glob"),
    ])
    func `a role for tokens that is bound to the pods is well`(_ role: VaultRole) throws {
        let validation = try validated(role, method: "jwt")
        #expect(validation.findings == [] && check(validation)?.state == .ok)
    }

    @Test(arguments: [
        (token(subject: "system:serviceaccount:shop:web"), "is bound to the subject"),
        (token(audiences: ["other"]), "is bound to the audience other"),
        (token(audiences: .null), "is bound to the audience (none)"),
        (token(claims: ["sub": "system:serviceaccount:shop:*"]), "is bound to sub system:"),
        (
            token(claims: ["/kubernetes.io/serviceaccount/name": ["web"]]),
            "is bound to /kubernetes.io/serviceaccount/name web; the pods have default"
        ),
    ])
    func `a role for other tokens is found`(_ role: VaultRole, _ text: String) throws {
        let validation = try validated(role, method: "jwt")
        #expect(validation.findings.map(\.id) == [.vaultRoleElsewhere])
        #expect(validation.findings.first?.message.contains(text) == true)
    }

    @Test func `claims that no manifest shows are not judged`() throws {
        let validation = try validated(Self.token(claims: ["iss": "x"]), method: "jwt")
        #expect(validation.findings == [] && check(validation)?.state == .notChecked)
        #expect(check(validation)?.detail.contains("its claim iss is not judged") == true)
    }
}
