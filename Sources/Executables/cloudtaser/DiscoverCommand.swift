// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Inventory

struct Discover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discover",
        abstract: "Find every use of Kubernetes Secrets, and credentials in plain sight.",
        discussion: """
            Examples:
              kubectl get deploy,sts,ds,cronjobs,secrets,configmaps -A -o json \\
                | cloudtaser discover -
              helm template ./chart | cloudtaser discover - --fail-on high
              cloudtaser discover -o json manifests/

            Reads environment entries, imported Secrets, volumes, projected volumes,
            registry Secrets and the Secrets Store CSI driver; guesses credentials among
            plain values and ConfigMaps by names and shapes; says for each whether
            delivery by the wrapper can take its place. Secrets and ConfigMaps make the
            answer better where they are given.

            \(ManifestInput.help)

            \(Exit.help)
            """)

    @OptionGroup var input: ManifestInput

    func run() throws {
        let discovery = Discovery(try input.inventory())
        try input.conclude(
            text: discovery.table, json: discovery.json, isReached: discovery.reaches,
            unreadCount: discovery.unread.count)
    }
}

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Count protected and unprotected containers, unused Secrets and bare nodes.",
        discussion: """
            Examples:
              kubectl get pods,secrets,configmaps,serviceaccounts,ingresses,nodes -A -o json \\
                | cloudtaser audit -
              cloudtaser audit --exclude-namespace kube-system --fail-on high cluster.json

            Every container is counted once: protected, unprotected, excluded or
            unreadable, and the four add up to the total. It says what is stored: whether
            a container's stored command starts the wrapper. What runs on a node is for
            the agent there to say. It never reads etcd.

            \(ManifestInput.help)

            \(Exit.help)
            """)

    @OptionGroup var input: ManifestInput
    @Option(
        help: """
            Namespace that is left out and counted as excluded; repeated for several. Default: \
            \(Inventory.excludedNamespaces.sorted().joined(separator: ", ")).
            """)
    var excludeNamespace: [String] = []

    func run() throws {
        let excluded =
            excludeNamespace.isEmpty ? Inventory.excludedNamespaces : Set(excludeNamespace)
        let audit = Audit(try input.inventory(), excluding: excluded)
        try input.conclude(
            text: audit.table, json: audit.json, isReached: audit.reaches,
            unreadCount: audit.unread.count)
    }
}
