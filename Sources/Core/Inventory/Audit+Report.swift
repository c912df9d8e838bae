// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

extension Audit {
    package var json: JSONTree {
        var population: JSONTree = [:]
        for standing in Standing.allCases {
            population[standing.rawValue] = .number(String(count(standing)))
        }
        population["total"] = .number(String(total))
        var tree: JSONTree = [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "Audit",
            "objects": .number(String(objectCount)),
            "retired": .number(String(retiredCount)), "containers": population,
        ]
        if !nodes.isEmpty {
            tree["nodes"] = [
                "withAgent": .number(String(nodes.count { $0.hasAgent })),
                "total": .number(String(nodes.count)), "list": .array(nodes.map(\.json)),
            ]
        }
        tree["s3Proxy"] = proxy.json
        tree["workloads"] = .array(rows.map(\.json))
        tree["findings"] = .array(findings.map(\.json))
        tree["unread"] = .array(unread.map(\.json))
        return tree
    }
}

extension Audit.Row {
    fileprivate var json: JSONTree {
        var tree: JSONTree = [
            "object": .string(object), "owner": .string(owner),
            "container": .string(container), "standing": .string(standing.rawValue),
            "uses": .number(String(useCount)),
        ]
        if !note.isEmpty { tree["note"] = .string(note) }
        return tree
    }
}

extension Audit.Node {
    fileprivate var json: JSONTree {
        [
            "name": .string(name), "hasAgent": .bool(hasAgent),
            "protected": .number(String(protectedCount)),
            "containers": .number(String(containerCount)),
        ]
    }
}
