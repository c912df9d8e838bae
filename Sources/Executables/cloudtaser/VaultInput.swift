// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CurlHTTP
import Foundation
import InspectionPorts
import Reporting

/// The vaults that an audit looks at from outside.
struct VaultInput: ParsableArguments {
    @Option(help: "https://host:port of a vault to look at; repeated for several.")
    var vaultAddress: [String] = []
    @Option(help: "PEM of the authorities that its certificate comes from; default: the system's.")
    var vaultCacert: String?

    /// Those that are named here, and those that are declared.
    func records(_ declared: AuditDeclarations) throws -> [VaultRecord] {
        try records(of: declared.vaults.map(\.address))
    }

    /// Those that are named here, and these, each once.
    func records(of others: [String]) throws -> [VaultRecord] {
        let authorities = try vaultCacert.map { [UInt8](try Folder.data(at: $0)) }
        var known: Set<String> = []
        let all = vaultAddress + others
        let addresses = all.filter { known.insert($0).inserted }
        return try Blocking.run {
            var records: [VaultRecord] = []
            for address in addresses {
                records.append(await Self.record(address, authorities))
            }
            return records
        }
    }

    private static func record(_ address: String, _ authorities: [UInt8]?) async -> VaultRecord {
        do throws(VaultSurveyFailure) {
            let seen = try await CurlVaultSurvey().observe(address, authorities: authorities)
            return VaultRecord(
                address: address, state: seen.state.rawValue, peer: seen.address,
                version: seen.version ?? "",
                certificates: seen.certificates.map {
                    VaultRecord.Certificate(
                        subject: $0.subject, issuer: $0.issuer, notBefore: $0.notBefore,
                        notAfter: $0.notAfter, serial: $0.serial)
                })
        } catch {
            return VaultRecord(address: address, state: nil, failure: error.reason)
        }
    }
}
