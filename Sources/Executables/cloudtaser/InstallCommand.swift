// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation

struct InstallCommand: ParsableCommand {
    enum DryRun: String, CaseIterable, ExpressibleByArgument { case server, client, none }

    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Print the manifests of operator and agent, or hand them to helm or kubectl.",
        discussion: """
            Examples:
              cloudtaser install --set image.registry=registry.example.eu/cloudtaser
              cloudtaser install --values values.yaml > cloudtaser.yaml
              cloudtaser install --apply --dry-run server --values values.yaml
              cloudtaser install --apply --chart ./cloudtaser-0.1.0.tgz -n cloudtaser-system

            With helm in PATH the chart is rendered, or installed by `helm upgrade
            --install`; without, deploy/kustomize/base is printed, or given to `kubectl
            apply`. Chart and base are looked for in this folder, next to the program and
            in the folders above both. This program itself opens no connection.

            The namespace has to be there (docs/how-to/install.md).

            Exit codes: 0 done · 1 something could not be read or run · 2 wrong usage ·
            else what helm or kubectl ended with.
            """)

    @Flag(help: "Print the manifests, and change nothing (default).")
    var render = false
    @Flag(help: "Install them, after saying what is done.")
    var apply = false
    @Option(help: "With --apply: server, client or none, for helm or kubectl.")
    var dryRun: DryRun?
    @Option(help: "The chart: a folder or an archive. Default: the one that is found.")
    var chart: String?
    @Option(help: "Name of helm's release.")
    var release = "cloudtaser"
    @Option(name: .shortAndLong, help: "Where the product is installed.")
    var namespace = InstallPlan.usualNamespace
    @Option(help: "NAME=VALUE for helm; repeated for several.")
    var set: [String] = []
    @Option(name: [.customShort("f"), .long], help: "A file of values for helm; repeated.")
    var values: [String] = []
    @Option(help: "A kubeconfig file, for helm or kubectl.")
    var kubeconfig: String?
    @Option(help: "Its context, for helm or kubectl.")
    var context: String?

    func validate() throws {
        guard !(render && apply) else {
            throw ValidationError("--render and --apply exclude each other")
        }
        guard dryRun == nil || apply else {
            throw ValidationError("--dry-run needs --apply; without it nothing is changed anyway")
        }
        guard !namespace.isEmpty, !release.isEmpty else {
            throw ValidationError("--namespace and --release need a name")
        }
    }

    func run() throws {
        let plan = InstallPlan(self)
        try apply ? plan.apply() : plan.render()
    }
}
