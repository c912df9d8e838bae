// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Inventory
import KubernetesFormat
import ManifestFiles
import NetworkPolicies

struct Netpol: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "netpol",
        abstract: "Write NetworkPolicies for protected workloads, or check those that are there.",
        discussion: """
            Examples:
              cloudtaser netpol manifests/ --vault-address https://10.0.0.5:8200
              cloudtaser netpol generate - --vault-address https://vault.example.eu:8200 \\
                --vault-cidr 203.0.113.0/28 --dns node-local
              kubectl get deploy,sts,ds,pods,networkpolicies,namespaces -A -o json \\
                | cloudtaser netpol check - --vault-address https://10.0.0.5:8200

            What is written lets the pods of protected workloads reach the vault, name
            servers and, for the S3 proxy, the store, and nothing else. Whether a policy
            is enforced, the cluster's network plugin (CNI) decides.

            \(ManifestInput.help)

            \(Exit.help)
            """,
        subcommands: [NetpolGenerate.self, NetpolCheck.self],
        defaultSubcommand: NetpolGenerate.self)
}

struct NetpolGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Write policies for protected workloads (default).",
        discussion: """
            Example:
              cloudtaser netpol generate manifests/ --vault-address https://10.0.0.5:8200
            """)

    enum Output: String, CaseIterable, ExpressibleByArgument { case yaml, json, text }

    @OptionGroup var input: ManifestInput
    @OptionGroup var egress: EgressOptions
    @Option(name: [.customShort("o"), .customLong("output")], help: "yaml, json or text.")
    var output = Output.yaml

    func validate() throws {
        guard egress.vaultAddress != nil else {
            throw ValidationError("name the vault with --vault-address https://host:port")
        }
    }

    func run() throws {
        guard let settings = try egress.settings() else { return }
        let (objects, inventory, _) = try input.scanned()
        let generated = GeneratedPolicies(inventory, objects, settings)
        switch output {
        case .yaml:
            try Terminal.print(YAMLText.stream(generated.policies.map(\.tree)), terminator: "")
        case .json: try Terminal.print(String(decoding: generated.list.rendered(), as: UTF8.self))
        case .text: try Terminal.print(generated.table)
        }
        if generated.policies.isEmpty {
            tell("no policy: nothing that was read asks for secrets and has labels to select by")
        }
        for (workload, reason) in generated.skipped {
            tell("without a policy: \(workload): \(reason)")
        }
        for note in generated.notes { tell("note: \(note)") }
        tell(PolicyEnforcement(objects).line)
        for object in inventory.unread { tell("not read: \(object.source): \(object.reason)") }
        guard inventory.unread.isEmpty else {
            throw Incomplete(description: "\(inventory.unread.count) objects could not be read")
        }
    }

    private func tell(_ line: String) { Terminal.error(TextTable.neutral(line)) }
}

struct NetpolCheck: ParsableCommand {
    enum Output: String, CaseIterable, ExpressibleByArgument { case text, json }

    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Say what the policies that were read allow and deny.",
        discussion: """
            Example:
              kubectl get deploy,pods,networkpolicies,namespaces -A -o json \\
                | cloudtaser netpol check - --vault-address https://10.0.0.5:8200
            """)

    @OptionGroup var input: ManifestInput
    @OptionGroup var egress: EgressOptions
    @Flag(help: "Only workloads that ask for secrets, and the S3 proxy.")
    var protectedOnly = false
    @Option(name: [.customShort("o"), .customLong("output")], help: "text (a table) or json.")
    var output = Output.text

    func run() throws {
        let settings = try egress.settings()
        let (objects, inventory, _) = try input.scanned()
        let check = PolicyCheck(inventory, objects, settings, protectedOnly: protectedOnly)
        let isJSON = output == .json
        try Terminal.print(
            isJSON ? String(decoding: check.json.rendered(), as: UTF8.self) : check.table)
        guard check.unread.isEmpty else {
            throw Incomplete(description: "\(check.unread.count) objects could not be read")
        }
    }
}
