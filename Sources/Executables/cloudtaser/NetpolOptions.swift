// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Inventory
import ManifestFiles
import NetworkPolicies

/// Where workloads are to get to.
struct EgressOptions: ParsableArguments {
    @Option(help: "The vault: https://host[:port]; a host name also needs --vault-cidr.")
    var vaultAddress: String?
    @Option(
        name: .customLong("vault-cidr"),
        help: "Network of the vault, in digits; repeated for several.")
    var vaultCIDR: [String] = []
    @Option(
        name: .customLong("s3-upstream-cidr"),
        help: "Network of the S3 proxy's store, in digits; repeated for several.")
    var s3UpstreamCIDR: [String] = []
    @Option(help: "Port of the store.")
    var s3UpstreamPort = 443
    @Option(help: "Name servers: kube-dns, node-local (169.254.20.10 too) or openshift (5353).")
    var dns = EgressSettings.NameService.kubeDNS
    @Flag(help: "Write policies of Cilium's (toFQDNs), which can name a host.")
    var cilium = false

    func validate() throws {
        guard (1...65_535).contains(s3UpstreamPort) else {
            throw ValidationError("--s3-upstream-port is not between 1 and 65535")
        }
        _ = try settings()
    }

    /// nil: no vault was named.
    func settings() throws -> EgressSettings? {
        guard let vaultAddress else {
            guard vaultCIDR.isEmpty, s3UpstreamCIDR.isEmpty else {
                throw ValidationError("name the vault with --vault-address https://host:port")
            }
            return nil
        }
        do throws(EgressSettings.Failure) {
            return try EgressSettings(
                vaultAddress: vaultAddress, vaultNetworks: vaultCIDR,
                upstreamNetworks: s3UpstreamCIDR, upstreamPort: s3UpstreamPort, names: dns,
                isForCilium: cilium)
        } catch { throw ValidationError(error.message) }
    }
}

extension EgressSettings.NameService: ExpressibleByArgument {}
