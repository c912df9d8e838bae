// SPDX-License-Identifier: Apache-2.0
import Ports
import SocketAddresses
import Testing
import VaultListener
import WrapperConfiguration

@testable import VaultSecretStore

/// Hosts file, resolv.conf and name server of one test.
struct ResolverRig {
    let vault: LoopbackVault
    let server: NameServer

    init(_ entries: [String: NameServer.Entry] = [:]) throws {
        vault = try LoopbackVault(vault: stockedVault())
        server = try NameServer(entries)
    }

    func resolver(hosts: String = "", configuration: String = "") throws -> NameResolver {
        var sources = NameResolver.Sources()
        sources.hostsFile = try vault.file("hosts", hosts)
        sources.configurationFile = try vault.file(
            "resolv.conf", "nameserver 127.0.0.1\noptions timeout:30\n" + configuration)
        sources.port = server.port
        return NameResolver(sources: sources)
    }

    /// Addresses as bytes; throws what the resolver throws.
    func resolve(
        _ host: String, hosts: String = "", configuration: String = ""
    ) throws -> [[UInt8]] {
        try resolver(hosts: hosts, configuration: configuration)
            .addresses(of: host, port: 8200, deadline: Deadline(secondsFromNow: 60))
            .map { address in
                #expect(address.port == 8200)
                return address.bytes
            }
    }
}

let loopback4: [UInt8] = [127, 0, 0, 1]
let loopback6: [UInt8] = [UInt8](repeating: 0, count: 15) + [1]

