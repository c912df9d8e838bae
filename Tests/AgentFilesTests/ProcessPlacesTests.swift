// SPDX-License-Identifier: Apache-2.0
import AgentFiles
import AgentPorts
import EnforcementEvents
import Foundation
import Synchronization
import Testing

/// A process file system of a test's making.
private final class FakeProc {
    static let id = String(repeating: "4f1c7e2b", count: 8)
    let path = FileManager.default.temporaryDirectory.appending(path: "proc-\(UUID().uuidString)")
        .path(percentEncoded: false)
    let clock = Clock()

    final class Clock: Sendable {
        private let seconds = Mutex<UInt64>(1)

        var nanoseconds: UInt64 { seconds.withLock { $0 * 1_000_000_000 } }

        func advance() { seconds.withLock { $0 += 1 } }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func places() -> ProcessPlaces {
        ProcessPlaces(proc: path) { [clock] in clock.nanoseconds }
    }

    /// - Parameter started: nanoseconds since boot.
    func process(_ id: Int32, cgroup: String, started: UInt64, name: String = "a) b") throws {
        let folder = "\(path)/\(id)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // proc(5): the number, the name, then fields 3 to 22.
        let fields = (3...21).map { "\($0)" } + ["\(started / 10_000_000)", "0", "0"]
        try Data("\(id) (\(name)) \(fields.joined(separator: " "))\n".utf8)
            .write(to: URL(filePath: folder + "/stat"))
        try Data(cgroup.utf8).write(to: URL(filePath: folder + "/cgroup"))
    }

    func end(_ id: Int32) throws { try FileManager.default.removeItem(atPath: "\(path)/\(id)") }
}

@Suite struct `Places of processes` {
    private static func process(
        _ id: Int32, cgroup: UInt64 = 77, started: UInt64 = 123_456_789
    ) -> EnforcementProcess {
        EnforcementProcess(
            thread: id, group: id, started: started, executableInode: 1, executableDevice: 1,
            cgroup: cgroup, capabilities: 0, user: 0, enrolment: 0, role: [], name: [])
    }

    @Test func `are remembered by their cgroup, also when the process has ended`() throws {
        let proc = FakeProc()
        var places = proc.places()
        try proc.process(10, cgroup: "0::/docker/\(FakeProc.id)\n", started: 123_456_789)
        #expect(places.place(of: Self.process(10))?.container == FakeProc.id)
        try proc.end(10)
        #expect(places.place(of: Self.process(10))?.container == FakeProc.id)
        #expect(places.place(of: Self.process(11))?.container == FakeProc.id)
        #expect(places.place(of: Self.process(10, cgroup: 78)) == nil, "another cgroup")
    }

    @Test func `are told by the number alone, as they are at that moment`() throws {
        let proc = FakeProc()
        var places = proc.places()
        #expect(places.place(ofGroup: 10) == nil && places.place(ofGroup: 0) == nil)
        try proc.process(10, cgroup: "0::/docker/\(FakeProc.id)\n", started: 123_456_789)
        #expect(places.place(ofGroup: 10)?.container == FakeProc.id)
        try proc.process(10, cgroup: "0::/\n", started: 123_456_789)
        #expect(places.place(ofGroup: 10) == nil, "it is not remembered")
        // Registrations do not use up what events may look up.
        for _ in 0...ProcessPlaces.lookUpsPerSecondMax { _ = places.place(ofGroup: 10) }
        #expect(places.passedOver == 0)
    }

    @Test func `are not those of another process with the same number`() throws {
        let proc = FakeProc()
        var places = proc.places()
        try proc.process(10, cgroup: "0::/docker/\(FakeProc.id)\n", started: 999_000_000_000)
        #expect(places.place(of: Self.process(10)) == nil)
        #expect(places.place(of: Self.process(10, started: 999_000_000_001)) != nil, "control")
    }

