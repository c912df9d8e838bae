// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

extension Audit {
    private var coverage: String {
        guard !nodes.isEmpty else { return "nodes with an agent: not known, no Node was read" }
        let count = nodes.count { $0.hasAgent }
        return "nodes with an agent that is ready: \(count) of \(nodes.count)"
    }

    private var population: String {
        let parts = Standing.allCases.map { "\(count($0)) \($0.rawValue)" }
        return "\(parts.joined(separator: " + ")) = \(total) containers"
    }

    package var table: String {
        var lines: [String] = []
        let told = rows.filter { $0.standing != .excluded }
        if !told.isEmpty {
            lines += TextTable.lines(
                ["WORKLOAD", "CONTAINER", "STANDING", "USES", "NOTE"],
                told.map {
                    [$0.object, $0.container, $0.standing.rawValue, "\($0.useCount)", $0.note]
                })
            lines.append("")
        }
        if !findings.isEmpty {
            lines += TextTable.lines(
                ["ID", "SEVERITY", "OBJECT", "CONTAINER", "FINDING"],
                findings.map {
                    [
                        $0.id.rawValue, $0.id.severity.rawValue, $0.object, $0.container ?? "-",
                        $0.message,
                    ]
                })
            lines.append("")
        }
        lines += unread.map { "not read: \($0.source): \($0.reason)" }
        lines.append(population)
        lines.append(coverage)
        lines.append(proxy.line)
        lines.append(
            "\(findings.count) findings in \(objectCount) objects, as they are stored: what runs "
                + "is for the agent to say, and etcd was not read")
        return TextTable.text(lines)
    }

    package var json: JSONTree {
        var population: JSONTree = [:]
        for standing in Standing.allCases {
            population[standing.rawValue] = .number(String(count(standing)))
        }
        population["total"] = .number(String(total))
        var tree: JSONTree = [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "Audit",
            "objects": .number(String(objectCount)), "containers": population,
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
