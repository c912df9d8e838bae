// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Inspector
import KubernetesFormat
import KubernetesPorts
import Validation

struct DoctorCommand: ParsableCommand {
    enum Output: String, CaseIterable, ExpressibleByArgument { case text, json }

    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check this machine, the programs on it and the way to the cluster.",
        discussion: """
            Examples:
              cloudtaser doctor
              cloudtaser doctor --context prod-eu-1 -n shop
              cloudtaser doctor --node            # on a node: may it run protected programs?
              cloudtaser doctor -o json

            A line each, with ok, warning, fails or not checked, and the fix. What this
            machine lacks as a node is a warning; with --node it fails, and nothing but
            the machine is looked at. Of the cluster one object of each kind is asked
            for that audit, discover, validate and status read.

            Exit codes: 0 nothing fails · 1 something could not be read ·
            2 wrong usage · 3 something fails · 4 not everything could be checked.
            """)

    @Flag(help: "This machine is to be a node: look at it alone, and be strict.")
    var node = false
    @Option(help: "A kubeconfig file.")
    var kubeconfig: String?
    @Option(help: "Its context; default: the current one.")
    var context: String?
    @Flag(help: "The cluster of the pod that this runs in.")
    var inCluster = false
    @Option(name: .shortAndLong, help: "One namespace of the cluster; default: all.")
    var namespace: String?
    @Option(name: [.customShort("o"), .customLong("output")], help: "text or json.")
    var output = Output.text

    func validate() throws {
        guard !inCluster || kubeconfig == nil && context == nil else {
            throw ValidationError("--in-cluster takes neither --kubeconfig nor --context")
        }
        guard !node || kubeconfig == nil && context == nil && !inCluster else {
            throw ValidationError("--node looks at this machine alone, at no cluster")
        }
    }

    func run() throws {
        var checks = MachineChecks(Machine.facts, isNode: node).checks
        if !node { checks += tools + cluster }
        let list = CheckList(checks)
        let isJSON = output == .json
        try Terminal.print(
            isJSON ? String(decoding: list.json.rendered(), as: UTF8.self) : list.text)
        guard !list.has(.fails) else { throw Findings(description: "something fails") }
        guard !list.has(.notChecked) else {
            throw Incomplete(description: "not everything could be checked")
        }
    }

    /// Of kubectl and helm, which `install` runs.
    private var tools: [Check] {
        let asked = [("kubectl", ["version", "--client"]), ("helm", ["version", "--short"])]
        return asked.map { name, words in
            guard let program = OuterProgram(name) else {
                let fix = "install \(name) where `cloudtaser install` is to be run"
                return Check(name, .warning, "not in PATH", fix: fix)
            }
            let run = try? program.run(words, isCaptured: true, isQuiet: true, time: 5)
            guard let run, run.status == 0 else {
                return Check(name, .warning, "\(program.path) does not tell its version")
            }
            let line = run.output.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            return Check(name, .ok, "\(program.path): \(line.prefix(100))")
        }
    }

    private var cluster: [Check] {
        let found = ClusterChoice(kubeconfig: kubeconfig, context: context, inCluster: inCluster)
        guard let found else {
            let fix = "--kubeconfig, KUBECONFIG or --in-cluster"
            return [Check("cluster", .notChecked, "none is named", fix: fix)]
        }
        do {
            let (reader, server) = try found.reader()
            let rights = ReadingRights(reader, namespace: namespace)
            let answers = try Blocking.run { try await rights.answers() }
            return [Check("cluster", .ok, "\(server) answers")] + ClusterRights.checks(answers)
        } catch let failure as KubernetesFailure {
            return [
                Check(
                    "cluster", .fails, failure.text,
                    fix: "kubectl cluster-info, with the same kubeconfig and context")
            ]
        } catch {
            return [Check("cluster", .fails, "\(error)")]
        }
    }
}
