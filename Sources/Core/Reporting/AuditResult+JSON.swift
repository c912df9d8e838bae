// SPDX-License-Identifier: Apache-2.0
internal import Inventory
package import KubernetesFormat

extension AuditResult {
    /// As docs/reference/audit.schema.json says.
    ///
    /// - Parameter regressions: against a baseline; nil: there was none.
    package func json(regressions: [String]? = nil) -> JSONTree {
        var tree = audit.json
        tree["run"] = [
            "time": .string(run.time), "tool": .string(run.tool),
            "command": .string(run.command), "source": .string(run.source),
        ]
        tree["cluster"] = .string(declarations.cluster)
        tree["scenario"] =
            declarations.scenario.isEmpty ? .null : .string(declarations.scenario)
        tree["vaults"] = .array(vaultRecords)
        if let scores { tree["protection"] = scores.json }
        if let proxy = declarations.proxy {
            tree["s3Proxy"]?["declared"] = [
                "placement": .string(proxy.placement.rawValue),
                "declaredBy": .string(proxy.declaredBy),
            ]
        }
        tree["findings"] = .array(findings.map(\.json))
        tree["accepted"] = .array(
            accepted.map { entry in
                var tree = entry.finding.json
                tree["acceptance"] = [
                    "reason": .string(entry.acceptance.reason),
                    "owner": .string(entry.acceptance.owner),
                    "expires": .string(entry.acceptance.expires),
                ]
                return tree
            })
        if let regressions {
            tree["regressions"] = .array(regressions.map { .string($0) })
        }
        return tree
    }

    private var vaultRecords: [JSONTree] {
        vaults.map { vault in
            var tree: JSONTree = ["address": .string(vault.address)]
            tree["state"] = vault.state.map { .string($0) } ?? .null
            if !vault.failure.isEmpty { tree["failure"] = .string(vault.failure) }
            if !vault.peer.isEmpty { tree["peer"] = .string(vault.peer) }
            if !vault.version.isEmpty { tree["version"] = .string(vault.version) }
            tree["certificates"] = .array(vault.certificates.map(\.json))
            let said = declarations.vaults.first { $0.address == vault.address }
            tree["declared"] = said.map(Self.json) ?? .null
            return tree
        }
    }

    private static func json(_ said: AuditDeclarations.Vault) -> JSONTree {
        [
            "jurisdiction": .string(said.jurisdiction), "operator": .string(said.operator),
            "declaredBy": .string(said.declaredBy), "declaredOn": .string(said.declaredOn),
        ]
    }
}

extension VaultRecord.Certificate {
    fileprivate var json: JSONTree {
        [
            "subject": .string(subject), "issuer": .string(issuer),
            "notBefore": .string(notBefore), "notAfter": .string(notAfter),
            "serial": .string(serial),
        ]
    }
}
