// SPDX-License-Identifier: Apache-2.0
import Glibc
import Ports
import SecretMemory
import Simulation
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// A pipe whose reading end is what interrupts.
final class Interrupt: Sendable {
    let descriptor: Int32
    private let writing: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        try #require(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        (descriptor, writing) = (ends[0], ends[1])
    }

    deinit {
        close(descriptor)
        close(writing)
    }

    func fire() {
        var byte: UInt8 = 1
        precondition(write(writing, &byte, 1) == 1)
    }

    /// Fires from another thread as soon as `condition` holds.
    func fire(when condition: @escaping @Sendable () -> Bool) throws {
        final class Body: Sendable {
            let interrupt: Interrupt
            let condition: @Sendable () -> Bool
            init(_ interrupt: Interrupt, _ condition: @escaping @Sendable () -> Bool) {
                self.interrupt = interrupt
                self.condition = condition
            }
        }
        let argument = Unmanaged.passRetained(Body(self, condition)).toOpaque()
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                while !body.condition() { usleep(1000) }
                body.interrupt.fire()
                return nil
            }, argument)
        try #require(result == 0)
        pthread_detach(thread)
    }

    /// Bytes that nobody has read.
    var pending: Int {
        var byte: UInt8 = 0
        var count = 0
        while read(descriptor, &byte, 1) == 1 { count += 1 }
        return count
    }
}

@Suite("Breaking off a wait") struct InterruptTests {
    /// Long enough that only the interrupt can end the test's waits.
    private static let longSeconds = 600

    private func settings(port: UInt16, of vault: LoopbackVault) -> VaultSettings {
        var settings = vault.settings()
        settings.origin = Origin(scheme: "https", host: "127.0.0.1", port: port)
        settings.allowedOrigins = [settings.origin]
        settings.requestSecondsMax = Self.longSeconds
        return settings
    }

    private func store(
        _ settings: VaultSettings, _ interrupt: Interrupt?, resolver: NameResolver = NameResolver()
    ) throws -> VaultSecretStore {
        try VaultSecretStore(
            settings: settings, credential: .testing(SimulatedVault.rootToken),
            openSSLMemory: .unchanged, resolver: resolver,
            interruptDescriptor: interrupt?.descriptor ?? -1)
    }

    @Test(arguments: [TransportFault.silent, .endless])
    func `while an answer is waited for, or does not end`(_ fault: TransportFault) throws {
        let vault = try LoopbackVault(vault: stockedVault(), fault: fault)
        let interrupt = try Interrupt()
        var store = try store(settings(port: vault.listener.port, of: vault), interrupt)
        try interrupt.fire { [listener = vault.listener] in
            listener.withVault { !$0.log.isEmpty }
        }
        #expect(throws: SecretStoreFailure.interrupted) { try store.logIn() }
        // Whoever asked the wrapper to stop wants to see that too.
        #expect(interrupt.pending == 1)
        // Once nothing interrupts any more, the store is as good as before.
        vault.listener.setFault(.none)
        _ = try store.logIn()
    }

    /// A login alone is within it on a busy machine; 1 was not.
    private static let sharedSeconds = 4

    /// Login, the mount's type and the secret: each exchange would be in time.
    @Test func `one limit holds for a whole call, however many exchanges it takes`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        var settings = settings(port: vault.listener.port, of: vault)
        settings.requestSecondsMax = Self.sharedSeconds
        var store = try store(settings, nil)
        _ = try store.logIn()
        vault.listener.setFault(.slow(milliseconds: 2500))
        #expect(throws: SecretStoreFailure.timedOut(host: "127.0.0.1", seconds: Self.sharedSeconds))
        {
            try store.read(path: "secret/app", fields: ["yes"]) { _, _ in }
        }
        // Control: an exchange alone is in time, and the next call has a time of its own.
        _ = try store.logIn()
        vault.listener.setFault(.slow(milliseconds: 100))
        _ = try store.read(path: "secret/app", fields: ["yes"]) { _, _ in }
    }

    @Test func `a call has a limit of its own, however long ago the login was`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        var settings = settings(port: vault.listener.port, of: vault)
        settings.requestSecondsMax = Self.sharedSeconds
        var store = try store(settings, nil)
        _ = try store.logIn()
        sleep(UInt32(Self.sharedSeconds) + 1)
        _ = try store.read(path: "secret/app", fields: ["yes"]) { _, _ in }
    }

    @Test func `control: without an interrupt the same wait ends with its time`() throws {
        let vault = try LoopbackVault(vault: stockedVault(), fault: .silent)
        var settings = settings(port: vault.listener.port, of: vault)
        settings.requestSecondsMax = 1
        let interrupt = try Interrupt()
        var store = try store(settings, interrupt)
        #expect(throws: SecretStoreFailure.timedOut(host: "127.0.0.1", seconds: 1)) {
            try store.logIn()
        }
        #expect(interrupt.pending == 0)
    }

    @Test func `while hands are shaken, and while a connection is made`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        let mute = try MuteServer()
        let interrupt = try Interrupt()
        var store = try store(settings(port: mute.port, of: vault), interrupt)
        try interrupt.fire { [mute] in mute.hasConnection }
        #expect(throws: SecretStoreFailure.interrupted) { try store.logIn() }
        #expect(interrupt.pending == 1)
        // The kernel connects as many as the backlog holds; those beyond wait for their turn.
        let clients = try mute.fillBacklog()
        defer { for client in clients { close(client) } }
        let second = try Interrupt()
        var late = try self.store(settings(port: mute.port, of: vault), second)
        second.fire()
        #expect(throws: SecretStoreFailure.interrupted) { try late.logIn() }
        #expect(second.pending == 1)
    }

    @Test func `while a name is resolved`() throws {
        let rig = try ResolverRig(["vault.test": .init(ignored: 1_000_000)])
        defer { rig.server.stop() }
        var settings = rig.vault.settings(host: "vault.test")
        settings.requestSecondsMax = Self.longSeconds
        let interrupt = try Interrupt()
        var store = try store(settings, interrupt, resolver: try rig.resolver())
        try interrupt.fire { [server = rig.server] in !server.questions.isEmpty }
        #expect(throws: SecretStoreFailure.interrupted) { try store.logIn() }
        #expect(interrupt.pending == 1)
    }

    @Test func `a connection that the server closed meanwhile is replaced`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        var store = try store(settings(port: vault.listener.port, of: vault), nil)
        _ = try store.logIn()
        let query = SecretQuery(path: "secret/app")
        for handshakes in 1...3 {
            var values = 0
            _ = try store.read(query, fields: ["yes"], onLease: { _ in }) { _, _ in values += 1 }
            #expect(values == 1)
            #expect(vault.listener.handshakes == handshakes)
            vault.listener.closeConnections()
        }
    }
}

/// Listens, lets the kernel connect whoever comes, and says nothing.
final class MuteServer: Sendable {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        try #require(result)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }

    /// Whether somebody has connected.
    var hasConnection: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    /// Connects until nobody is let in any more; the caller closes the descriptors.
    func fillBacklog() throws -> [Int32] {
        var clients: [Int32] = []
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        for _ in 0..<16 {
            let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            let client = socket(AF_INET, type | Int32(SOCK_CLOEXEC.rawValue), 0)
            try #require(client >= 0)
            clients.append(client)
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        return clients
    }
}