    @Test func `are looked up anew when a process of no container moves into one`() throws {
        let proc = FakeProc()
        var places = proc.places()
        try proc.process(10, cgroup: "0::/\n", started: 123_456_789)
        #expect(places.place(of: Self.process(10, cgroup: 1)) == nil)
        #expect(places.place(of: Self.process(10, cgroup: 50)) == nil)
        try proc.process(10, cgroup: "0::/docker/\(FakeProc.id)\n", started: 123_456_789)
        #expect(places.place(of: Self.process(10, cgroup: 77))?.container == FakeProc.id)
    }

    @Test func `of no container are remembered, too`() throws {
        let proc = FakeProc()
        var places = proc.places()
        try proc.process(10, cgroup: "0::/\n", started: 123_456_789)
        for _ in 0..<ProcessPlaces.lookUpsPerSecondMax { _ = places.place(of: Self.process(10)) }
        _ = places.place(of: Self.process(10))
        #expect(places.passedOver == 0)
    }

    @Test func `of version 1 hold for one process, and not for its number of cgroup 2`() throws {
        let proc = FakeProc()
        var places = proc.places()
        let text = "5:devices:/docker/\(FakeProc.id)\n0::/\n"
        try proc.process(10, cgroup: text, started: 123_456_789)
        try proc.process(11, cgroup: "5:devices:/\n0::/\n", started: 123_456_789)
        for cgroup in [1, 50] as [UInt64] {
            #expect(places.place(of: Self.process(10, cgroup: cgroup)) != nil)
            #expect(places.place(of: Self.process(11, cgroup: cgroup)) == nil)
        }
        try proc.end(10)
        #expect(places.place(of: Self.process(10, cgroup: 1)) != nil)
    }

    @Test func `are looked up so often in a second, and no more`() throws {
        let proc = FakeProc()
        var places = proc.places()
        try proc.process(10, cgroup: "0::/docker/\(FakeProc.id)\n", started: 123_456_789)
        for number in 1...ProcessPlaces.lookUpsPerSecondMax {
            #expect(places.place(of: Self.process(9, cgroup: UInt64(1000 + number))) == nil)
        }
        #expect(places.passedOver == 0)
        #expect(places.place(of: Self.process(10)) == nil && places.passedOver == 1)
        proc.clock.advance()
        #expect(places.place(of: Self.process(10)) != nil)
    }

    @Test func `are remembered up to a limit, the oldest first forgotten`() throws {
        let proc = FakeProc()
        var places = proc.places()
        try proc.process(10, cgroup: "0::/docker/\(FakeProc.id)\n", started: 123_456_789)
        let most = UInt64(ProcessPlaces.rememberedMax)
        for number in 0..<most {
            if number % 500 == 0 { proc.clock.advance() }
            #expect(places.place(of: Self.process(10, cgroup: 100 + number)) != nil)
        }
        proc.clock.advance()
        try proc.process(11, cgroup: "0::/docker/\(FakeProc.id)\n", started: 123_456_789)
        try proc.end(10)
        #expect(places.place(of: Self.process(10, cgroup: 100)) != nil)
        #expect(places.place(of: Self.process(11, cgroup: 99)) != nil)
        #expect(places.place(of: Self.process(10, cgroup: 100)) == nil)
        #expect(places.place(of: Self.process(10, cgroup: 101)) != nil)
    }

    /// The kernel's own files, of this process.
    @Test func `are read from the real files`() throws {
        var places = ProcessPlaces { 0 }
        let stat = try String(contentsOfFile: "/proc/self/stat", encoding: .utf8)
        let fields = stat[stat.index(after: try #require(stat.lastIndex(of: ")")))...]
            .split(separator: " ")
        let started = try #require(UInt64(fields[19])) * 10_000_000 + 1
        let text = try String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)
        let place = places.place(of: Self.process(getpid(), started: started))
        #expect(place == ContainerPlace(cgroups: text))
    }
}
