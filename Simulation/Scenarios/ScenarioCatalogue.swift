// SPDX-License-Identifier: Apache-2.0
package import SimulationEngine

/// Every scenario that `cloudtaser simulate` knows, the default first.
package enum ScenarioCatalogue {
    package static let all: [any SimulatedScenario.Type] = [
        WrapperScenario.self, LeaseClientScenario.self, LeaderElectionScenario.self,
        CertificateScenario.self, AdmissionScenario.self, RegistryScenario.self,
        ReportScenario.self, ObjectProxyScenario.self, SelfTestScenario.self,
    ]

    /// nil when there is none of that name.
    package static func scenario(named name: String) -> (any SimulatedScenario.Type)? {
        all.first { $0.name == name }
    }
}
