// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Inspector
import Inventory
import KubernetesFormat
import KubernetesPorts
import ManifestFiles
import Validation

/// What is looked at: files, or a cluster.
struct ManifestInput: ParsableArguments {
    static let help = """
        FILE is YAML or JSON with any number of objects or lists (what helm template
        and kubectl get -o json print), a folder of such files, or - for standard
        input. Without a FILE a cluster is read: of --kubeconfig, KUBECONFIG,
        ~/.kube/config or, in a pod, its own. Nothing is written, and no value of a
        Secret is printed or kept.
        """

    @Argument(help: "Files, folders, or - for standard input; none: a cluster.")
    var files: [String] = []
    @Option(help: "A kubeconfig file.")
    var kubeconfig: String?
    @Option(help: "Its context; default: the current one.")
    var context: String?
    @Flag(help: "The cluster of the pod that this runs in.")
    var inCluster = false
    @Option(name: .shortAndLong, help: "One namespace of the cluster; default: all.")
    var namespace: String?
    @Flag(help: "Do not read Secrets: which are orphaned, and whose keys are used, is not known.")
    var withoutSecrets = false

    private var namesCluster: Bool {
        kubeconfig != nil || context != nil || inCluster || namespace != nil
    }

    func validate() throws {
        guard files.isEmpty || !namesCluster else {
            throw ValidationError("give files or name a cluster, not both")
        }
        guard !inCluster || kubeconfig == nil && context == nil else {
            throw ValidationError("--in-cluster takes neither --kubeconfig nor --context")
        }
        guard !files.isEmpty || ClusterChoice(self) != nil else {
            throw ValidationError(
                "name a FILE, a folder, - for what `kubectl get -o json` prints, or a cluster by "
                    + "--kubeconfig, KUBECONFIG or --in-cluster")
        }
    }

    /// What it means that something is not among what was read.
    var scope: ValidationInput.Scope {
        guard files.isEmpty else { return .files }
        return namespace == nil ? .cluster : .namespace
    }

    typealias Scanned = (objects: [ClusterObject], inventory: Inventory, source: String)

    func inventory() throws -> Inventory { try scanned().inventory }

    /// What was read, and where it was read.
    func scanned() throws -> Scanned {
        guard files.isEmpty else {
            var manifests = Manifests()
            for file in files {
                do throws(Manifests.Failure) { try manifests.read(file) } catch {
                    throw OperationalError(description: TextTable.neutral(error.message))
                }
            }
            let names = files.map { $0 == "-" ? "standard input" : $0 }
            return (
                manifests.objects, Inventory(manifests.objects, unread: manifests.unread),
                "files: \(names.joined(separator: ", "))"
            )
        }
        return try scannedCluster()
    }

    private func scannedCluster() throws -> Scanned {
        guard let choice = ClusterChoice(self) else {
            throw OperationalError(description: "no cluster is named")
        }
        let kinds = ScannedKind.all.filter { !withoutSecrets || $0 != .secrets }
        do {
            let (reader, server) = try choice.reader()
            let scan = ClusterScan(reader, kinds: kinds, namespace: namespace)
            let outcome = try Blocking.run {
                var line = ProgressLine()
                let outcome = try await scan.run { step in
                    line.show("\(step.done)/\(step.all) kinds, \(step.count) \(step.kind)")
                }
                line.end()
                return outcome
            }
            let isWhole = namespace == nil && !withoutSecrets && outcome.unread.isEmpty
            return (
                outcome.objects,
                Inventory(
                    outcome.objects, unread: outcome.unread, isWholeCluster: isWhole),
                "cluster \(server)" + (namespace.map { ", namespace \($0)" } ?? "")
            )
        } catch let failure as KubernetesFailure {
            throw OperationalError(description: "the cluster: \(failure.text)")
        }
    }
}

extension FindingSeverity: ExpressibleByArgument {}
