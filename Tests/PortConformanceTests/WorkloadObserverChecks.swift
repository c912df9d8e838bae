// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import Ports
import Testing

/// Processes that the checks look at. Nothing else has them as its parents.
protocol ObserverBench: AnyObject, Sendable {
    var observer: any WorkloadObserver { get }
    /// A number that no process has.
    var nobody: ProcessID { get }

    /// A wrapper whose programs run when this returns.
    ///
    /// - Parameter children: of each, whether it can gain no privileges.
    func start(_ children: [Bool]) async throws -> ProcessID
    /// A wrapper with one child that executes nothing and has such a program.
    func startBehindFork(_ child: Bool) async throws -> ProcessID
    /// Its programs are gone when this returns; it goes on.
    func endPrograms(of wrapper: ProcessID) async throws
    func end(_ wrapper: ProcessID) async throws
}

/// What every `WorkloadObserver` does: run against the fake, against the adapter on files of a
/// test's making, and against the adapter on real processes.
struct WorkloadObserverCheck: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable (any ObserverBench) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (any ObserverBench) async throws -> Void) {
        testDescription = name
        self.run = run
    }

    static let all = [
        WorkloadObserverCheck("a process has one start, and nobody has none") { bench in
            let wrapper = try await bench.start([])
            let started = try #require(bench.observer.start(of: wrapper))
            #expect(bench.observer.start(of: wrapper) == started)
            for number in [bench.nobody, 0, -1] {
                #expect(bench.observer.start(of: number) == nil)
                #expect(bench.observer.programs(of: number, started: started) == nil)
            }
            try await bench.end(wrapper)
            #expect(bench.observer.start(of: wrapper) == nil)
        },
        WorkloadObserverCheck("a program is seen while it runs") { bench in
            let wrapper = try await bench.start([true])
            let started = try #require(bench.observer.start(of: wrapper))
            let seen = try #require(bench.observer.programs(of: wrapper, started: started))
            #expect(seen.lockedKiB == 0 && seen.hasNoNewPrivileges)
            #expect(bench.observer.programs(of: wrapper, started: started) == seen)
            try await bench.endPrograms(of: wrapper)
            #expect(bench.observer.start(of: wrapper) == started, "control: the wrapper goes on")
            #expect(bench.observer.programs(of: wrapper, started: started) == nil)
            try await bench.end(wrapper)
        },
        WorkloadObserverCheck("a wrapper without programs shows nothing") { bench in
            let wrapper = try await bench.start([])
            let started = try #require(bench.observer.start(of: wrapper))
            #expect(bench.observer.programs(of: wrapper, started: started) == nil)
            try await bench.end(wrapper)
        },
        WorkloadObserverCheck("another start is another process") { bench in
            let wrapper = try await bench.start([false])
            let started = try #require(bench.observer.start(of: wrapper))
            #expect(bench.observer.programs(of: wrapper, started: started + 1) == nil)
            #expect(bench.observer.programs(of: wrapper, started: started - 1) == nil)
            #expect(bench.observer.programs(of: wrapper, started: started) != nil, "control")
            try await bench.end(wrapper)
        },
        WorkloadObserverCheck("of several programs the least counts") { bench in
            for (children, all) in [
                ([true, true], true), ([true, false], false), ([false, true, true], false),
            ] {
                let wrapper = try await bench.start(children)
                let started = try #require(bench.observer.start(of: wrapper))
                let seen = try #require(bench.observer.programs(of: wrapper, started: started))
                #expect(seen.hasNoNewPrivileges == all, "\(children)")
                try await bench.end(wrapper)
            }
        },
        WorkloadObserverCheck("who has executed nothing stands for what it started") { bench in
            for child in [true, false] {
                let wrapper = try await bench.startBehindFork(child)
                let started = try #require(bench.observer.start(of: wrapper))
                let seen = try #require(bench.observer.programs(of: wrapper, started: started))
                #expect(seen.hasNoNewPrivileges == child)
                try await bench.end(wrapper)
            }
        },
        WorkloadObserverCheck("one's programs are not another's") { bench in
            let wrappers = try await [bench.start([true]), bench.start([false])]
            let seen = try wrappers.map { wrapper in
                let started = try #require(bench.observer.start(of: wrapper))
                return bench.observer.programs(of: wrapper, started: started)?.hasNoNewPrivileges
            }
            #expect(seen == [true, false])
            for wrapper in wrappers { try await bench.end(wrapper) }
        },
        WorkloadObserverCheck("of more programs than the limit nothing is said") { bench in
            let max = WorkloadObserverLimits.childrenMax
            for count in [max, max + 1] {
                let wrapper = try await bench.start(Array(repeating: false, count: count))
                let started = try #require(bench.observer.start(of: wrapper))
                let seen = bench.observer.programs(of: wrapper, started: started)
                #expect((seen != nil) == (count == max))
                try await bench.end(wrapper)
            }
        },
        WorkloadObserverCheck("the node is the same at every look, in plain words") { bench in
            let node = bench.observer.node()
            #expect(node == bench.observer.node())
            let kernel = try #require(node.kernel)
            #expect(!kernel.isEmpty && !kernel.contains { $0.isWhitespace || $0 == "\"" })
            #expect(node.openWeaknesses.map { $0 == $0.sorted() } != false)
        },
    ]
}
