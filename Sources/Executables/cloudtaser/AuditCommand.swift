// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CurlHTTP
import EvidencePackage
import EvidenceSigning
import Foundation
import Inspector
import Inventory
import KubernetesFormat
import ManifestFiles
import Protection
import Reporting

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Count protected and unprotected containers, unused Secrets and bare nodes.",
        discussion: """
            Examples:
              cloudtaser audit --vault-address https://vault.example.eu:8200
              cloudtaser audit -o html --out audit.html --declarations declarations.yaml
              cloudtaser audit -o json > baseline.json
              cloudtaser audit -o oscal --out assessment-results.json
              cloudtaser audit --baseline baseline.json --fail-on high
              cloudtaser audit --in-cluster --series /series --signing-key key.pem
              kubectl get pods,secrets,configmaps,serviceaccounts,ingresses,nodes -A -o json \\
                | cloudtaser audit -

            Every container is counted once: protected, unprotected, excluded or
            unreadable, and the four add up to the total. It says what is stored: whether
            a container's stored command starts the wrapper. What runs on a node is for
            the agent there to say. It never reads etcd.

            Where a vault is, and under whose law, is for somebody to declare
            (--declarations, docs/reference/audit.md); what is seen of it from here is
            recorded: its state, address and certificates. No token is shown to it.

            \(ManifestInput.help)

            \(Exit.help)
            """)

    @OptionGroup var input: ManifestInput
    @OptionGroup var output: ReportOutput
    @OptionGroup var vaults: VaultInput
    @Option(
        help: """
            Namespace that is left out and counted as excluded; repeated for several. Default: \
            \(Inventory.excludedNamespaces.sorted().joined(separator: ", ")).
            """)
    var excludeNamespace: [String] = []
    @Option(help: "YAML: jurisdictions, the S3 proxy's place, accepted findings.")
    var declarations: String?
    @Option(help: "What an earlier audit printed as JSON: end with 3 when something is worse.")
    var baseline: String?
    @Flag(
        help: """
            Ask the agent of each node (its pod's address, port 9464, HTTP) what it sees: where \
            the pods' network is reached from here, as in a pod.
            """)
    var askAgents = false
    @OptionGroup var series: SeriesOptions

    func run() throws {
        // Before the cluster is read: what is wrong with a file is told at once.
        let declared = try declarations.map(DeclarationsFile.read) ?? .none
        let before = try baseline.map(Self.baseline)
        if let reason = before?.mismatch(with: declared) {
            throw OperationalError(description: "\(baseline ?? ""): \(reason)")
        }
        let now = Int64(Date().timeIntervalSince1970)
        let result = try result(declared, at: now)
        let regressions = before?.regressions(in: result)
        lazy var document = result.json(regressions: regressions)
        try output.write(
            report: { AuditDocument(result, regressions: regressions).report },
            json: { document },
            sarif: {
                SarifLog.document(
                    result.findings,
                    suppressed: result.accepted.map { ($0.finding, $0.acceptance.reason) },
                    unread: result.audit.unread, version: Version.version)
            },
            oscal: { try Self.oscal(document) })
        try series.write(document, at: result.run.time)
        try series.publish(
            AuditMetrics.text(result, regressions: regressions?.count ?? 0, at: now))
        if let regressions, !regressions.isEmpty {
            throw Findings(
                description: "worse than the baseline:\n" + regressions.joined(separator: "\n"))
        }
        try output.conclude(
            isReached: result.reaches, unreadCount: result.audit.unread.count)
    }

    /// The objects go when it ends: a report needs their memory.
    private func result(_ declared: AuditDeclarations, at now: Int64) throws -> AuditResult {
        let (_, inventory, source) = try input.scanned()
        let excluded =
            excludeNamespace.isEmpty ? Inventory.excludedNamespaces : Set(excludeNamespace)
        return AuditResult(
            Audit(inventory, excluding: excluded),
            run: AuditRun(
                time: WallClockText.seconds(now), tool: "cloudtaser \(Version.version)",
                command: AuditRun.command(CommandLine.arguments), source: source),
            declarations: declared, vaults: try vaults.records(declared),
            scores: AuditScores(
                inventory, excluding: excluded, answers: try answers(inventory)))
    }

    private static func oscal(_ audit: JSONTree) throws -> OscalDocument {
        let rules = FindingID.allCases.map { id in
            (id.rawValue, OscalAudit.Rule(title: id.title, meaning: id.meaning, fix: id.fix))
        }
        do throws(PackageFailure) {
            return try OscalAudit(
                audit, rules: Dictionary(uniqueKeysWithValues: rules), digests: OpenSSLDigests()
            ).document
        } catch { throw OperationalError(description: error.description) }
    }

    private func answers(_ inventory: Inventory) throws -> [String: NodeAnswer] {
        guard askAgents else { return [:] }
        return try Blocking.run {
            await AgentRound(CurlNodeAgents()).answers(for: inventory)
        }
    }

    private static func baseline(_ path: String) throws -> AuditBaseline {
        let document = try document(path)
        do throws(AuditBaseline.Malformed) {
            return try AuditBaseline(document)
        } catch { throw OperationalError(description: "\(path): \(error.reason)") }
    }

    private static func document(_ path: String) throws -> JSONTree {
        do throws(Manifests.Failure) { return try Manifests.document(at: path) } catch {
            throw OperationalError(description: error.message)
        }
    }
}
