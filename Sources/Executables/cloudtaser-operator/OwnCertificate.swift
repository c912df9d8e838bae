// SPDX-License-Identifier: Apache-2.0
import AdmissionServer
import AdmissionTrust
import Injection
import KubernetesPorts
import Operator
import Ports
import ServerProcess
import X509Issuer

/// The certificate that the program makes itself, and the API server's trust in it.
struct OwnCertificate: Sendable {
    // Names that the chart and its rights have, too.
    static let service = "cloudtaser-operator"
    static let secret = "cloudtaser-operator-tls"
    static let configuration = "cloudtaser"
    static let clusterRole = "cloudtaser-operator"

    let metrics = TrustMetrics()
    let trust: WebhookTrust

    /// - Parameter identity: where it is served.
    init(
        _ cluster: ClusterAccess.Cluster, _ command: OperatorCommand, _ identity: ServerIdentity,
        clock: any AsyncTimeSource, log: ProgramLog
    ) throws(StartFailure) {
        guard let namespace = command.namespace ?? cluster.namespace else {
            throw StartFailure(
                text: "a certificate cannot be made for a Service in no namespace; say --namespace")
        }
        var settings = WebhookTrustSettings(
            namespace: namespace, secretName: Self.secret,
            names: ["\(Self.service).\(namespace).svc"],
            webhook: WebhookSettings(
                name: Self.configuration, namespace: namespace,
                address: .service(
                    namespace: namespace, name: Self.service, port: 443, path: "/mutate"),
                selector: command.selector))
        settings.clusterRole = Self.clusterRole
        trust = WebhookTrust(
            api: cluster.api, clock: clock, issuer: X509Issuer(), settings: settings,
            report: { [metrics] report in
                metrics.count(report)
                log.trust(report)
            },
            serve: { leaf in
                do throws(ServerFailure) {
                    try identity.replace(
                        certificates: leaf.certificate, key: leaf.privateKey.pem)
                } catch {
                    log.write(.error, "certificate_unusable", "TLS does not take it: \(error)")
                }
            })
    }

    /// Why the API server cannot call yet; nil: it can.
    var obstacle: String? {
        switch trust.obstacle {
        case .conditionsDropped: ProgramLog.conditionsDropped
        case .noCertificate: "no certificate yet"
        case .expired: "the certificate has expired"
        case .notBelieved: "the API server does not believe the certificate yet"
        case nil: nil
        }
    }
}

extension ProgramLog {
    static let conditionsDropped =
        "the API server drops matchConditions (Kubernetes has them from 1.28), without which pods "
        + "can only be selected by label; start with --selector label"

    func trust(_ report: WebhookTrust.Report) {
        switch report {
        case .failed(let failure): self.failure("certificate", failure)
        case .callFailed(let failure): self.failure("certificate_watch", failure)
        case .ownerUnknown(let failure):
            write(
                .warning, report.name,
                "the ClusterRole \(OwnCertificate.clusterRole) cannot be read (\(failure)): the "
                    + "webhook's configuration will not go with it")
        case .notIssued(let failure):
            write(.error, report.name, "no certificate can be made: \(failure)")
        case .conditionsDropped: write(.error, report.name, Self.conditionsDropped)
        case .secretReplaced(let fault):
            let reason = fault.map { "of no use (\($0))" } ?? "not there"
            write(.notice, report.name, "the certificates were \(reason), and are new")
        case .configurationWritten(let wasMissing):
            write(
                .notice, report.name,
                "the webhook's configuration was "
                    + (wasMissing ? "not there" : "not as it should be") + ", and is written")
        case .authorityAdded, .authoritiesDropped, .leafRenewed, .served:
            write(.notice, report.name, report.name.replacing("_", with: " "))
        }
    }
}
