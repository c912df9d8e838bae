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
        let characters = Array(text)
        var expanded = ""
        var index = 0
        while index < characters.count {
            let next = index + 1 < characters.count ? characters[index + 1] : nil
            if characters[index] == "$", next == "$" {
                expanded.append("$")
                index += 2
            } else if characters[index] == "$", next == "(",
                let end = characters[(index + 2)...].firstIndex(of: ")")
            {
                let name = String(characters[(index + 2)..<end])
                expanded += variables[name] ?? "$(\(name))"
                index = end + 1
            } else {
                expanded.append(characters[index])
                index += 1
            }
        }
        return expanded
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
