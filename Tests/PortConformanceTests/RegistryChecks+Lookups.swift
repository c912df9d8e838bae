// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import CryptoHasher
import ImageFormat
import ImagePorts
import Injection
import KubernetesFormat
import MetricsFormat
import Operator
import RegistryServer
import Testing

/// What is known of images when the operator asks: the traps of registries.
extension RegistryCheck {
    static let lookups = [
        RegistryCheck("an image says what it starts") { bench in
            for form in ImageForm.allCases {
                let name = bench.name()
                var image = StockImage(entrypoint: ["/entry", "$HOME"], command: ["serve"])
                image.form = form
                try await image.push(to: bench, name, tag: "1")
                let found = await bench.answer(name + ":1", [bench.user])
                #expect(
                    found
                        == .found([
                            ImageCommand(
                                architecture: "amd64", entrypoint: ["/entry", "$HOME"],
                                command: ["serve"])
                        ]))
            }
        },
        RegistryCheck("of two credentials for one host, the good one is found") { bench in
            let name = bench.name()
            try await StockImage(entrypoint: ["/a"]).push(to: bench, name, tag: "1")
            for credentials in [[bench.wrong, bench.user], [bench.user, bench.wrong]] {
                #expect(await bench.answer(name + ":1", credentials).isFound(["/a"]))
            }
            #expect(
                await bench.answer(name + ":1", [bench.wrong])
                    == .failed("\(bench.host): it lets nobody in with the operator's credentials"))
            #expect(
                await bench.answer(name + ":2", [bench.wrong, bench.user])
                    == .failed("\(bench.host): it has no such image"))
        },
        RegistryCheck("an attestation that comes first is no image") { bench in
            for form in ImageForm.allCases {
                let name = bench.name()
                var amd = StockImage(entrypoint: ["/a"])
                amd.form = form
                var arm = amd
                (arm.architecture, arm.variant) = ("arm64", "v8")
                var attestation = StockImage.attestation
                attestation.form = form
                let digest = try await StockImage.pushIndex(
                    [attestation, amd, arm, attestation], to: bench, name, tag: "1")
                for image in ["\(name):1", "\(name)@\(digest)"] {
                    let found = await bench.answer(image, [bench.user])
                    #expect(found.machines == ["amd64", "arm64"])
                    #expect(found.isFound(["/a"]))
                }
            }
        },
        RegistryCheck("platforms that start differently are all told") { bench in
            let name = bench.name()
            let amd = StockImage(entrypoint: ["/amd"])
            var arm = StockImage(entrypoint: ["/arm"])
            arm.architecture = "arm64"
            var windows = StockImage(entrypoint: ["c:\\a"])
            windows.architecture = "s390x"
            try await StockImage.pushIndex([amd, arm, windows], to: bench, name, tag: "1")
            let all = await bench.answer(name + ":1", [bench.user])
            #expect(all.machines == ["amd64", "arm64", "s390x"] && !all.isFound(["/amd"]))
            let one = await bench.answer(name + ":1", [bench.user], ["arm64"])
            #expect(one.isFound(["/arm"]))
            #expect(await bench.answer(name + ":1", [bench.user], ["riscv64"]) == .found([]))
        },
        RegistryCheck("a mirror is asked first, with its own credentials") { bench in
            // The image is called by the name of a registry that is not there.
            let name = bench.name()
            try await StockImage(entrypoint: ["/a"]).push(to: bench, "mirrored/" + name, tag: "1")
            let rules = [
                "registry.invalid=https://127.0.0.1:1",
                "registry.invalid=https://\(bench.host)/mirrored",
            ]
            let image = "registry.invalid/\(name):1"
            #expect(await bench.answer(named: image, [bench.user], mirrors: rules).isFound(["/a"]))
            let without = await bench.answer(named: image, [bench.user])
            guard case .failed(let reason) = without else { throw UnexpectedForm() }
            #expect(reason.hasPrefix("registry.invalid: it is not available"))
            // A credential of the registry is not for its mirror.
            let keyring = try RegistryKeyring([file([("registry.invalid", bench.user)])])
            guard
                case .failed(let reason) = await bench.answer(
                    named: image, keyring, mirrors: rules)
            else { throw UnexpectedForm() }
            #expect(
                reason.contains(
                    "\(bench.host): it lets nobody in with the operator's credentials"))
        },
        RegistryCheck("what was read is not asked for again") { bench in
            let name = bench.name()
            try await StockImage.pushIndex(
                [.attestation, StockImage(entrypoint: ["/a"])], to: bench, name, tag: "1")
            let source = try bench.commands([bench.user])
            for _ in 0..<3 {
                #expect(await bench.ask(source, bench.host + "/\(name):1").isFound(["/a"]))
            }
            var page = MetricsPage()
            source.append(to: &page)
            let text = page.text
            // The index, the manifest and the config.
            #expect(text.contains(#"cloudtaser_operator_registry_calls_total{outcome="ok"} 3"#))
            #expect(text.contains(#"cloudtaser_operator_image_lookups_total{result="hit"} 2"#))
            #expect(text.contains(#"cloudtaser_operator_image_lookups_total{result="found"} 1"#))
            #expect(!text.contains(name) && !text.contains(bench.host))
        },
    ]
}

