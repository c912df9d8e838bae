// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import WrapperConfiguration

extension CloudTaserPolicy {
    /// Those that a namespace is granted.
    func vaults(for namespace: NamespaceFacts) -> [Vault] {
        let granted = Set(grants.filter { $0.isFor(namespace) }.map(\.vault))
        return vaults.filter { granted.contains($0.name) }
    }

    /// The vault that a pod logs in to.
    ///
    /// - Parameter address: what its annotation says; nil: it has none.
    /// - Returns: nil: the namespace is granted none such, or several without an address.
    package func vault(at address: String?, for namespace: NamespaceFacts) -> Vault? {
        let vaults = vaults(for: namespace)
        guard let address else { return vaults.count == 1 ? vaults[0] : nil }
        return try? vaults.first(at: address)
    }
}

extension [CloudTaserPolicy.Vault] {
    /// The one that an address means, however it is written.
    func first(at address: String) throws(ConfigurationFailure) -> CloudTaserPolicy.Vault? {
        let texts: [ControlVariable: String] = [
            .address: address, .authMethod: "kubernetes", .authRole: "role",
        ]
        let given = try SettingsParser(
            defaultFollow: .attached, hasCredential: { _ in false }, lookUp: { texts[$0] }
        ).parseVault()
        return first { $0.origin == given.origin && $0.pathPrefix == given.pathPrefix }
    }
}
