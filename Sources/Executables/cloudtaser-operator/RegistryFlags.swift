// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ImageFormat

/// Which registries are asked what an image starts, and how.
struct RegistryFlags: ParsableArguments {
    @Option(
        help: """
            File of kubernetes.io/dockerconfigjson with credentials for registries; may be given \
            more than once; read again when it changes.
            """)
    var registryCredentials: [String] = []
    @Option(
        help: """
            HOST=https://MIRROR or HOST=https://MIRROR/FOLDER: asked before HOST; may be given \
            more than once.
            """)
    var registryMirror: [String] = []
    @Option(help: "PEM file of the authorities of registries, instead of the system's.")
    var registryCa: String?
    @Option(help: "HOST that may be asked; may be given more than once; default: any.")
    var registryHost: [String] = []
    @Option(help: "HOST or HOST:PORT without TLS; may be given more than once.")
    var registryInsecure: [String] = []

    func validate() throws {
        _ = try mirrors()
        for (name, hosts) in [
            ("--registry-host", registryHost), ("--registry-insecure", registryInsecure),
        ] {
            guard hosts.allSatisfy({ ImageReference.isHost($0) }) else {
                throw ValidationError("\(name) is no host; write HOST or HOST:PORT")
            }
        }
    }

    func mirrors() throws -> RegistryMirrors {
        do throws(RegistryMirrors.Failure) { return try RegistryMirrors(registryMirror) } catch {
            throw ValidationError("--registry-mirror: \(error.reason)")
        }
    }
}
