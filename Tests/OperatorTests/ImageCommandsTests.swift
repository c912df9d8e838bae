// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import ImageFormat
import ImagePorts
import Injection
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import SimulatedCluster
import SimulationEngine
import Testing

private let image = RegistryWorld.host + "/app:1"

@Suite struct `Looking images up` {
    @Test func `those who ask at once share the calls, and what is known is not asked for`() throws
    {
        try withRegistries { world in
            world.push("/a", to: world.at("app"), tag: "1")
            let answers = await withTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { await world.ask(image) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers == [String](repeating: "amd64=/a", count: 20))
            #expect(world.calls.all.count == 2)
            #expect(await world.ask(image) == "amd64=/a")
            #expect(world.calls.all.count == 2)
            #expect(world.metrics.contains(#"image_lookups_total{result="hit"} 1"#))
            #expect(world.metrics.contains(#"image_lookups_total{result="found"} 20"#))
            #expect(world.metrics.contains("image_cache_entries 3"))
        }
    }

    @Test func `a tag is looked at again in a minute, content in a day`() throws {
        try withRegistries { world in
            world.push("/a", to: world.at("app"), tag: "1")
            #expect(await world.ask(image) == "amd64=/a")
            await world.sleep(59)
            world.push("/b", to: world.at("app"), tag: "1")
            #expect(await world.ask(image) == "amd64=/a")
            await world.sleep(1)
            #expect(await world.ask(image) == "amd64=/b")
            #expect(world.calls.all.count == 4)
            world.push("/a", to: world.at("app"), tag: "1")
            await world.sleep(60)
            // What the tag means now is known; only the tag was asked for.
            #expect(await world.ask(image) == "amd64=/a")
            #expect(world.calls.all.count == 5)
            await world.sleep(86_400)
            #expect(await world.ask(image) == "amd64=/a")
            #expect(world.calls.all.count == 7)
        }
    }

    @Test func `when the first gives up another goes on`() throws {
        try withRegistries { world in
            world.push("/a", to: world.at("app"), tag: "1")
            world.calls.slow[RegistryWorld.host] = .seconds(1)
            let (first, second) = await withTaskGroup(of: (Int, String).self) { group in
                group.addTask {
                    // A review whose time is over.
                    await withTaskGroup(of: String.self) { inner in
                        inner.addTask { await world.ask(image) }
                        inner.addTask {
                            await world.clock.sleep(for: .milliseconds(500))
                            return "late"
                        }
                        let first = await inner.next() ?? ""
                        inner.cancelAll()
                        return (1, first)
                    }
                }
                group.addTask {
                    await world.clock.sleep(for: .milliseconds(100))
                    return (2, await world.ask(image))
                }
                var answers = ["", "", ""]
                for await (number, answer) in group { answers[number] = answer }
                return (answers[1], answers[2])
            }
            #expect(first == "late" && second == "amd64=/a")
            #expect(world.calls.inFlight == 0)
        }
    }

    @Test func `who hangs is given up in time, and asked again by the next`() throws {
        try withRegistries { world in
            world.push("/a", to: world.at("app"), tag: "1")
            world.calls.slow[RegistryWorld.host] = .seconds(100)
            let start = world.clock.monotonic()
            #expect(await world.ask(image) == "registry.test does not answer in time")
            let time = start.duration(to: world.clock.monotonic())
            #expect(time == ImageCommands.questionTime && time < AdmissionHandler.askTimeMax)
            world.calls.slow = [:]
            #expect(await world.ask(image) == "amd64=/a")
            #expect(world.metrics.contains(#"image_lookups_total{result="late"} 1"#))
        }
    }

