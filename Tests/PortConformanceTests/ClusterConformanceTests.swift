// SPDX-License-Identifier: Apache-2.0
import Glibc
import KubernetesServer
import Testing

@Suite("KubernetesAPI: the fake") struct SimulatedClusterTests {
    @Test(arguments: ClusterCheck.all)
    func `does as every API server does`(_ check: ClusterCheck) async throws {
        try await check.run(SimulatedClusterBench())
    }
}

@Suite(
    "RealClusterTests: the adapter on kube-apiserver",
    // One check makes the server forget what another's pages need.
    .serialized,
    .enabled(if: KubernetesServer.programs != nil, "CLOUDTASER_KUBERNETES names no directory"))
struct RealClusterTests {
    @Test(arguments: ClusterCheck.all)
    func `does as every API server does`(_ check: ClusterCheck) async throws {
        try await check.run(KubernetesBench.shared.get())
    }

    @Test(arguments: ClusterCheck.reads + ClusterCheck.rights)
    func `reads by libcurl as every API server is read`(_ check: ClusterCheck) async throws {
        try await check.run(CurlBench())
    }
}

/// Says how much was left out, in the run's last line.
@Suite("Real API server") struct RealClusterCountTests {
    /// The checks, and what only a real server shows.
    static let count =
        ClusterCheck.all.count + ClusterCheck.reads.count + ClusterCheck.rights.count
        + RealClusterAccessTests.count + RealWebhookTrustTests.count

    @Test func `what was not run is counted`() {
        guard KubernetesServer.programs == nil else { return }
        // After the runner's own summary: a line in the middle of a log is not read.
        atexit {
            let count = RealClusterCountTests.count
            print(
                "not run: \(count) tests on a real kube-apiserver "
                    + "(\(KubernetesServer.variable) unset)")
        }
    }
}