@Suite("Name resolution") struct ResolverTests {
    @Test func `numeric addresses need no file and no server`() throws {
        var sources = NameResolver.Sources()
        sources.hostsFile = "/nonexistent/hosts"
        sources.configurationFile = "/nonexistent/resolv.conf"
        let resolver = NameResolver(sources: sources)
        let deadline = Deadline(secondsFromNow: 5)
        #expect(
            try resolver.addresses(of: "127.0.0.1", port: 1, deadline: deadline)[0].bytes
                == loopback4)
        #expect(
            try resolver.addresses(of: "::1", port: 1, deadline: deadline)[0].bytes == loopback6)
    }

    @Test func `the hosts file comes first, comments and letter case aside`() throws {
        let rig = try ResolverRig(["vault": .init(addresses: [[10, 0, 0, 1]])])
        let hosts = """
            # 10.9.9.9 vault
            127.0.0.1\tother Vault vault.test # vault.example
            ::1 vault.test
            nonsense vault.test
            """
        #expect(try rig.resolve("vault", hosts: hosts) == [loopback4])
        #expect(try rig.resolve("VAULT.test.", hosts: hosts) == [loopback4, loopback6])
        #expect(rig.server.questions.isEmpty)
        rig.server.stop()
    }

    @Test func `A and AAAA are both asked for, through aliases`() throws {
        let rig = try ResolverRig([
            "vault.test": .init(addresses: [[10, 0, 0, 1], loopback6, [10, 0, 0, 2]]),
            "alias.test": .init(addresses: [[10, 0, 0, 3]], alias: "real.test"),
            "six.test": .init(addresses: [loopback6]),
        ])
        #expect(try rig.resolve("vault.test") == [[10, 0, 0, 1], [10, 0, 0, 2], loopback6])
        #expect(rig.server.questions == ["vault.test A", "vault.test AAAA"])
        #expect(try rig.resolve("alias.test") == [[10, 0, 0, 3]])
        #expect(try rig.resolve("six.test") == [loopback6])
        rig.server.stop()
    }

    @Test func `search domains are tried by the number of dots`() throws {
        let rig = try ResolverRig([
            "vault.svc.cluster.local": .init(addresses: [[10, 0, 0, 1]]),
            "a.b.c": .init(addresses: [[10, 0, 0, 2]]),
        ])
        let kubernetes = "search ns.svc.cluster.local svc.cluster.local.\noptions ndots:5\n"
        #expect(try rig.resolve("vault", configuration: kubernetes) == [[10, 0, 0, 1]])
        #expect(
            rig.server.questions == [
                "vault.ns.svc.cluster.local A", "vault.svc.cluster.local A",
                "vault.svc.cluster.local AAAA",
            ])
        #expect(try rig.resolve("a.b.c", configuration: kubernetes) == [[10, 0, 0, 2]])
        #expect(rig.server.questions.suffix(2) == ["a.b.c A", "a.b.c AAAA"])
        let before = rig.server.questions.count
        #expect(try rig.resolve("a.b.c.", configuration: kubernetes) == [[10, 0, 0, 2]])
        #expect(rig.server.questions.count == before + 2)
        #expect(try rig.resolve("a.b.c", configuration: "search x.test") == [[10, 0, 0, 2]])
        #expect(rig.server.questions.count == before + 4)
        rig.server.stop()
    }

    @Test func `a truncated answer is asked for again over TCP`() throws {
        let rig = try ResolverRig([
            "vault.test": .init(
                addresses: (1...200).map { [10, 1, 0, $0] }, isTruncated: true)
        ])
        #expect(try rig.resolve("vault.test").count == 200)
        #expect(rig.server.questions.contains("vault.test A/tcp"))
        rig.server.stop()
    }

    @Test func `an answer with another identifier is not believed`() throws {
        let rig = try ResolverRig([
            "vault.test": .init(addresses: [[10, 0, 0, 1]], isSpoofed: true)
        ])
        #expect(try rig.resolve("vault.test") == [[10, 0, 0, 1]])
        rig.server.stop()
    }

    @Test func `a lost question is asked again`() throws {
        let rig = try ResolverRig([
            "vault.test": .init(addresses: [[10, 0, 0, 1]], ignored: 1)
        ])
        let impatient = "options timeout:1 attempts:5\n"
        #expect(try rig.resolve("vault.test", configuration: impatient) == [[10, 0, 0, 1]])
        #expect(rig.server.questions.filter { $0 == "vault.test A" }.count >= 2)
        rig.server.stop()
    }

    @Test func `another server is asked when the first does not answer`() throws {
        let rig = try ResolverRig(["vault.test": .init(addresses: [[10, 0, 0, 1]])])
        var sources = NameResolver.Sources()
        sources.hostsFile = "/nonexistent/hosts"
        // Nothing listens on this port of 127.0.0.2: the kernel refuses the datagram.
        sources.configurationFile = try rig.vault.file(
            "two", "nameserver 127.0.0.2\nnameserver 127.0.0.1\noptions timeout:30\n")
        sources.port = rig.server.port
        let found = try NameResolver(sources: sources)
            .addresses(of: "vault.test", port: 1, deadline: Deadline(secondsFromNow: 60))
        #expect(found.map(\.bytes) == [[10, 0, 0, 1]])
        rig.server.stop()
    }

    @Test(arguments: ["nowhere.test", "broken.test", "empty.test", "a..b", "-", ""])
    func `a name without an address is not resolved`(_ host: String) throws {
        let rig = try ResolverRig([
            "broken.test": .init(failure: 2), "empty.test": .init(),
        ])
        #expect(throws: SecretStoreFailure.nameNotResolved(host: host)) {
            try rig.resolve(host)
        }
        rig.server.stop()
    }

    @Test func `the store reaches the vault by a name that only this server knows`() throws {
        let rig = try ResolverRig(["vault.test": .init(addresses: [loopback4])])
        let settings = rig.vault.settings(host: "vault.test")
        var store = try VaultSecretStore(
            settings: settings, credential: .testing("s.simulated-root"),
            openSSLMemory: .unchanged, resolver: rig.resolver())
        _ = try store.logIn()
        var count = 0
        try store.read(path: "secret/app", fields: ["yes"]) { _, value in
            count += value.byteCount
        }
        #expect(count == 4)
        rig.server.stop()
    }

    @Test func `resolv.conf is read as resolv.conf(5) says`() {
        let parsed = ResolverConfiguration(lines: [
            "# nameserver 9.9.9.9", "; comment", "nameserver 1.1.1.1", "nameserver ::1",
            "nameserver 3.3.3.3", "nameserver 4.4.4.4", "domain one.test",
            "search two.test three.test", "options ndots:99 timeout:0 attempts:9 rotate x:y",
        ])
        #expect(parsed.servers == ["1.1.1.1", "::1", "3.3.3.3"])
        #expect(parsed.searchDomains == ["two.test", "three.test"])
        #expect(parsed.dotsMin == 15)
        #expect(parsed.timeoutSeconds == 1)
        #expect(parsed.attempts == 5)
        #expect(ResolverConfiguration(lines: []).servers == ["127.0.0.1"])
    }

    @Test func `changed and cut answers never crash the reader`() throws {
        let query = try #require(
            DNSMessage.query(identifier: 0x1234, name: "vault.test", type: .address4))
        let good: [UInt8] =
            [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + query.dropFirst(12)
            + [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1]
        #expect(DNSMessage.answer(good, to: query) == .addresses([[10, 0, 0, 1]]))
        for end in 0..<good.count {
            #expect(DNSMessage.answer(Array(good[..<end]), to: query) == nil)
        }
        for index in good.indices {
            for bit in 0..<8 {
                var changed = good
                changed[index] ^= 1 << UInt8(bit)
                _ = DNSMessage.answer(changed, to: query)
            }
        }
    }
}
