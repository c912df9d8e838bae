// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Inventory
import Reporting

struct Discover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discover",
        abstract: "Find every use of Kubernetes Secrets, and credentials in plain sight.",
        discussion: """
            Examples:
              cloudtaser discover --context prod-eu-1
              kubectl get deploy,sts,ds,cronjobs,secrets,configmaps -A -o json \\
                | cloudtaser discover -
              helm template ./chart | cloudtaser discover - --fail-on high
              cloudtaser discover -o sarif --out discover.sarif manifests/
              cloudtaser discover --patch --vault-role web manifests/ > converted.yaml

            Reads environment entries, imported Secrets, volumes, projected volumes,
            registry Secrets, the Secrets Store CSI driver and what other tools put into
            Secrets; guesses credentials among plain values, commands, annotations and
            ConfigMaps by names and shapes; says for each whether delivery by the wrapper
            can take its place. Secrets and ConfigMaps make the answer better where they
            are given.

            \(PatchOptions.help)

            \(ManifestInput.help)

            \(Exit.help)
            """)

    @OptionGroup var input: ManifestInput
    @OptionGroup var output: ReportOutput
    @OptionGroup var conversion: PatchOptions

    func validate() throws {
        try output.refuseOSCAL()
        guard conversion.patch else { return }
        guard output.failOn == nil, output.out == nil,
            output.format == .text || output.format == .json
        else {
            throw ValidationError(
                "--patch prints manifests, as YAML or with -o json: leave out --fail-on, --out and "
                    + "other formats")
        }
    }

    func run() throws {
        let inventory = try input.inventory()
        if conversion.patch {
            return try conversion.conclude(inventory, asJSON: output.format == .json)
        }
        let discovery = Discovery(inventory)
        try output.write(
            report: { DiscoveryDocument(discovery).report }, json: { discovery.json },
            sarif: {
                SarifLog.document(
                    discovery.entries.map(\.finding) + discovery.findings,
                    unread: discovery.unread, version: Version.version)
            })
        try output.conclude(
            isReached: discovery.reaches, unreadCount: discovery.unread.count)
    }
}
