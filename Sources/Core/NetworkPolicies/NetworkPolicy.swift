// SPDX-License-Identifier: Apache-2.0
internal import Destinations
package import Inventory
internal import KubernetesFormat

/// A `networking.k8s.io/v1` NetworkPolicy
/// (https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/).
package struct NetworkPolicy: Sendable {
    package enum Direction: String, Sendable, CaseIterable {
        case ingress = "Ingress"
        case egress = "Egress"
    }

    package enum TransportProtocol: String, Sendable {
        case tcp = "TCP"
        case udp = "UDP"
        case sctp = "SCTP"
    }

    struct Port: Sendable {
        enum Number: Sendable, Equatable {
            case range(ClosedRange<Int>)
            /// Of a container's port at the end that is connected to.
            case name(String)
        }

        let transport: TransportProtocol
        /// nil: every port of the protocol.
        let number: Number?
    }

    enum Peer: Sendable {
        case block(NetworkPrefix, except: [NetworkPrefix])
        /// nil for namespaces: the policy's own.
        case pods(namespaces: LabelSelector?, pods: LabelSelector)
    }

    struct Rule: Sendable {
        /// Empty: everybody.
        let peers: [Peer]
        /// Empty: every port.
        let ports: [Port]
    }

    package enum Failure: Error, Sendable, Equatable {
        /// A place in the object.
        case field(String)

        package var reason: String {
            switch self {
            case .field(let path): "is no NetworkPolicy of networking.k8s.io/v1: see \(path)"
            }
        }
    }

    package let namespace: String
    package let name: String
    let selector: LabelSelector
    let directions: Set<Direction>
    let rules: [Direction: [Rule]]

    package static func isOne(_ object: ClusterObject) -> Bool {
        object.kind == "NetworkPolicy" && object.group == "networking.k8s.io"
    }

    package init(_ object: ClusterObject) throws(Failure) {
        namespace = object.namespace
        name = object.name
        guard let spec = object.tree["spec"], spec.members != nil else { throw .field("spec") }
        selector = try Self.selector(spec["podSelector"] ?? [:], "spec.podSelector")
        let ingress = try Self.rules(spec["ingress"], "spec.ingress", "from")
        let egress = try Self.rules(spec["egress"], "spec.egress", "to")
        rules = [.ingress: ingress, .egress: egress]
        let types = spec["policyTypes"]?.elements ?? []
        guard !types.isEmpty else {
            // Every policy is about ingress unless it says otherwise.
            directions = egress.isEmpty ? [.ingress] : [.ingress, .egress]
            return
        }
        var named: Set<Direction> = []
        for type in types {
            guard let direction = type.text.flatMap(Direction.init(rawValue:)) else {
                throw .field("spec.policyTypes")
            }
            named.insert(direction)
        }
        directions = named
    }

    private static func selector(
        _ tree: JSONTree, _ path: String
    ) throws(Failure) -> LabelSelector {
        do throws(LabelSelector.Failure) { return try LabelSelector(tree) } catch {
            throw .field(path)
        }
    }

    private static func list(_ tree: JSONTree?, _ path: String) throws(Failure) -> [JSONTree] {
        switch tree {
        case nil, .null?: return []
        case .array(let elements)?: return elements
        default: throw .field(path)
        }
    }

    private static func rules(
        _ tree: JSONTree?, _ path: String, _ side: String
    ) throws(Failure) -> [Rule] {
        var found: [Rule] = []
        for (index, rule) in try list(tree, path).enumerated() {
            let place = "\(path)[\(index)]"
            guard let members = rule.members,
                members.allSatisfy({ [side, "ports"].contains($0.name) })
            else { throw .field(place) }
            var peers: [Peer] = []
            for peer in try list(rule[side], "\(place).\(side)") {
                peers.append(try self.peer(peer, "\(place).\(side)"))
            }
            var ports: [Port] = []
            for port in try list(rule["ports"], "\(place).ports") {
                ports.append(try self.port(port, "\(place).ports"))
            }
            found.append(Rule(peers: peers, ports: ports))
        }
        return found
    }

    private static func peer(_ tree: JSONTree, _ path: String) throws(Failure) -> Peer {
        let known = ["ipBlock", "namespaceSelector", "podSelector"]
        guard let members = tree.members, !members.isEmpty,
            members.allSatisfy({ known.contains($0.name) })
        else { throw .field(path) }
        if let block = tree["ipBlock"] {
            guard members.count == 1, let text = block["cidr"]?.text else {
                throw .field("\(path).ipBlock")
            }
            let prefix = try self.prefix(text, "\(path).ipBlock.cidr")
            var except: [NetworkPrefix] = []
            for entry in try list(block["except"], "\(path).ipBlock.except") {
                except.append(try self.prefix(entry.text ?? "", "\(path).ipBlock.except"))
            }
            return .block(prefix, except: except)
        }
        var namespaces: LabelSelector?
        if let tree = tree["namespaceSelector"] {
            namespaces = try selector(tree, "\(path).namespaceSelector")
        }
        let pods = try selector(tree["podSelector"] ?? [:], "\(path).podSelector")
        return .pods(namespaces: namespaces, pods: pods)
    }

    /// The API takes bits behind the prefix, and so do those who enforce: they do not count.
    private static func prefix(_ text: String, _ path: String) throws(Failure) -> NetworkPrefix {
        guard text.contains("/") else { throw .field(path) }
        do throws(NetworkPrefix.Failure) { return try NetworkPrefix(text) } catch {
            if case .trailingBits(let fix) = error, let prefix = try? NetworkPrefix(fix) {
                return prefix
            }
            throw .field(path)
        }
    }

    private static func port(_ tree: JSONTree, _ path: String) throws(Failure) -> Port {
        let word = tree["protocol"]?.text ?? "TCP"
        guard tree.members != nil, let transport = TransportProtocol(rawValue: word) else {
            throw .field(path)
        }
        switch tree["port"] {
        case nil, .null?:
            guard tree["endPort"] == nil else { throw .field("\(path).endPort") }
            return Port(transport: transport, number: nil)
        case .string(let name)?:
            guard tree["endPort"] == nil, !name.isEmpty else { throw .field("\(path).endPort") }
            return Port(transport: transport, number: .name(name))
        case .number?:
            guard let first = tree["port"]?.wholeNumber, (1...65_535).contains(first) else {
                throw .field("\(path).port")
            }
            guard let end = tree["endPort"] else {
                return Port(transport: transport, number: .range(first...first))
            }
            guard let last = end.wholeNumber, (first...65_535).contains(last) else {
                throw .field("\(path).endPort")
            }
            return Port(transport: transport, number: .range(first...last))
        default: throw .field("\(path).port")
        }
    }
}