    @Test func `what was read before the time was over need not be read again`() throws {
        try withRegistries { world in
            let entries = (0..<3).map {
                world.push(
                    "/a", to: world.at("app"),
                    platform: ["os": "linux", "architecture": .string("a\($0)")])
            }
            world.pushIndex(entries, to: world.at("app"), tag: "1")
            world.calls.slow[RegistryWorld.host] = .seconds(3)
            var answers: [String] = []
            for _ in 0..<3 { answers.append(await world.ask(image)) }
            #expect(
                answers == [
                    "registry.test does not answer in time",
                    "registry.test does not answer in time", "a0=/a,a1=/a,a2=/a",
                ])
        }
    }

    @Test func `failures are told for some seconds, longer where the registry says so`() throws {
        try withRegistries { world in
            let absent = "registry.test: it has no such image"
            #expect(await world.ask(image) == absent)
            world.push("/a", to: world.at("app"), tag: "1")
            await world.sleep(4)
            #expect(await world.ask(image) == absent)
            #expect(world.calls.all.count == 1)
            await world.sleep(1)
            #expect(await world.ask(image) == "amd64=/a")
            for (seconds, wait) in [(nil, 5), (1, 5), (30, 30), (86_400, 60), (-1, 5)] {
                let name = "registry.test/app:after\(seconds ?? 0)-\(wait)"
                world.calls.fault = { _ in .fails(.rateLimited(retryAfterSeconds: seconds)) }
                let count = world.calls.all.count
                let often = "registry.test: it has been asked too often"
                #expect(await world.ask(name) == often)
                await world.sleep(wait - 1)
                #expect(await world.ask(name) == often)
                #expect(world.calls.all.count == count + 1)
                await world.sleep(1)
                #expect(await world.ask(name) == often)
                #expect(world.calls.all.count == count + 2)
            }
        }
    }

    @Test func `a mirror that hangs has its share of the time only`() throws {
        try withRegistries {
            $0.mirrors = try RegistryMirrors(["registry.test=https://mirror.test"])
        } _: { world in
            world.push("/a", to: world.at("app"), tag: "1")
            world.registry.addServer("mirror.test", users: nil)
            world.calls.slow["mirror.test"] = .seconds(100)
            let start = world.clock.monotonic()
            #expect(await world.ask(image) == "amd64=/a")
            #expect(start.duration(to: world.clock.monotonic()) == .milliseconds(1750 + 200))
        }
    }

    @Test func `a mirror with other content is passed by`() throws {
        try withRegistries {
            $0.mirrors = try RegistryMirrors(["registry.test=https://mirror.test/m"])
        } _: { world in
            let entry = world.push("/a", to: world.at("app"), tag: "1")
            let digest = try #require(entry["digest"]?.text)
            world.push("/evil", to: world.at("m/app", "mirror.test"), tag: "1")
            // The control: a tag means what the first server says.
            #expect(await world.ask(image) == "amd64=/evil")
            let evil = world.registry
            let other = try await evil.manifest(world.at("m/app", "mirror.test"), .tag("1"), nil)
            world.calls.fault = { $0.repository.host == "mirror.test" ? .sends(other.bytes) : nil }
            #expect(await world.ask("registry.test/app@\(digest)") == "amd64=/a")
        }
    }
}

