// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import SimulatedCluster
import Synchronization
import Testing

/// A server whose pages are changed on their way, and whose watches say nothing but when told to.
private final class ChangedPages: ForwardingKubernetesAPI {
    let cluster = SimulatedCluster()
    let api: any KubernetesAPI
    /// Added to every page.
    let strays = Mutex<[[UInt8]]>([])
    /// Items that fit into an answer.
    let roomFor = Mutex(Int.max)
    let limits = Mutex<[Int]>([])

    init() {
        cluster.withServer { $0.addUser(.administrator, token: "token") }
        api = SimulatedKubernetesAPI(
            cluster, token: "token", clock: AsyncClock(), watchPause: .milliseconds(1))
    }

    func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        limits.withLock { $0.append(limit) }
        var page = try await api.list(
            collection, selection, limit: limit, continuation: continuation)
        guard page.items.count <= roomFor.withLock({ $0 }) else {
            throw .responseTooLarge(path: collection.path, limit: 1)
        }
        page.items.insert(contentsOf: strays.withLock { $0 }, at: 0)
        return page
    }

    func put(_ name: String) async throws {
        let object: JSONTree = [
            "apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)],
        ]
        _ = try await api.create(
            object.rendered(), in: ClusterNamespaces.collection, WriteOptions())
    }

    func delete(_ name: String) async throws {
        try await api.delete(
            ClusterNamespaces.collection.object(name), DeletePreconditions(), WriteOptions())
    }
}

/// A time that is set, and sleeps of a millisecond.
private final class SetClock: AsyncTimeSource {
    let seconds = Mutex<Int64>(5)
    private let clock = AsyncClock()

    func monotonic() -> MonotonicTime {
        MonotonicTime(nanoseconds: seconds.withLock { UInt64($0) * 1_000_000_000 })
    }
    func secondsSince1970() -> Int64 { 0 }
    func sleep(until time: MonotonicTime) async { await clock.sleep(for: .milliseconds(1)) }
}

private func eventually(_ isTrue: () -> Bool) async throws {
    while !isTrue() { try await Task.sleep(for: .milliseconds(2)) }
}

@Suite("Lists of a mirror", .timeLimit(.minutes(5))) struct MirrorListTests {
    private typealias Mirror = ObjectMirror<String>

    private func following(
        _ pages: ChangedPages, clock: SetClock = SetClock(), valuesMax: Int = .max,
        report: @escaping @Sendable (KubernetesFailure) -> Void = { _ in },
        _ body: (Mirror) async throws -> Void
    ) async throws {
        let mirror = Mirror(
            api: pages, clock: clock, collection: ClusterNamespaces.collection,
            valuesMax: valuesMax, report: report,
            read: { $0.value(at: "metadata", "name")?.text })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await mirror.run() }
            try await body(mirror)
            group.cancelAll()
        }
    }

    @Test func `leave out what is no object, and say how many`() async throws {
        let pages = ChangedPages()
        try await pages.put("shop")
        pages.strays.withLock {
            $0 = [
                Array("{".utf8), Array("{}".utf8), Array(#"{"metadata":{"name":1}}"#.utf8),
                Array(#"{"metadata":{"name":"a","name":"b"}}"#.utf8),
            ]
        }
        let failures = Mutex<[KubernetesFailure]>([])
        try await following(pages, report: { failure in failures.withLock { $0.append(failure) } })
        { mirror in
            try await eventually { mirror.isKnown }
            #expect(mirror.values?.keys.contains("shop") == true)
            #expect(mirror.values?["a"] == nil && mirror.values?["b"] == nil)
            #expect(mirror.failureCount == 4 && mirror.listCount == 1)
            // It goes on from there.
            try await pages.put("late")
            try await eventually { mirror["late"] != nil }
        }
        #expect(
            failures.withLock { $0 } == [
                .responseMalformed(
                    path: ClusterNamespaces.collection.path,
                    detail: "objects that are no JSON or have no name: 4, left out")
            ])
    }

    @Test func `do not take two names for one because they look alike`() async throws {
        let pages = ChangedPages()
        let alike = #"{"metadata":{"name":"alike","labels":{"\u00E9":"1","e\u0301":"2"}}}"#
        pages.strays.withLock { $0 = [Array(alike.utf8)] }
        try await following(pages) { mirror in
            try await eventually { mirror.isKnown }
            #expect(mirror["alike"] == "alike" && mirror.failureCount == 0)
        }
    }

    @Test func `ask for half a page until it is not too large`() async throws {
        let pages = ChangedPages()
        for index in 0..<9 { try await pages.put("n\(index)") }
        pages.roomFor.withLock { $0 = 2 }
        try await following(pages) { mirror in
            try await eventually { mirror.isKnown }
            #expect((0..<9).allSatisfy { mirror["n\($0)"] != nil })
            #expect(mirror.failureCount == 0)
        }
        let most = KubernetesLimits.pageItemsMax
        let limits = pages.limits.withLock { $0 }
        #expect(limits.starts(with: [most, most / 2, most / 4]))
        // Once found, what fits is kept to.
        #expect(limits.last.map { $0 <= 3 } == true && limits.count { $0 > 3 } <= 8)
    }

    @Test func `fail where not even one object fits`() async throws {
        let pages = ChangedPages()
        try await pages.put("shop")
        pages.roomFor.withLock { $0 = 0 }
        let failures = Mutex<[KubernetesFailure]>([])
        try await following(pages, report: { failure in failures.withLock { $0.append(failure) } })
        { mirror in
            try await eventually { mirror.failureCount > 0 }
            #expect(!mirror.isKnown)
        }
        #expect(pages.limits.withLock { $0.contains(1) && !$0.contains(0) })
        let path = ClusterNamespaces.collection.path
        #expect(failures.withLock { $0.first } == .responseTooLarge(path: path, limit: 1))
    }

    @Test func `are made again when there is room for what is only marked`() async throws {
        let pages = ChangedPages()
        for name in ["a", "b", "c", "d"] { try await pages.put(name) }
        let clock = SetClock()
        try await following(pages, clock: clock, valuesMax: 2) { mirror in
            try await eventually { mirror.isKnown }
            let first = mirror.count
            #expect(mirror.values?.count == 2 && first >= 4)
            try await pages.delete(try #require(mirror.values?.keys.min()))
            try await eventually { mirror.count == first - 1 }
            // Not before its time: the values of a cluster that changes are not read for ever.
            try await pages.put("e")
            try await pages.delete("e")
            #expect(mirror.listCount == 1)
            clock.seconds.withLock { $0 += 61 }
            try await eventually { mirror.listCount == 2 }
            #expect(mirror.values?.count == 2 && mirror.count == first - 1)
            // Nothing is left to be read, and nothing is.
            clock.seconds.withLock { $0 += 61 }
            try await pages.put("f")
            try await eventually { mirror.count == first }
            #expect(mirror.listCount == 2)
        }
    }
}
