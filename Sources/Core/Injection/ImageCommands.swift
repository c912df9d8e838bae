// SPDX-License-Identifier: Apache-2.0

/// What an image starts when a pod does not say: from its config, one for each platform of an
/// index. Directory, user and PATH stay in force for what the wrapper starts and are not needed.
package struct ImageCommand: Sendable, Equatable {
    /// As a node's `kubernetes.io/os` and `kubernetes.io/arch` have it: `linux`, `arm64`.
    package let system: String
    package let architecture: String
    /// Of the processor: `v7`; empty: none.
    package let variant: String
    package let entrypoint: [String]
    package let command: [String]

    package init(
        system: String = "linux", architecture: String, variant: String = "",
        entrypoint: [String], command: [String]
    ) {
        self.system = system
        self.architecture = architecture
        self.variant = variant
        self.entrypoint = entrypoint
        self.command = command
    }
}

/// What is known of a container's image.
package enum ImageAnswer: Sendable, Equatable {
    /// One for each platform; manifests that are no image (attestations) left out.
    case found([ImageCommand])
    /// Why nothing is known, in words that may be shown.
    case failed(String)
}

/// What has to be asked of registries before a pod can be injected.
package struct ImageQuestion: Sendable, Equatable {
    /// As the containers name them, each once.
    package let images: [String]
    /// Of the pod, in its namespace.
    package let pullSecrets: [String]
    package let serviceAccount: String
    /// Of the nodes that the pod may run on, as in `kubernetes.io/arch`; empty: any.
    package let architectures: [String]

    package init(
        images: [String], pullSecrets: [String], serviceAccount: String, architectures: [String]
    ) {
        self.images = images
        self.pullSecrets = pullSecrets
        self.serviceAccount = serviceAccount
        self.architectures = architectures
    }
}

extension ImageCommand {
    /// `arm64`, `arm/v7`.
    var machine: String { variant.isEmpty ? architecture : architecture + "/" + variant }
}

extension ContainerView {
    /// Whether its command line needs the image's.
    var needsImage: Bool { command.isEmpty }

    /// What goes before `args`, as the image has it: ENTRYPOINT, and CMD when there are no `args`.
    /// `$` is doubled, since the kubelet expands `command` but not an image's words.
    func imageWords(
        _ answer: ImageAnswer?, architectures: [String]
    ) throws(Refusal) -> [String] {
        let commands: [ImageCommand]
        switch answer {
        case nil: throw refusal("has no command, and its image was not looked up")
        case .failed(let reason):
            throw refusal("has no command, and its image cannot be looked up (\(reason))")
        case .found(let found):
            commands = found.filter { command in
                command.system == "linux"
                    && (architectures.isEmpty || architectures.contains(command.architecture))
            }
        }
        guard let first = commands.first else {
            throw refusal(
                "has no command, and its image has no platform among linux/"
                    + architectures.joined(separator: ", linux/"))
        }
        let words = arguments.isEmpty ? first.entrypoint + first.command : first.entrypoint
        for other in commands.dropFirst() {
            let others = arguments.isEmpty ? other.entrypoint + other.command : other.entrypoint
            guard others == words else {
                throw refusal(
                    "has no command, and its image starts differently on \(first.machine)"
                        + " and \(other.machine)")
            }
        }
        guard !(words + arguments).isEmpty else {
            throw refusal("has no command, and neither has its image")
        }
        return words.map(KubeletExpansion.doubled)
    }

    private func refusal(_ reason: String) -> Refusal {
        Refusal(path["command"], reason, fix: "set command")
    }
}
