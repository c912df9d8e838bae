// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
package import SimulatedStorage
package import SimulationEngine

/// What goes wrong between a component and its object store. Each behaviour is a fault class of its
/// own, named `objects.…`; the site is the kind of call.
package final class ObjectStoreFaults: @unchecked Sendable {
    package static let host = "store.sim"
    /// How long a call to nobody takes before it is given up.
    package static let callTimeMax = Duration.seconds(10)

    /// Classes whose failure leaves everything as it was.
    static let refusals: [(name: String, failure: ObjectStoreFailure)] = [
        ("objects.slow-down", .slowDown(retryAfterSeconds: 1)),
        ("objects.unreachable", .unreachable(host: host, detail: "connection refused")),
        ("objects.tls", .tlsFailed(host: host, detail: "reset")),
        ("objects.denied", .accessDenied),
        ("objects.conflict", .conflict),
    ]
    /// Classes whose failure comes after the server has done its part.
    static let losses: [(name: String, failure: ObjectStoreFailure)] = [
        ("objects.answer-lost", .connectionLost(host: host)),
        ("objects.server-error", .serverError(status: 500)),
        ("objects.malformed", .responseMalformed(detail: "no XML")),
    ]

    private let run: SimulationRun
    private let clock: SimulatedClock
    private let latency: ClosedRange<Int>

    /// - Parameter latency: of each call, in milliseconds.
    package init(
        run: SimulationRun, clock: SimulatedClock, latency: ClosedRange<Int> = 1...120
    ) {
        self.run = run
        self.clock = clock
        self.latency = latency
    }

    /// A store whose calls meet these faults.
    ///
    /// - Parameter chunkBytes: of a read.
    package func store(
        _ storage: SimulatedStorage, chunkBytes: Int = SimulatedObjectStore.chunkBytes
    ) -> SimulatedObjectStore {
        SimulatedObjectStore(
            storage, chunkBytes: chunkBytes, now: { [clock] in clock.secondsSince1970() },
            begin: { [self] call in await begin(call) },
            edge: { [self] call, count in await edge(call, count) })
    }

    private func begin(_ call: ObjectStoreCall) async -> SimulatedObjectStoreFault? {
        let site = call.verb.rawValue
        let latency = run.choices.draw(in: latency, label: "objects/latency")
        await clock.sleep(for: .milliseconds(latency))
        if run.faults.fires("objects.timed-out", site: site) {
            await clock.sleep(for: Self.callTimeMax)
            let failure = ObjectStoreFailure.timedOut(host: Self.host)
            let isDone = run.choices.happens(1, in: 2, label: "objects/timed-out")
            return isDone ? .answerLost(failure) : .before(failure)
        }
        for (name, failure) in Self.refusals where run.faults.fires(name, site: site) {
            return .before(failure)
        }
        for (name, failure) in Self.losses where run.faults.fires(name, site: site) {
            return .answerLost(failure)
        }
        switch call.verb {
        case .list, .listVersions, .listUploads:
            guard run.faults.fires("objects.stale", site: site) else { return nil }
            return .stale(
                changes: run.choices.draw(
                    in: 1...SimulatedObjectServer.historyMax, label: "objects/stale"))
        default: return nil
        }
    }

    private func edge(_ call: ObjectStoreCall, _ count: Int) async -> ObjectStoreFailure? {
        let site = call.verb.rawValue
        if run.faults.fires("objects.slow", site: site) {
            let pause = run.choices.draw(in: 100...5000, label: "objects/pause")
            await clock.sleep(for: .milliseconds(pause))
        }
        if run.faults.fires("objects.reset", site: site) {
            return .connectionLost(host: Self.host)
        }
        guard call.verb == .read, run.faults.fires("objects.truncated", site: site) else {
            return nil
        }
        return .truncated(expected: Int64(count) + 1, received: Int64(count))
    }
}
