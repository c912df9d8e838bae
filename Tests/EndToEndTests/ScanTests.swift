// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import Destinations
import Foundation
import Glibc
import Synchronization
import TestKit
import Testing
import WrapperConfiguration

/// The real wrapper, and an agent that is asked to scan.
@Suite("The wrapper and the scan of what its program sends", .serialized) struct ScanTests {
    /// Answers one connection after the other; the last answer is for all that follow.
    private final class Agent: Sendable {
        let path: String
        private let listener: Int32
        private let heard = Mutex<[AgentRequest]>([])

        var requests: [AgentRequest] { heard.withLock { $0 } }
        var scans: [ScanRequest] {
            requests.compactMap { if case .scan(let scan) = $0 { scan } else { nil } }
        }

        /// - Parameter onScan: called before a scan is answered.
        init(
            for wrapper: WrapperProgram, answers: [String],
            onScan: @escaping @Sendable (ScanRequest) -> Void = { _ in }
        ) throws {
            path = wrapper.folder.path(percentEncoded: false) + "/agent.sock"
            listener = try localListener(path)
            Thread.detachNewThread { [self] in
                var answers = answers
                while case let connection = accept(listener, nil, nil), connection >= 0 {
                    if let request = Self.request(from: connection) {
                        if case .scan(let scan) = request { onScan(scan) }
                        heard.withLock { $0.append(request) }
                    }
                    let line = Array(answers[0].utf8)
                    if answers.count > 1 { answers.removeFirst() }
                    _ = send(connection, line, line.count, Int32(MSG_NOSIGNAL))
                    close(connection)
                }
            }
        }

        private static func request(from connection: Int32) -> AgentRequest? {
            var heard: [UInt8] = []
            while heard.count < AgentRequest.byteCountMax {
                var bytes = [UInt8](repeating: 0, count: 4096)
                let count = read(connection, &bytes, bytes.count)
                guard count > 0 else { return nil }
                heard += bytes.prefix(count)
                switch AgentRequest.read(heard) {
                case .incomplete: continue
                case .complete(let request): return request
                case .refused: return nil
                }
            }
            return nil
        }

        deinit {
            shutdown(listener, Int32(SHUT_RDWR))
            close(listener)
        }
    }

    private static let enrolled = "enrolled 2 17 lsm scan\n"

    private static func wrapper(
        _ policy: AgentPolicy, delivery: String = "splice"
    ) throws -> WrapperProgram {
        let wrapper = try WrapperProgram()
        wrapper.environment["CLOUDTASER_AGENT"] = policy.rawValue
        wrapper.environment["CLOUDTASER_DELIVERY"] = delivery
        wrapper.environment["CLOUDTASER_AGENT_SOCKET"] =
            wrapper.folder.path(percentEncoded: false) + "/agent.sock"
        return wrapper
    }

    /// Whether this host lets a program run under `splice` at all.
    private static func isRefused(_ run: ProgramRun) -> Bool {
        run.status == WrapperExit.hostRefusesDelivery.rawValue
            || run.status == WrapperExit.secretMemoryUnavailable.rawValue
    }

    @Test func `hands over where the index is, its bitmap and the rules, before the start`() throws
    {
        let wrapper = try Self.wrapper(.required)
        wrapper.environment["CLOUDTASER_DESTINATIONS"] = "DB_PASSWORD=10.0.0.5:5432;*=[fd00::/8]"
        let place = wrapper.folder.appending(path: "place").path(percentEncoded: false)
        let mark = wrapper.folder.appending(path: "started").path(percentEncoded: false)
        let startedBefore = Mutex<Bool?>(nil)
        let agent = try Agent(for: wrapper, answers: [Self.enrolled, "scanning 2 17\n"]) { scan in
            startedBefore.withLock { $0 = access(mark, F_OK) == 0 }
            try? Data("0x\(String(scan.address, radix: 16))".utf8).write(
                to: URL(filePath: place))
        }
        let run = try wrapper.run(
            """
            python3 -c 'import ctypes; print(ctypes.string_at(int(open("\(place)").read(), 16), 8))'
            echo $DB_PASSWORD
            """)
        if Self.isRefused(run) { return }
        #expect(run.output == "b'LEAKINDX'\nhunter2-äöü\n", "\(run)")
        #expect(agent.requests.count == 2 && agent.requests.first == .register)
        #expect(startedBefore.withLock { $0 } == false)
        let scan = try #require(agent.scans.first)
        #expect(scan.rules.map(\.secret) == [0, nil])
        #expect(scan.rules.map(\.network.text) == ["10.0.0.5/32", "fd00:0:0:0:0:0:0:0/8"])
        #expect(scan.rules.map(\.port) == [5432, nil])
        #expect(scan.bitmap.contains { $0 != 0 } && scan.length == 1568)
    }

    @Test(arguments: [("refused 2 full\n", 116), ("refused 2 blind\n", 116), ("", 115)])
    func `starts nothing where a scan is required and refused`(
        answer: String, status: Int32
    ) throws {
        let wrapper = try Self.wrapper(.required)
        let agent = try Agent(for: wrapper, answers: [Self.enrolled, answer])
        let run = try wrapper.run()
        if Self.isRefused(run) { return }
        #expect(run.status == status, "\(run)")
        #expect(!wrapper.wasStarted() && agent.scans.count == 1)
    }

    @Test func `starts without a scan where it is preferred, and says so`() throws {
        let wrapper = try Self.wrapper(.preferred)
        let agent = try Agent(for: wrapper, answers: [Self.enrolled, "refused 2 full\n"])
        let run = try wrapper.run("echo $DB_PASSWORD")
        if Self.isRefused(run) { return }
        #expect(run.output == "hunter2-äöü\n", "\(run)")
        #expect(run.errors.contains("is not scanned") && agent.scans.count == 1)
    }

    @Test(arguments: ["file", "environ"])
    func `says once that nothing is scanned where no index is delivered`(_ mode: String) throws {
        let wrapper = try Self.wrapper(.required, delivery: mode)
        let agent = try Agent(for: wrapper, answers: [Self.enrolled, "refused 2 full\n"])
        let run = try wrapper.run()
        if Self.isRefused(run) { return }
        #expect(run.status == 0, "\(run)")
        #expect(run.errors.components(separatedBy: "is not scanned").count == 2, "\(run)")
        #expect(agent.scans.isEmpty)
    }

    @Test func `names the values that are too short`() throws {
        let wrapper = try WrapperProgram("kv2 secret pin password=1234567\n")
        wrapper.environment.merge(try Self.wrapper(.required).environment) { own, other in own }
        wrapper.environment["CLOUDTASER_AGENT"] = "required"
        wrapper.environment["CLOUDTASER_DELIVERY"] = "splice"
        wrapper.environment["CLOUDTASER_SECRET_PATHS"] = "secret/app,secret/pin"
        wrapper.environment["CLOUDTASER_ENV_MAP"] = "password=DB_PASSWORD;password=PIN"
        let agent = try Agent(for: wrapper, answers: [Self.enrolled, "scanning 2 17\n"])
        wrapper.environment["CLOUDTASER_AGENT_SOCKET"] = agent.path
        let run = try wrapper.run("echo $PIN")
        if Self.isRefused(run) { return }
        #expect(run.output == "1234567\n", "\(run)")
        #expect(run.errors.contains("PIN is not scanned for: it is shorter than 8 bytes"))
        #expect(!run.errors.contains("DB_PASSWORD is not scanned") && agent.scans.count == 1)
    }
}
