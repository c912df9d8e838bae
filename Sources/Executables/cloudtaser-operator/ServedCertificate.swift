// SPDX-License-Identifier: Apache-2.0
import AdmissionServer
import KubernetesPorts
import Operator
import Ports
import ServerProcess

/// Where the webhooks' certificate comes from.
enum ServedCertificate: Sendable {
    case files(CertificateFiles, CertificateFiles.Content)
    case own(OwnCertificate)

    init(
        _ command: OperatorCommand, _ cluster: ClusterAccess.Cluster?, _ identity: ServerIdentity,
        clock: any AsyncTimeSource, log: ProgramLog
    ) throws(StartFailure) {
        if let certificate = command.tlsCertificate, let key = command.tlsKey {
            let files = CertificateFiles(certificatePath: certificate, keyPath: key)
            let first = try files.read()
            do throws(ServerFailure) {
                try identity.replace(certificates: first.certificates, key: first.key)
            } catch { throw StartFailure(text: files.unusable) }
            self = .files(files, first)
            return
        }
        guard let cluster else {
            throw StartFailure(text: "there is no cluster; give --tls-certificate and --tls-key")
        }
        self = .own(try OwnCertificate(cluster, command, identity, clock: clock, log: log))
    }

    /// nil: it is in files.
    var own: OwnCertificate? { if case .own(let own) = self { own } else { nil } }

    /// Has the newest one served until the task is cancelled.
    func keep(_ identity: ServerIdentity, clock: any AsyncTimeSource, log: ProgramLog) async {
        switch self {
        case .files(let files, let first):
            await files.follow(from: first, clock: clock, log: log) { new in
                do throws(ServerFailure) {
                    try identity.replace(certificates: new.certificates, key: new.key)
                    return true
                } catch { return false }
            }
        case .own(let own): await own.trust.run()
        }
    }
}