/// The same credentials as a file of `kubernetes.io/dockerconfigjson` has them.
private func file(_ entries: [(String, RegistryCredential)]) -> [UInt8] {
    let members = entries.map { host, credential in
        JSONTree.Member(host, ["auth": .string(credential.basic)])
    }
    return JSONTree.object([.init("auths", .object(members))]).rendered()
}

struct FixedKeyring: RegistryKeyringSource { let keyring: RegistryKeyring }

extension RegistryBench {
    func commands(
        _ keyring: RegistryKeyring, mirrors: [String] = []
    ) throws -> ImageCommands {
        var settings = ImageCommandsSettings()
        settings.mirrors = try RegistryMirrors(mirrors)
        return ImageCommands(
            registry: registry, keyring: FixedKeyring(keyring: keyring), hasher: CryptoHasher(),
            settings: settings, clock: PatientClock())
    }

    /// - Parameter credentials: for this registry, each in a file of its own.
    func commands(
        _ credentials: [RegistryCredential], mirrors: [String] = []
    ) throws -> ImageCommands {
        try commands(RegistryKeyring(credentials.map { file([(host, $0)]) }), mirrors: mirrors)
    }

    func ask(
        _ source: ImageCommands, _ image: String, _ architectures: [String] = []
    ) async -> ImageAnswer {
        let question = ImageQuestion(
            images: [image], pullSecrets: [], serviceAccount: "default",
            architectures: architectures)
        return await source.answers(to: question, namespace: "shop")[image] ?? .failed("no answer")
    }

    func answer(
        _ image: String, _ credentials: [RegistryCredential], _ architectures: [String] = []
    ) async -> ImageAnswer {
        guard let source = try? commands(credentials) else { return .failed("no keyring") }
        return await ask(source, host + "/" + image, architectures)
    }

    func answer(
        named image: String, _ credentials: [RegistryCredential], mirrors: [String] = []
    ) async -> ImageAnswer {
        guard let source = try? commands(credentials, mirrors: mirrors) else {
            return .failed("no keyring")
        }
        return await ask(source, image)
    }

    func answer(
        named image: String, _ keyring: RegistryKeyring, mirrors: [String]
    ) async -> ImageAnswer {
        guard let source = try? commands(keyring, mirrors: mirrors) else {
            return .failed("no mirrors")
        }
        return await ask(source, image)
    }
}

extension ImageAnswer {
    /// Whether all platforms start this.
    func isFound(_ entrypoint: [String]) -> Bool {
        guard case .found(let commands) = self, !commands.isEmpty else { return false }
        return commands.allSatisfy { $0.entrypoint == entrypoint }
    }

    var machines: [String] {
        guard case .found(let commands) = self else { return [] }
        return commands.map(\.architecture)
    }
}
