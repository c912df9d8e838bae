// SPDX-License-Identifier: Apache-2.0

/// Names and places of what is injected.
package enum InjectedNames {
    /// Nothing of the pod's own may be mounted here or below.
    package static let folder = "/cloudtaser"
    package static let wrapperFolder = "/cloudtaser/bin"
    package static let wrapper = "/cloudtaser/bin/cloudtaser-wrapper"
    package static let tokenFolder = "/cloudtaser/token"
    package static let tokenFile = "/cloudtaser/token/token"
    package static let trustAnchorsFile = "/cloudtaser/token/ca.crt"
    package static let agentFolder = "/cloudtaser/agent"
    package static let agentSocket = "/cloudtaser/agent/agent.sock"
    /// In the wrapper's image.
    package static let wrapperInImage = "/cloudtaser-wrapper"

    /// Names in the pod; when one is taken, the next of `-2`, `-3` … is used.
    package static let installContainer = "cloudtaser-install"
    package static let wrapperVolume = "cloudtaser-wrapper"
    package static let tokenVolume = "cloudtaser-token"
    package static let agentVolume = "cloudtaser-agent"

    package static let runCommand = [wrapper, "run", "--"]
    package static let attachCommand = [wrapper, "attach", "--"]

    /// Whether a container with this command starts its program by the wrapper.
    package static func startsByWrapper(_ command: [String]) -> Bool {
        command.starts(with: runCommand)
    }

    /// Whether an init container with this command copies the wrapper, and has no values.
    package static func copiesWrapper(_ command: [String]) -> Bool {
        command.first == wrapperInImage
    }
}

/// What a pod may be at most.
package enum InjectionLimits {
    /// As the API server limits a request.
    package static let podBytesMax = 3 * 1024 * 1024
    /// Init, ordinary and ephemeral containers together.
    package static let containerCountMax = 256
    /// Entries in `env` of one container, before injection.
    package static let environmentCountMax = 1024
    package static let volumeCountMax = 512
    /// Of one container; each volume may be there several times.
    package static let mountCountMax = 1024
    /// Capabilities that one container adds; Linux has 41.
    package static let capabilityCountMax = 256
    /// Entries of `hostAliases`, and names of one of them.
    package static let hostNameCountMax = 1024
    package static let pullSecretCountMax = 256
    /// Members of one object of the pod: annotations, labels, fields.
    package static let memberCountMax = 16_384
    /// Words of `command` and `args` of one container together, and of one probe or hook.
    package static let commandWordCountMax = 4096
    /// Names that are tried when one is taken.
    package static let nameCountMax = 100
    /// Refusals that are told at once.
    package static let refusalCountMax = 16
    /// Warnings that are made; an answer tells fewer.
    package static let warningCountMax = 64
    /// Of the volume that holds the wrapper (12 MB); a copy is written beside it first.
    package static let wrapperVolumeSize = "32Mi"
    /// Requests and limits of the install container: equal ones leave the pod's QoS class.
    package static let installProcessor = "50m"
    package static let installMemory = "32Mi"
}
