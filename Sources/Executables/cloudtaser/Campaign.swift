// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import SimulationEngine

/// Many seeds in several worker processes, and what came of them.
struct Campaign {
    struct Failure {
        let seed: UInt64
        let oracle: String
        let message: String
    }

    /// Seeds of one worker: few enough that what a process gathers stays small.
    static let batchSeeds: UInt64 = 200
    /// The oracle that reports a worker's death.
    static let trap = "trap"
    /// Further failures are counted only.
    static let failuresMax = 100

    let scenario: any SimulatedScenario.Type
    let firstSeed: UInt64
    let seedCount: Int
    let jobs: Int

    private(set) var finished = 0
    private(set) var failures: [Failure] = []
    private(set) var failureCount = 0
    private(set) var marks: [String: Int] = [:]
    /// Over the hashes of all seeds, in any order: the campaign's fingerprint.
    private(set) var hash: UInt64 = 0
    /// Largest resident memory of each batch's worker (kB), in the order of their ends.
    private(set) var peaksKilobytes: [Int] = []
    private(set) var elapsed = Duration.zero
    private var waiting: [Range<UInt64>] = []
    private var workers: [WorkerProcess] = []

    init(
        scenario: any SimulatedScenario.Type, firstSeed: UInt64, seedCount: Int, jobs: Int
    ) {
        self.scenario = scenario
        self.firstSeed = firstSeed
        self.seedCount = seedCount
        self.jobs = jobs
    }

    var seedsPerMinute: Double {
        let (seconds, attoseconds) = elapsed.components
        return Double(finished) * 60 / max(Double(seconds) + Double(attoseconds) / 1e18, 1e-9)
    }

    mutating func run() throws {
        let start = ContinuousClock.now
        var progress = ProgressBar(total: seedCount)
        let end = firstSeed + UInt64(seedCount)
        // Few seeds are shared out evenly.
        let share = (UInt64(seedCount) + UInt64(jobs) - 1) / UInt64(jobs)
        let batch = min(Self.batchSeeds, share)
        waiting = stride(from: firstSeed, to: end, by: Int(batch)).map {
            $0..<min($0 + batch, end)
        }
        waiting.reverse()
        defer { for worker in workers { worker.terminate() } }
        while !waiting.isEmpty || !workers.isEmpty {
            while workers.count < jobs, let seeds = waiting.popLast() {
                workers.append(try WorkerProcess(scenario: scenario.name, seeds: seeds))
            }
            try readWorkers()
            elapsed = ContinuousClock.now - start
            progress.show(finished, failures: failureCount, seedsPerMinute: seedsPerMinute)
        }
        progress.end()
    }

    /// Waits until a worker has something to say or ends.
    private mutating func readWorkers() throws {
        var polled = workers.map {
            pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0)
        }
        guard poll(&polled, nfds_t(polled.count), 1000) >= 0 || errno == EINTR else {
            throw OperationalError(description: "poll: \(String(cString: strerror(errno)))")
        }
        for index in polled.indices.reversed() where polled[index].revents != 0 {
            guard let lines = workers[index].read() else {
                try end(workers.remove(at: index))
                continue
            }
            for line in lines { take(line) }
        }
    }

    private mutating func take(_ line: WorkerLine) {
        switch line {
        case .begin, .tape: break
        case .finding(let seed, let oracle, let message):
            fail(Failure(seed: seed, oracle: oracle, message: message))
        case .end(_, let text):
            finished += 1
            hash &+= UInt64(text, radix: 16) ?? 0
        case .mark(let name, let count): marks[name, default: 0] += count
        case .done(let peak): peaksKilobytes.append(peak)
        }
    }

    private mutating func fail(_ failure: Failure) {
        failureCount += 1
        if failures.count < Self.failuresMax { failures.append(failure) }
    }

    /// A worker that died takes its seed with it; what it has not begun, another one runs.
    private mutating func end(_ worker: WorkerProcess) throws {
        let how = worker.end()
        guard !worker.isDone else { return }
        guard let seed = worker.current else {
            throw OperationalError(description: "a worker ended before its first seed: \(how)")
        }
        finished += 1
        fail(Failure(seed: seed, oracle: Self.trap, message: "the process \(how)"))
        if seed + 1 < worker.seeds.upperBound {
            waiting.append(seed + 1..<worker.seeds.upperBound)
        }
    }
}