@Suite struct `Traps of registries` {
    @Test func `content that is not what its digest says is refused`() throws {
        try withRegistries { world in
            let entry = world.push("/a", to: world.at("app"), tag: "1")
            let digest = try #require(entry["digest"]?.text)
            let wrong = "registry.test: it sends something else than was asked for"
            let evil = Array(
                #"{"os":"linux","architecture":"amd64","config":{"Cmd":["/evil"]}}"#.utf8)
            world.calls.fault = { $0.path.hasPrefix("manifests/sha256") ? .sends(evil) : nil }
            #expect(await world.ask("registry.test/app@\(digest)") == wrong)
            world.calls.fault = { $0.path.hasPrefix("blobs") ? .sends(evil) : nil }
            #expect(await world.ask(image) == wrong)
            // The control: with the right content it is found.
            world.calls.fault = { _ in nil }
            await world.sleep(5)
            #expect(await world.ask(image) == "amd64=/a")
        }
    }

    @Test func `platforms are read that count, and no more than the limit`() throws {
        try withRegistries { world in
            func entry(_ name: String, _ system: String = "linux") -> JSONTree {
                world.push(
                    "/" + name, to: world.at("app"),
                    platform: ["os": .string(system), "architecture": .string(name)])
            }
            var entries = (1...ImageCommands.platformsMax).map { entry("a\($0)") }
            entries += [entry("w", "windows"), entry("unknown", "unknown")]
            world.pushIndex(entries, to: world.at("app"), tag: "1")
            #expect(
                await world.ask(image).split(separator: ",").count == ImageCommands.platformsMax)
            // Windows, the attestation and their configs were left alone.
            #expect(world.calls.all.count == 1 + 2 * ImageCommands.platformsMax)
            world.pushIndex(entries + [entry("b")], to: world.at("app"), tag: "2")
            let many = RegistryWorld.host + "/app:2"
            #expect(
                await world.ask(many)
                    == "registry.test: its answer is none of a registry: its index has more than "
                    + "16 images that count; name the nodes' architectures in the policy")
            #expect(await world.ask(many, ["a2", "b", "a1"]) == "a1=/a1,a2=/a2,b=/b")
            #expect(await world.ask(many, ["c"]) == "")
        }
    }

    @Test func `what is no image is told`() throws {
        try withRegistries { world in
            let prefix = "registry.test: its answer is none of a registry: "
            let inner = world.pushIndex([], to: world.at("app"), tag: "inner")
            let size = Array(#"{"schemaVersion":2,"manifests":[]}"#.utf8).count
            world.pushIndex(
                [RegistryWorld.descriptor(inner, size, RegistryWorld.indexType)],
                to: world.at("app"), tag: "1")
            #expect(await world.ask(image) == prefix + "its index names another index")
            world.push("/a", to: world.at("app"), tag: "2", platform: ["os": "linux"])
            #expect(
                await world.ask("registry.test/app:2") == prefix + "its config names no platform")
            let bytes = Array("<html>".utf8)
            world.registry.pushManifest(bytes, type: nil, tag: "3", to: world.at("app"))
            #expect(
                await world.ask("registry.test/app:3").hasPrefix(prefix + "its manifest is no JSON")
            )
            let large = RegistryWorld.descriptor(
                inner, ImageLimits.configBytesMax + 1, RegistryWorld.configType)
            let manifest: JSONTree = ["schemaVersion": 2, "config": large]
            world.registry.pushManifest(
                manifest.rendered(), type: RegistryWorld.manifestType, tag: "4",
                to: world.at("app"))
            #expect(
                await world.ask("registry.test/app:4")
                    == "registry.test: its answer is larger than 4194304 bytes")
            #expect(
                await world.ask("registry.test/App")
                    == "its name cannot be looked up: its name is not made of lower-case parts "
                    + "between slashes")
            #expect(
                await world.ask("nobody.test/app")
                    == "nobody.test: it is not available: cannot connect")
        }
    }

    @Test func `hosts that are not named are not asked`() throws {
        try withRegistries {
            $0.hosts = ["registry.test"]
        } _: { world in
            world.push("/a", to: world.at("app"), tag: "1")
            world.push("/a", to: world.at("app", "other.test"), tag: "1")
            #expect(await world.ask(image) == "amd64=/a")
            let count = world.calls.all.count
            #expect(
                await world.ask("other.test/app:1") == "the operator may not ask other.test")
            #expect(await world.ask("app") == "the operator may not ask docker.io")
            #expect(world.calls.all.count == count)
        }
    }

    @Test func `who knows a digest is not told what another repository has`() throws {
        try withRegistries { world in
            let entry = world.push("/a", to: world.at("app"), tag: "1")
            let digest = try #require(entry["digest"]?.text)
            #expect(await world.ask(image) == "amd64=/a")
            #expect(await world.ask("registry.test/app@\(digest)") == "amd64=/a")
            #expect(world.calls.all.count == 2)
            world.push("/b", to: world.at("mine"), tag: "1")
            #expect(
                await world.ask("registry.test/mine@\(digest)")
                    == "registry.test: it has no such image")
            world.registry.addServer("evil.test", users: nil)
            #expect(
                await world.ask("evil.test/app@\(digest)") == "evil.test: it has no such image")
        }
    }

    private func keyring(_ users: [RegistryCredential], _ host: String) throws -> RegistryKeyring {
        try RegistryKeyring(
            users.map { user in
                let auths = JSONTree.object([.init(host, ["auth": .string(user.basic)])])
                return JSONTree.object([.init("auths", auths)]).rendered()
            })
    }

    @Test func `credentials are tried, the good one first from then on, up to the limit`() throws {
        try withRegistries { world in
            let users = (0...ImageCommands.credentialsMax).map {
                RegistryCredential(user: "u\($0)", password: "p")
            }
            let last = users[ImageCommands.credentialsMax - 1]
            world.registry.addServer(RegistryWorld.host, users: [last])
            world.push("/a", to: world.at("app"), tag: "1")
            world.keyring.set(try keyring(users, RegistryWorld.host))
            #expect(await world.ask(image) == "amd64=/a")
            #expect(world.calls.credentials.count == ImageCommands.credentialsMax + 1)
            #expect(world.calls.credentials.last == last)
            world.registry.addServer("second.test", users: [users[ImageCommands.credentialsMax]])
            world.push("/a", to: world.at("app", "second.test"), tag: "1")
            world.keyring.set(try keyring(users, "second.test"))
            #expect(
                await world.ask("second.test/app:1")
                    == "second.test: it lets nobody in with the operator's credentials")
        }
    }

    @Test func `new credentials count from the next question on`() throws {
        try withRegistries { world in
            let user = RegistryCredential(user: "u", password: "p")
            world.registry.addServer(RegistryWorld.host, users: [user])
            world.push("/a", to: world.at("app"), tag: "1")
            #expect(await world.ask(image).contains("lets nobody in"))
            world.keyring.set(try keyring([user], RegistryWorld.host))
            await world.sleep(5)
            #expect(await world.ask(image) == "amd64=/a")
        }
    }

    @Test func `who is counted by user is asked as another`() throws {
        try withRegistries { world in
            let users = ["a", "b"].map { RegistryCredential(user: $0, password: "p") }
            world.registry.addServer(RegistryWorld.host, users: Set(users))
            world.push("/a", to: world.at("app"), tag: "1")
            world.keyring.set(try keyring(users, RegistryWorld.host))
            world.calls.fault = {
                $0.credential?.user == "a" ? .fails(.rateLimited(retryAfterSeconds: 1)) : nil
            }
            #expect(await world.ask(image) == "amd64=/a")
            // Where nothing depends on who asks, nobody else is tried.
            world.calls.fault = { _ in .fails(.unavailable(detail: "status 503")) }
            let count = world.calls.all.count
            #expect(
                await world.ask("registry.test/app:2")
                    == "registry.test: it is not available: status 503")
            #expect(world.calls.all.count == count + 1)
        }
    }

    @Test func `many images are looked up some at a time`() throws {
        try withRegistries { world in
            world.calls.latency = .milliseconds(10)
            let images = (0..<100).map { "registry.test/app:\($0)" }
            for number in 0..<100 {
                world.push("/\(number)", to: world.at("app"), tag: "\(number)")
            }
            let answers = await world.ask(images)
            #expect(answers.count == 100)
            #expect(
                answers["registry.test/app:42"]
                    == .found([
                        ImageCommand(architecture: "amd64", entrypoint: ["/42"], command: [])
                    ]))
            #expect(world.calls.inFlightMax == 8)
        }
    }
}
