// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AgentProtocol
import AgentSockets
import Destinations
import Foundation
import Glibc
import Ports
import TestKit
import Testing

@Suite(.serialized) struct `The agent's registration socket` {
    private static func me(_ connection: AgentConnection, _ line: String) -> AgentInput {
        .registration(connection, me, request: Array((line + "\n").utf8))
    }

    private static var me: AgentPeer { AgentPeer(process: getpid(), user: geteuid()) }

    @Test func `hands a line over with its peer, and the answer back`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        let peer = bench.connect()
        peer.say("regis")
        #expect(try host.next(until: bench.soon(100)) == .deadline)
        peer.say("ter 2\n")
        #expect(try host.next(until: bench.soon()) == Self.me(1, "register 2"))
        #expect(host.isConnected(1))
        host.answer(1, "enrolled 1 17 lsm\n")
        #expect(peer.hear() == "enrolled 1 17 lsm\n")
        #expect(!host.isConnected(1))
        // Once: a second answer has nobody.
        host.answer(1, "refused 1 gone\n")
    }

    @Test func `knows another process and user by the kernel's word`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        let script = """
            import os, socket, sys
            os.setgid(65534); os.setuid(65534)
            s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
            s.sendall(b"register 2\\n"); sys.stdout.write(s.recv(99).decode())
            """
        let child = try SpawnedProgram(
            ["/usr/bin/python3", "-c", script, bench.path], entries: ["PATH=/usr/bin"])
        let input = try host.next(until: bench.soon(20_000))
        let stranger = AgentPeer(process: child.process, user: 65534)
        #expect(input == .registration(1, stranger, request: Array("register 2\n".utf8)))
        host.answer(1, "refused 1 traced\n")
        #expect(child.wait() == 0)
        #expect(try child.reader.readToEnd() == Data("refused 1 traced\n".utf8))
    }

    @Test func `is open to every user, and removed at the end`() throws {
        let bench = SocketBench()
        do {
            let host = try bench.host()
            var facts = stat()
            #expect(stat(bench.path, &facts) == 0 && facts.st_mode & 0o777 == 0o666)
            _ = consume host
        }
        #expect(access(bench.path, F_OK) != 0)
    }

    @Test func `has 64 connections, and a 65th once one has ended`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        var silent = (0..<LinuxAgentHost.connectionsMax).map { _ in bench.connect() }
        #expect(silent.count == 64 && silent.allSatisfy(\.isConnected))
        #expect(try host.next(until: bench.soon(200)) == .deadline)
        let last = bench.connect()
        last.say("register 2\n")
        #expect(try host.next(until: bench.soon(200)) == .deadline)
        silent.removeLast()
        #expect(try host.next(until: bench.soon()) == Self.me(65, "register 2"))
    }

    @Test func `serves a 64th connection at once`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        let silent = (0..<LinuxAgentHost.connectionsMax - 1).map { _ in bench.connect() }
        let last = bench.connect()
        last.say("register 2\n")
        #expect(try host.next(until: bench.soon()) == Self.me(64, "register 2"))
        #expect(silent.count == 63)
    }

    @Test func `drops a silent peer after its limit, and none before`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        let peer = bench.connect()
        peer.say("regist")
        #expect(try host.next(until: bench.soon(50)) == .deadline)
        bench.advance(4000)
        #expect(try host.next(until: bench.soon(50)) == .deadline)
        #expect(peer.hear(within: 0) == nil, "still connected")
        bench.advance(1000)
        #expect(try host.next(until: bench.soon(50)) == .deadline)
        #expect(peer.hear(within: 0) == "", "dropped")
        #expect(LinuxAgentHost.speechLimit == .seconds(5))
    }

    @Test func `waits for the agent, not for the peer, once the line is there`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        let peer = bench.connect()
        peer.say("register 2\n")
        #expect(try host.next(until: bench.soon()) == Self.me(1, "register 2"))
        bench.advance(60_000)
        #expect(try host.next(until: bench.soon(50)) == .deadline)
        host.answer(1, "refused 1 failed\n")
        #expect(peer.hear() == "refused 1 failed\n")
    }

    @Test func `takes a line as long as the limit, and of a longer one no more`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        let fitting = String(repeating: "a", count: Registration.lineBytesMax - 1)
        let first = bench.connect()
        first.say(fitting)
        #expect(try host.next(until: bench.soon(100)) == .deadline)
        first.say("\n")
        #expect(try host.next(until: bench.soon()) == Self.me(1, fitting))
        // Whoever reads the request refuses it.
        let second = bench.connect()
        second.say(fitting + "a")
        #expect(
            try host.next(until: bench.soon())
                == .registration(2, Self.me, request: Array((fitting + "a").utf8)))
        #expect(first.isConnected)
    }

    @Test func `takes the longest request to scan, in pieces`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        let rule = DestinationRule(
            secret: DestinationRule.secretMax, network: .everyVersion6, port: 65_535)
        let request = try ScanRequest(
            address: ScanRequest.addressEnd - 98_336, length: ScanRequest.lengthMax,
            rules: [DestinationRule](repeating: rule, count: DestinationRule.countMax),
            bitmap: [UInt8](repeating: 0x0A, count: ScanRequest.bitmapBytes)
        ).bytes
        #expect(request.count <= LinuxAgentHost.requestBytesMax)
        let peer = bench.connect()
        peer.say(request.dropLast())
        #expect(try host.next(until: bench.soon(100)) == .deadline)
        peer.say(request.suffix(1))
        #expect(
            try host.next(until: bench.soon())
                == .registration(1, Self.me, request: request))
    }

    @Test func `drops who says more before its answer, and who leaves`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        let loud = bench.connect()
        loud.say("register 2\n")
        #expect(try host.next(until: bench.soon()) == Self.me(1, "register 2"))
        loud.say("register 2\n")
        #expect(try host.next(until: bench.soon(100)) == .deadline)
        #expect(!host.isConnected(1) && loud.hear(within: 0) == "")
        let quick = bench.connect()
        quick.say("register 2\n")
        quick.leave()
        #expect(try host.next(until: bench.soon()) == Self.me(2, "register 2"))
        #expect(!host.isConnected(2))
        // The peer has gone: neither a signal nor a failure.
        host.answer(2, "enrolled 1 17 lsm\n")
        let mute = bench.connect()
        mute.leave()
        #expect(try host.next(until: bench.soon(100)) == .deadline)
    }

    @Test func `is one agent's only`() throws {
        let bench = SocketBench()
        let host = try bench.host()
        #expect(throws: AgentSocketFailure.anotherAgent(bench.path)) {
            let second = try bench.host()
            _ = consume second
        }
        let peer = bench.connect()
        peer.say("register 2\n")
        // The question of the second was a connection, too.
        #expect(try host.next(until: bench.soon()) == Self.me(2, "register 2"))
    }

    @Test func `replaces what a killed agent left, and nothing else`() throws {
        let bench = SocketBench()
        let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bench.path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(left, $0, size) }
        }
        #expect(bound == 0)
        close(left)
        do {
            let host = try bench.host()
            let peer = bench.connect()
            peer.say("register 2\n")
            #expect(try host.next(until: bench.soon()) == Self.me(1, "register 2"))
        }
        try Data("precious".utf8).write(to: URL(filePath: bench.path))
        let taken = AgentSocketFailure.cannotListen(bench.path, errorNumber: EADDRINUSE)
        #expect(throws: taken) {
            let host = try bench.host()
            _ = consume host
        }
        #expect(try Data(contentsOf: URL(filePath: bench.path)) == Data("precious".utf8))
    }

    @Test func `needs a folder and a path that fits`() {
        let clock: @Sendable () -> MonotonicTime = { MonotonicTime(nanoseconds: 0) }
        func failure(_ path: String) -> AgentSocketFailure? {
            do throws(AgentSocketFailure) {
                let host = try LinuxAgentHost(
                    path: path, observation: nil, records: -1, clock: clock)
                _ = consume host
                return nil
            } catch { return error }
        }
        let bench = SocketBench()
        #expect(failure("/nowhere/a") == .cannotListen("/nowhere/a", errorNumber: ENOENT))
        let long = bench.folder + "/" + String(repeating: "a", count: 107 - bench.folder.count)
        #expect(failure(long) == .cannotListen(long, errorNumber: ENAMETOOLONG))
        #expect(failure(String(long.dropLast())) == nil)
    }

    @Test func `gives signals, records and the deadline`() throws {
        let bench = SocketBench()
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let host = try bench.host(records: ends[0])
        #expect(try host.next(until: bench.soon(20)) == .deadline)
        for (signal, input) in [
            (SIGHUP, AgentInput.reload), (SIGTERM, .end(signal: 15)), (SIGINT, .end(signal: 2)),
        ] {
            pthread_kill(pthread_self(), signal)
            #expect(try host.next(until: bench.soon()) == input)
        }
        _ = write(ends[1], "x", 1)
        #expect(try host.next(until: bench.soon()) == .records)
    }
}

