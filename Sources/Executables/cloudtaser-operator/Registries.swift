// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import Foundation
import ImageFormat
import ImagePorts
import KubernetesPorts
import OCIRegistry
import Operator
import Ports
import ServerProcess
import Synchronization

/// The registries, as the flags have them.
struct Registries: Sendable {
    let commands: ImageCommands
    let credentials: RegistryCredentialFiles

    init(_ flags: RegistryFlags, clock: any AsyncTimeSource) throws(StartFailure) {
        credentials = try RegistryCredentialFiles(flags.registryCredentials)
        var settings = ImageCommandsSettings()
        settings.mirrors = (try? flags.mirrors()) ?? RegistryMirrors()
        settings.hosts = flags.registryHost.isEmpty ? nil : Set(flags.registryHost)
        var access = OCIRegistrySettings()
        access.insecureHosts = settings.mirrors.insecureHosts.union(flags.registryInsecure)
        if let path = flags.registryCa {
            access.authorities = try RegistryCredentialFiles.read(path)
        }
        do throws(OCIRegistry.SettingsInvalid) {
            commands = ImageCommands(
                registry: try OCIRegistry(access), keyring: credentials, hasher: CryptoHasher(),
                settings: settings, clock: clock)
        } catch {
            throw StartFailure(text: "\(flags.registryCa ?? "") \(error.reason)")
        }
    }
}

/// Credentials in files that somebody renews. Their content is never told.
final class RegistryCredentialFiles: RegistryKeyringSource {
    static let bytesMax = 1 << 20
    /// Between two looks.
    static let pause = Duration.seconds(2)

    private let paths: [String]
    private let first: [[UInt8]]
    private let current: Mutex<RegistryKeyring>

    var keyring: RegistryKeyring { current.withLock { $0 } }

    init(_ paths: [String]) throws(StartFailure) {
        self.paths = paths
        first = try Self.read(paths)
        current = Mutex(try Self.parse(first, paths))
    }

    static func read(_ path: String) throws(StartFailure) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartFailure(text: "\(path) cannot be read; name a file")
        }
        guard !data.isEmpty, data.count <= bytesMax else {
            throw StartFailure(text: "\(path) is empty or larger than \(bytesMax) bytes")
        }
        return Array(data)
    }

    private static func read(_ paths: [String]) throws(StartFailure) -> [[UInt8]] {
        var files: [[UInt8]] = []
        for path in paths { files.append(try read(path)) }
        return files
    }

    private static func parse(
        _ files: [[UInt8]], _ paths: [String]
    ) throws(StartFailure) -> RegistryKeyring {
        // Each on its own first, so that the file is named that is wrong.
        for (file, path) in zip(files, paths) {
            do throws(RegistryKeyringFailure) { _ = try RegistryKeyring([file]) } catch {
                throw StartFailure(text: "\(path) \(error.reason)")
            }
        }
        do throws(RegistryKeyringFailure) { return try RegistryKeyring(files) } catch {
            throw StartFailure(text: "the registries' credentials: \(error.reason)")
        }
    }

    /// Takes over changed files until the task is cancelled. What cannot be used is told once, and
    /// what was there goes on.
    func follow(clock: any AsyncTimeSource, log: ProgramLog) async {
        guard !paths.isEmpty else { return }
        var last = first
        var told: String?
        while !Task.isCancelled {
            await clock.sleep(for: Self.pause)
            do throws(StartFailure) {
                let files = try Self.read(paths)
                guard files != last else {
                    told = nil
                    continue
                }
                let keyring = try Self.parse(files, paths)
                current.withLock { $0 = keyring }
                (last, told) = (files, nil)
                log.write(
                    .notice, "registry_credentials_replaced", "new credentials are in use")
            } catch {
                guard told != error.text else { continue }
                told = error.text
                log.write(
                    .error, "registry_credentials_unusable",
                    "\(error.text); the old credentials stay in use")
            }
        }
    }
}
