// SPDX-License-Identifier: Apache-2.0
internal import Injection
package import Inventory
package import Reporting

/// What a validation and a look at a cluster's state start from.
package struct ValidationInput: Sendable {
    /// What was read, and so what it means that something is not among it.
    package enum Scope: Sendable, Equatable {
        /// Nothing is missing: it may be applied elsewhere.
        case files
        /// All kinds without namespaces, and what is in one namespace.
        case namespace
        case cluster
    }

    package struct Certificate: Sendable {
        /// For a reader: a file's name.
        package let name: String
        /// PEM; nothing but certificates is read of it.
        package let pem: [UInt8]

        package init(name: String, pem: [UInt8]) {
            self.name = name
            self.pem = pem
        }

        package var isThere: Bool { !CertificateLife.all(inPEM: pem).isEmpty }
    }

    package let objects: [ClusterObject]
    package let inventory: Inventory
    package let scope: Scope
    package let vaults: [VaultRecord]
    package let certificates: [Certificate]
    /// What vaults say of the roles that pods log in by; of those that were not asked nothing.
    package let roles: [VaultLogin: VaultRole]
    /// Findings that somebody answers for.
    package let acceptances: [AuditDeclarations.Acceptance]
    /// Seconds since 1970.
    package let now: Int64

    package init(
        _ objects: [ClusterObject], _ inventory: Inventory, scope: Scope,
        vaults: [VaultRecord] = [], certificates: [Certificate] = [],
        roles: [VaultLogin: VaultRole] = [:],
        acceptances: [AuditDeclarations.Acceptance] = [], now: Int64
    ) {
        self.acceptances = acceptances
        self.objects = objects
        self.inventory = inventory
        self.scope = scope
        self.vaults = vaults
        self.certificates = certificates
        self.roles = roles
        self.now = now
    }

    /// Whether an object of a kind without namespaces that is not among these is not there.
    func isMissingMeant(_ resource: String) -> Bool {
        scope != .files && wasRead(resource)
    }

    /// The same of a kind with namespaces.
    func isMissingInNamespacesMeant(_ resource: String) -> Bool {
        scope == .cluster && wasRead(resource)
    }

    private func wasRead(_ resource: String) -> Bool {
        !inventory.unread.contains { unread in
            unread.source == "the cluster" || unread.source == "the cluster's \(resource)"
        }
    }

    /// Addresses of the vaults of readable policies, each once, in their order.
    package static func vaultAddresses(in inventory: Inventory) -> [String] {
        var known: Set<String> = []
        return PolicyReading(inventory).readable.flatMap(\.policy.vaults).map(\.address)
            .filter { known.insert($0).inserted }
    }
}