@Suite(.serialized) struct `The agent's observation port` {
    @Test func `hands a request over, and the answer back`() throws {
        let bench = SocketBench()
        let port = SocketBench.freePort()
        let host = try bench.host(port: port)
        let peer = Peer(port: port)
        peer.say("GET /metrics HTTP/1.1\r\nHost: a\r\n")
        #expect(try host.next(until: bench.soon(100)) == .deadline)
        peer.say("\r\n")
        #expect(
            try host.next(until: bench.soon()) == .request(1, method: "GET", path: "/metrics"))
        // Longer than a first packet.
        let text = String(repeating: "a", count: 60_000)
        host.answer(1, text)
        #expect(peer.hear() == text)
    }

    private static func asked(
        _ bench: SocketBench, _ host: RunningHost, _ port: UInt16
    ) throws -> Peer {
        let peer = Peer(port: port)
        peer.say("GET /workloads HTTP/1.1\r\n\r\n")
        #expect(
            try host.next(until: bench.soon()) == .request(1, method: "GET", path: "/workloads"))
        return peer
    }

    @Test func `sends an answer that no buffer holds, while others are served`() throws {
        let bench = SocketBench()
        let port = SocketBench.freePort()
        let host = try bench.host(port: port)
        let peer = try Self.asked(bench, host, port)
        let text = String(repeating: "0123456789abcdef", count: 1 << 20)
        host.answer(1, text)
        // Nobody has taken it yet: more than one step is needed.
        let other = bench.connect()
        other.say("register 2\n")
        let me = AgentPeer(process: getpid(), user: geteuid())
        #expect(
            try host.next(until: bench.soon())
                == .registration(2, me, request: Array("register 2\n".utf8)))
        var heard: [UInt8] = []
        var isOver = false
        for _ in 0..<100_000 where !isOver {
            #expect(try host.next(until: bench.soon(1)) == .deadline)
            isOver = peer.take(into: &heard)
        }
        #expect(isOver && heard == Array(text.utf8))
    }

    @Test func `drops who does not take its answer`() throws {
        let bench = SocketBench()
        let port = SocketBench.freePort()
        let host = try bench.host(port: port)
        let peer = try Self.asked(bench, host, port)
        let text = String(repeating: "0123456789abcdef", count: 1 << 20)
        host.answer(1, text)
        bench.advance(4000)
        #expect(try host.next(until: bench.soon(50)) == .deadline)
        #expect(LinuxAgentHost.answerLimit == .seconds(5))
        bench.advance(1000)
        #expect(try host.next(until: bench.soon(50)) == .deadline)
        let heard = try #require(peer.hear())
        #expect(!heard.isEmpty && heard.utf8.count < text.utf8.count)
    }

    @Test func `hands what is no request over as none`() throws {
        let bench = SocketBench()
        let port = SocketBench.freePort()
        let host = try bench.host(port: port)
        for (number, garbage) in [
            "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1 more\r\n\r\n", "\0\0\r\n\r\n",
            "register 2\n\r\n\r\n\r\n",
        ].enumerated() {
            let peer = Peer(port: port)
            peer.say(garbage)
            #expect(
                try host.next(until: bench.soon())
                    == .request(AgentConnection(number + 1), method: "", path: ""), "\(garbage)")
            host.answer(AgentConnection(number + 1), "no")
            #expect(peer.hear() == "no")
        }
    }

    @Test func `takes a head as long as the limit, and none that is longer`() throws {
        let bench = SocketBench()
        let port = SocketBench.freePort()
        let host = try bench.host(port: port)
        let head = "GET / HTTP/1.1\r\nA: "
        let rest = LinuxAgentHost.headBytesMax - head.utf8.count - 4
        let fitting = head + String(repeating: "a", count: rest)
        let first = Peer(port: port)
        first.say(fitting + "\r\n\r\n")
        #expect(try host.next(until: bench.soon()) == .request(1, method: "GET", path: "/"))
        let second = Peer(port: port)
        second.say(fitting + "a\r\n\r\n")
        #expect(try host.next(until: bench.soon(200)) == .deadline)
        #expect(second.hear(within: 0) != nil, "dropped")
    }

    @Test func `needs an address and a port that nobody has`() throws {
        let bench = SocketBench()
        let port = SocketBench.freePort()
        let host = try bench.host(port: port)
        let other = SocketBench()
        #expect(
            throws: AgentSocketFailure.cannotListen("127.0.0.1:\(port)", errorNumber: EADDRINUSE)
        ) {
            let second = try other.host(port: port)
            _ = consume second
        }
        #expect(access(other.path, F_OK) != 0, "no socket is left of an agent that did not start")
        #expect(throws: AgentSocketFailure.cannotListen("localhost:1", errorNumber: EINVAL)) {
            let second = try LinuxAgentHost(
                path: other.path, observation: ("localhost", 1), records: -1,
                clock: { other.now() })
            _ = consume second
        }
        _ = consume host
    }
}
