// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Injection
import Operator
import ServerProcess

@main
struct OperatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cloudtaser-operator",
        abstract: "Answer the API server's questions about pods that ask for secrets.",
        discussion: """
            Serves POST /mutate (adds the wrapper) and POST /validate (refuses what asks and is not
            wrapped) over TLS, and /healthz, /readyz and /metrics in plain text on another port.
            SIGTERM ends it in good order: not ready first, then it answers what is under way.

            Examples:
              In a cluster, with a certificate that it makes itself:
                cloudtaser-operator
              On a workstation, with the policy of a file:
                cloudtaser-operator --policy-file policy.json --port 8443 \\
                  --tls-certificate server.pem --tls-key server-key.pem
              Against a cluster from outside:
                cloudtaser-operator --kubeconfig ~/.kube/config \\
                  --tls-certificate server.pem --tls-key server-key.pem
              With a private registry, through a mirror:
                cloudtaser-operator --tls-certificate /tls/tls.crt --tls-key /tls/tls.key \\
                  --registry-credentials /registry/.dockerconfigjson --registry-ca /ca/ca.crt \\
                  --registry-mirror docker.io=https://mirror.example.eu/hub

            Exit codes: 0 ended by a signal · 1 cannot run · 64 wrong usage.
            """,
        version: "cloudtaser-operator 0.1.0")

    @Option(help: "Address of both ports.")
    var address = "0.0.0.0"
    @Option(help: "Port of the webhooks; 0: any.")
    var port = 10250
    @Option(help: "Port of /healthz, /readyz and /metrics; 0: any.")
    var healthPort = 8081
    @Option(
        help: """
            PEM file with the server's certificate chain; read again when it changes. Default: it \
            makes one for the Service \(OwnCertificate.service), and writes the webhook's \
            configuration.
            """)
    var tlsCertificate: String?
    @Option(help: "PEM file with its private key.")
    var tlsKey: String?
    @Option(help: "How to reach the cluster; default: as a pod of it.")
    var kubeconfig: String?
    @Option(help: "A policy's spec in JSON, instead of the cluster's CloudTaserPolicy.")
    var policyFile: String?
    @Option(help: "What the webhook selects by: \(Self.selectors).")
    var selector = OptInSelector.either
    @Option(help: "The operator's own; default: the one that the cluster's access names.")
    var namespace: String?
    @Option(help: "The Lease by which replicas elect a leader.")
    var leaseName = "cloudtaser-operator"
    @Option(help: "Seconds between SIGTERM and the last new connection.")
    var drainSeconds = 5
    @Option(help: "Seconds that a request may take to arrive.")
    var requestSeconds = 10
    @Option(help: "Seconds from one look at the nodes' agents, for reports, to the next.")
    var reportSeconds = Int(ProtectionReports.lookEvery.components.seconds)
    @Flag(help: "Ask the policy's vaults how they are, and tell it by metrics; no secret is read.")
    var vaultProbe = false
    @Option(help: "PEM file of the authorities of vaults, for that; default: the system's.")
    var vaultAuthorities: String?
    @OptionGroup(title: "Registries")
    var registries: RegistryFlags

    private static let selectors = OptInSelector.allCases.map(\.rawValue)
        .joined(separator: ", ")
    private static let secondsMax = 300

    func validate() throws {
        for (name, value) in [("--port", port), ("--health-port", healthPort)]
        where !(0...65_535).contains(value) {
            throw ValidationError("\(name) is no port; use 0 to 65535")
        }
        for (name, value, least) in [
            ("--drain-seconds", drainSeconds, 0), ("--request-seconds", requestSeconds, 1),
            ("--report-seconds", reportSeconds, 1),
        ] where !(least...Self.secondsMax).contains(value) {
            throw ValidationError("\(name) is out of range; use \(least) to \(Self.secondsMax)")
        }
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key: give both or neither")
        }
        guard tlsCertificate != nil || policyFile == nil || kubeconfig != nil else {
            throw ValidationError(
                "without a cluster nobody believes a certificate of its own; give "
                    + "--tls-certificate and --tls-key, or --kubeconfig")
        }
        guard vaultAuthorities == nil || vaultProbe else {
            throw ValidationError("--vault-authorities is for --vault-probe; give both")
        }
        guard !leaseName.isEmpty else { throw ValidationError("--lease-name is empty; name one") }
    }

    func run() async throws { try await OperatorProgram(self).run() }
}

extension OptInSelector: ExpressibleByArgument {}
