// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Inventory
import Reporting
import Validation

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Say before or after deployment what would be refused or does not work.",
        discussion: """
            Examples:
              helm template ./chart | cloudtaser validate - policy.yaml
              cloudtaser validate manifests/ policy.yaml --fail-on medium
              cloudtaser validate --context prod-eu-1 --look-at-vaults
              cloudtaser validate -o sarif --out validate.sarif manifests/
              cloudtaser validate manifests/ --declarations declarations.yaml
              cloudtaser validate --certificate webhook.crt --vault-cacert ca.crt \\
                --vault-address https://vault.example.eu:8200 --vault-token-file token

            Looks at pod templates (by the webhook's own decision, without asking it),
            CloudTaserPolicies, the webhook's configuration, the operator, agents and
            kernels of nodes, namespaces, certificates and vaults. What is not read is
            not checked, and is told. No private key is read. A token of
            --vault-token-file goes to the vaults of --vault-address and to no other; what
            their roles are bound to is held against the pods that log in by them.

            Ends with 3 on findings of severity high or more; --fail-on says otherwise.

            \(ManifestInput.help)

            \(Exit.help)
            """)

    @OptionGroup var input: ManifestInput
    @OptionGroup var output: ReportOutput
    @OptionGroup var vaults: VaultInput
    @Flag(help: "Look at the vaults that the policies name, too.")
    var lookAtVaults = false
    @Option(help: "PEM file of a certificate to look at, like the webhook's; repeated for several.")
    var certificate: [String] = []
    @Option(help: "File of a token that may read roles, for the vaults of --vault-address.")
    var vaultTokenFile: String?
    @Option(help: "YAML, as of audit: its accepted findings are told and do not count.")
    var declarations: String?

    func validate() throws {
        try output.refuseOSCAL()
        guard vaultTokenFile == nil || !vaults.vaultAddress.isEmpty else {
            throw ValidationError(
                "--vault-token-file needs --vault-address: a token goes to no vault that is "
                    + "not named here")
        }
    }

    func run() throws {
        let certificates = try certificate.map { path in
            let one = ValidationInput.Certificate(
                name: path, pem: [UInt8](try Folder.data(at: path)))
            guard one.isThere else {
                throw OperationalError(description: "\(path): holds no certificate in PEM")
            }
            return one
        }
        let declared = try declarations.map(DeclarationsFile.read) ?? .none
        let (objects, inventory, _) = try input.scanned()
        let named = lookAtVaults ? ValidationInput.vaultAddresses(in: inventory) : []
        let roles = try vaultTokenFile.map { file in
            try vaults.roles(of: ValidationInput.logins(in: objects, inventory), tokenFile: file)
        }
        let validation = Validation(
            ValidationInput(
                objects, inventory, scope: input.scope, vaults: try vaults.records(of: named),
                certificates: certificates, roles: roles ?? [:],
                acceptances: declared.acceptances,
                now: Int64(Date().timeIntervalSince1970)))
        try output.write(
            report: { ValidationDocument(validation).report }, json: { validation.json },
            sarif: {
                SarifLog.document(
                    validation.findings, suppressed: validation.suppressed,
                    unread: validation.unread, version: Version.version)
            })
        try output.conclude(
            isReached: validation.reaches, unreadCount: validation.unread.count, usual: .high)
    }
}
