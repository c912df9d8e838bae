// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CurlHTTP
import Foundation
import InspectionPorts
import KubernetesFormat
import Reporting
import Validation

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

    /// What those that are named here say of roles; others are not asked.
    func roles(of logins: [VaultLogin], tokenFile: String) throws -> [VaultLogin: VaultRole] {
        let authorities = try vaultCacert.map { [UInt8](try Folder.data(at: $0)) }
        let text = String(decoding: try Folder.data(at: tokenFile), as: UTF8.self)
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        let named = Set(vaultAddress.map(Self.plain))
        return try Blocking.run {
            var roles: [VaultLogin: VaultRole] = [:]
            for login in logins where named.contains(Self.plain(login.address)) {
                roles[login] = await Self.role(login, token, authorities)
            }
            return roles
        }
    }

    private static func plain(_ address: String) -> String {
        address.trimmingCharacters(in: ["/"]).lowercased()
    }

    private static func role(
        _ login: VaultLogin, _ token: String, _ authorities: [UInt8]?
    ) async -> VaultRole {
        do throws(VaultRoleFailure) {
            let answer = try await CurlVaultRoles().role(
                login.role, of: login.mount, at: login.address, namespace: login.namespace,
                token: token, authorities: authorities)
            switch answer {
            case .noRole: return .missing
            case .noMethod: return .methodMissing
            case .found(let data):
                guard let tree = try? JSONTree(data) else {
                    return .unread(reason: "its answer cannot be read")
                }
                return .found(tree)
            }
        } catch { return .unread(reason: error.reason) }
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
