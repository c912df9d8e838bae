// SPDX-License-Identifier: Apache-2.0
import KubernetesPorts
import Operator
import Ports
import ServerProcess

extension ProgramLog {
    /// Only when it differs from what was said before of this place.
    func failure(_ place: String, _ failure: KubernetesFailure) {
        let text = "\(failure)"
        guard isNews(text, of: place) else { return }
        write(.warning, "cluster_unreadable", "\(place): \(text)")
    }

    func refused(_ report: AdmissionReport) {
        write(
            .notice, "pod_refused", report.reason,
            [
                ("uid", report.uid), ("namespace", report.namespace),
                ("webhook", report.purpose.rawValue), ("dryRun", String(report.isDryRun)),
            ])
    }
}
