// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Inventory
import KubernetesFormat
import Validation

struct StatusCommand: ParsableCommand {
    enum Output: String, CaseIterable, ExpressibleByArgument { case text, json }

    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say on one screen how a cluster does, and which runbook helps.",
        discussion: """
            Examples:
              cloudtaser status
              cloudtaser status --context prod-eu-1 --vault-cacert ca.crt
              cloudtaser status --without-vaults -o json
              kubectl get nodes,pods,deployments,mutatingwebhookconfigurations,cloudtaserpolicies \\
                -A -o json | cloudtaser status -

            A line each: operator, webhook, policy, agents, pods, reports, S3 proxy and
            vaults, with ok, degraded, down or unknown. Vaults that the policies name
            and those of --vault-address are looked at; no token is sent.

            \(ManifestInput.help)

            Exit codes: 0 all is well · 1 something could not be read ·
            2 wrong usage · 3 something is degraded or down · 4 something is not known.
            """)

    @OptionGroup var input: ManifestInput
    @OptionGroup var vaults: VaultInput
    @Flag(help: "Look at no vault of the policies.")
    var withoutVaults = false
    @Option(name: [.customShort("o"), .customLong("output")], help: "text or json.")
    var output = Output.text

    func run() throws {
        let (objects, inventory, _) = try input.scanned()
        let named = withoutVaults ? [] : ValidationInput.vaultAddresses(in: inventory)
        let status = ClusterStatus(
            ValidationInput(
                objects, inventory, scope: input.scope, vaults: try vaults.records(of: named),
                now: Int64(Date().timeIntervalSince1970)),
            withVaults: !withoutVaults || !vaults.vaultAddress.isEmpty)
        let isJSON = output == .json
        try Terminal.print(
            isJSON ? String(decoding: status.json.rendered(), as: UTF8.self) : status.text)
        for object in inventory.unread {
            Terminal.error(TextTable.neutral("not read: \(object.source): \(object.reason)"))
        }
        guard !status.has(.down), !status.has(.degraded) else {
            throw Findings(description: "something is degraded or down")
        }
        guard !status.has(.unknown), inventory.unread.isEmpty else {
            throw Incomplete(description: "something is not known")
        }
    }
}
