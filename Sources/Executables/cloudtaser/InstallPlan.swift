// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What is run for it.
struct InstallPlan {
    /// Of the chart and of deploy/kustomize/base.
    static let usualNamespace = "cloudtaser-system"

    private let options: InstallCommand
    private let helm = OuterProgram("helm")
    private let chart: String?

    init(_ options: InstallCommand) {
        self.options = options
        chart = options.chart ?? DeployFiles.find("helm/cloudtaser", holding: "Chart.yaml")
    }

    func render() throws {
        if let helm, let chart {
            let words = ["template", options.release, chart] + settings + cluster("--kube-context")
            return try run(helm, words)
        }
        try checkUnchanged()
        try Terminal.print(try base(), terminator: "")
    }

    func apply() throws {
        if let helm, let chart {
            let words =
                ["upgrade", "--install", options.release, chart] + settings
                + cluster("--kube-context") + dryRun
            return try run(helm, words, isTold: true)
        }
        guard let kubectl = OuterProgram("kubectl") else {
            throw OperationalError(
                description: helm == nil
                    ? "neither helm nor kubectl is in PATH; install one, or apply what "
                        + "`cloudtaser install --render` prints elsewhere"
                    : "no chart is found, and kubectl is not in PATH; name the chart with --chart")
        }
        try checkUnchanged()
        let manifests = Data(try base().utf8)
        try run(
            kubectl, ["apply", "-f", "-"] + cluster("--context") + dryRun, manifests, isTold: true)
    }

    private func run(
        _ program: OuterProgram, _ words: [String], _ input: Data? = nil, isTold: Bool = false
    ) throws {
        if isTold { Terminal.error("runs: " + ([program.path] + words).joined(separator: " ")) }
        let run = try program.run(words, input: input, isCaptured: false)
        guard run.status == 0 else {
            Terminal.error("\(program.name) ended with \(run.status)")
            throw OuterFailure(status: run.status)
        }
    }

    private var settings: [String] {
        ["--namespace", options.namespace] + options.values.flatMap { ["--values", $0] }
            + options.set.flatMap { ["--set", $0] }
    }

    private func cluster(_ context: String) -> [String] {
        (options.kubeconfig.map { ["--kubeconfig", $0] } ?? [])
            + (options.context.map { [context, $0] } ?? [])
    }

    private var dryRun: [String] { options.dryRun.map { ["--dry-run=\($0.rawValue)"] } ?? [] }

    /// What only helm can do.
    private func checkUnchanged() throws {
        let why = helm == nil ? "helm is not in PATH" : "no chart is found (--chart)"
        guard options.set.isEmpty, options.values.isEmpty, options.chart == nil,
            options.namespace == Self.usualNamespace
        else {
            throw OperationalError(
                description: "\(why): --set, --values, --chart and another --namespace need it; "
                    + "without, use deploy/kustomize/overlays/example")
        }
    }

    private func base() throws -> String {
        guard let folder = DeployFiles.find("kustomize/base", holding: "kustomization.yaml") else {
            throw OperationalError(
                description: "neither a chart (--chart, with helm in PATH) nor "
                    + "deploy/kustomize/base is found here or next to the program")
        }
        return try DeployFiles.joined(folder)
    }
}
