// SPDX-License-Identifier: Apache-2.0

/// What the kubelet and a container runtime make of a container, after the Kubernetes API
/// reference ("Define a Command and Arguments", "Dependent environment variables").
enum RuntimeModel {
    struct Image {
        var entrypoint: [String] = []
        var command: [String] = []
    }

    /// `$(NAME)` is replaced where NAME is known and stays otherwise; `$$` is `$`.
    static func expand(_ text: String, _ variables: [String: String]) -> String {
        let bytes = Array(text.utf8)
        let (mark, open, close) = (UInt8(ascii: "$"), UInt8(ascii: "("), UInt8(ascii: ")"))
        let lastEnd = bytes.lastIndex(of: close) ?? -1
        var expanded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let next = index + 1 < bytes.count ? bytes[index + 1] : nil
            if bytes[index] == mark, next == mark {
                expanded.append(mark)
                index += 2
            } else if bytes[index] == mark, next == open, index + 2 <= lastEnd,
                let end = bytes[(index + 2)...].firstIndex(of: close)
            {
                let name = String(decoding: bytes[(index + 2)..<end], as: UTF8.self)
                expanded += Array((variables[name] ?? "$(\(name))").utf8)
                index = end + 1
            } else {
                expanded.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: expanded, as: UTF8.self)
    }

    /// The environment, without what only the image sets. Entries see those before them.
    static func environment(
        of container: Tree, sources: [String: String] = [:]
    ) -> [String: String] {
        var variables = container["envFrom"] == nil ? [:] : sources
        for entry in container["env"]?.elements ?? [] {
            guard let name = entry["name"]?.text else { continue }
            variables[name] =
                entry["valueFrom"] == nil
                ? expand(entry["value"]?.text ?? "", variables) : "from \(name)"
        }
        return variables
    }

    static func arguments(
        of container: Tree, image: Image, sources: [String: String] = [:]
    ) -> [String] {
        let variables = environment(of: container, sources: sources)
        let command = (container["command"]?.texts ?? []).map { expand($0, variables) }
        let arguments = (container["args"]?.texts ?? []).map { expand($0, variables) }
        if !command.isEmpty { return command + arguments }
        return image.entrypoint + (arguments.isEmpty ? image.command : arguments)
    }
}
