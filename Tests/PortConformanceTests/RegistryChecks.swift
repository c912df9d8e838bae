// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import ImageFormat
import ImagePorts
import KubernetesFormat
import RegistryServer
import Testing

/// What every `ImageRegistry` does: run against the fake, and against a real registry through the
/// adapter.
struct RegistryCheck: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable (any RegistryBench) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (any RegistryBench) async throws -> Void) {
        testDescription = name
        self.run = run
    }

    static let all = contents + refusals + lookups

    static let contents = [
        RegistryCheck("manifests come as they were stored, by tag and by digest") { bench in
            for form in ImageForm.allCases {
                let name = bench.name()
                var image = StockImage(entrypoint: ["/a"])
                image.form = form
                let entry = try await image.push(to: bench, name, tag: "1")
                let repository = bench.repository(name)
                let digest = try #require(
                    entry["digest"]?.text.flatMap { ImageDigest($0) })
                for selector in [ImageReference.Selector.tag("1"), .digest(digest)] {
                    let found = try await bench.registry.manifest(repository, selector, bench.user)
                    #expect(ImageDigest(of: found.bytes, CryptoHasher()) == digest)
                    #expect(found.contentType == form.manifest)
                    guard
                        case .manifest(let config) = try ImageDocument(
                            found.bytes, contentType: found.contentType)
                    else { throw UnexpectedForm() }
                    let bytes = try await bench.registry.config(
                        repository, config.digest, bench.user)
                    #expect(bytes.count == config.size)
                    #expect(ImageDigest(of: bytes, CryptoHasher()) == config.digest)
                    #expect(try ImageConfig(bytes).entrypoint == ["/a"])
                }
            }
        },
        RegistryCheck("an index comes as an index") { bench in
            for form in ImageForm.allCases {
                let name = bench.name()
                var image = StockImage(entrypoint: ["/a"])
                image.form = form
                try await StockImage.pushIndex([image], to: bench, name, tag: "v1")
                let found = try await bench.registry.manifest(
                    bench.repository(name), .tag("v1"), bench.user)
                #expect(found.contentType == form.index)
                guard case .index(let entries) = try ImageDocument(found.bytes, contentType: nil)
                else { throw UnexpectedForm() }
                #expect(entries.map(\.platform?.architecture) == ["amd64"])
            }
        },
        RegistryCheck("a config may be as large as the limit") { bench in
            let name = bench.name()
            var bytes = [UInt8](repeating: 0x20, count: ImageLimits.configBytesMax)
            try await bench.pushBlob(bytes, to: name)
            let repository = bench.repository(name)
            let found = try await bench.registry.config(
                repository, ImageDigest(of: bytes, CryptoHasher()), bench.user)
            #expect(found == bytes)
            bytes.append(0x20)
            try await bench.pushBlob(bytes, to: name)
            let digest = ImageDigest(of: bytes, CryptoHasher())
            await expectRefusal(.tooLarge(limit: ImageLimits.configBytesMax)) {
                () throws(RegistryFailure) in
                _ = try await bench.registry.config(repository, digest, bench.user)
            }
        },
    ]

    static let refusals = [
        RegistryCheck("what is not there is not found") { bench in
            let name = bench.name()
            try await StockImage(entrypoint: ["/a"]).push(to: bench, name, tag: "1")
            let absent = ImageDigest(of: Array("absent".utf8), CryptoHasher())
            for (name, selector) in [
                (name, ImageReference.Selector.tag("2")), (name, .digest(absent)),
                (bench.name(), .tag("1")),
            ] {
                await expectRefusal(.notFound) { () throws(RegistryFailure) in
                    _ = try await bench.registry.manifest(
                        bench.repository(name), selector, bench.user)
                }
            }
            await expectRefusal(.notFound) { () throws(RegistryFailure) in
                _ = try await bench.registry.config(bench.repository(name), absent, bench.user)
            }
        },
        RegistryCheck("nobody but the user gets in, whether it is there or not") { bench in
            let name = bench.name()
            try await StockImage(entrypoint: ["/a"]).push(to: bench, name, tag: "1")
            let absent = ImageDigest(of: Array("absent".utf8), CryptoHasher())
            for name in [name, bench.name()] {
                let repository = bench.repository(name)
                for credential in [bench.wrong, nil] {
                    await expectRefusal(.unauthorized) { () throws(RegistryFailure) in
                        _ = try await bench.registry.manifest(repository, .tag("1"), credential)
                    }
                    await expectRefusal(.unauthorized) { () throws(RegistryFailure) in
                        _ = try await bench.registry.config(repository, absent, credential)
                    }
                }
            }
            // Who was let in before is no reason to let in somebody else.
            _ = try await bench.registry.manifest(
                bench.repository(name), .tag("1"), bench.user)
            await expectRefusal(.unauthorized) { () throws(RegistryFailure) in
                _ = try await bench.registry.manifest(bench.repository(name), .tag("1"), nil)
            }
        },
        RegistryCheck("nobody answers where there is no server") { bench in
            let repository = RegistryRepository(host: "127.0.0.1:1", name: "a")
            await expectRefusal(.unavailable(detail: "cannot connect")) {
                () throws(RegistryFailure) in
                _ = try await bench.registry.manifest(repository, .tag("1"), bench.user)
            }
        },
        RegistryCheck("a cancelled call ends") { bench in
            let name = bench.name()
            try await StockImage(entrypoint: ["/a"]).push(to: bench, name, tag: "1")
            let call = Task {
                while !Task.isCancelled { await Task.yield() }
                await expectRefusal(.cancelled) { () throws(RegistryFailure) in
                    _ = try await bench.registry.manifest(
                        bench.repository(name), .tag("1"), bench.user)
                }
            }
            call.cancel()
            await call.value
        },
    ]
}

struct UnexpectedForm: Error {}

/// Expects one of the port's failures.
func expectRefusal(
    _ wanted: RegistryFailure, sourceLocation: SourceLocation = #_sourceLocation,
    _ call: () async throws(RegistryFailure) -> Void
) async {
    do throws(RegistryFailure) {
        try await call()
        Issue.record("expected \(wanted), but it succeeded", sourceLocation: sourceLocation)
    } catch {
        #expect(error == wanted, sourceLocation: sourceLocation)
    }
}
