// SPDX-License-Identifier: Apache-2.0
import AdmissionServer
import KubernetesPorts
import Operator
import Ports

/// Where the webhooks' certificate comes from.
enum ServedCertificate: Sendable {
    case files(CertificateFiles, CertificateFiles.Content)
    case own(OwnCertificate)

    init(
        _ command: OperatorCommand, _ cluster: ClusterAccess.Cluster?, _ identity: ServerIdentity,
        clock: any AsyncTimeSource, log: OperatorLog
    ) throws(OperatorFailure) {
        if let files = CertificateFiles(command) {
            let first = try files.read()
            do throws(ServerFailure) {
                try identity.replace(certificates: first.certificates, key: first.key)
            } catch { throw OperatorFailure(text: files.unusable) }
            self = .files(files, first)
            return
        }
        guard let cluster else {
            throw OperatorFailure(text: "there is no cluster; give --tls-certificate and --tls-key")
        }
        self = .own(try OwnCertificate(cluster, command, identity, clock: clock, log: log))
    }

    /// nil: it is in files.
    var own: OwnCertificate? { if case .own(let own) = self { own } else { nil } }

    /// Has the newest one served until the task is cancelled.
    func keep(_ identity: ServerIdentity, clock: any AsyncTimeSource, log: OperatorLog) async {
        switch self {
        case .files(let files, let first):
            await files.follow(identity, from: first, clock: clock, log: log)
        case .own(let own): await own.trust.run()
        }
    }
}
