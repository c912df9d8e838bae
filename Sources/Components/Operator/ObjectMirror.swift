// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat
package import KubernetesPorts
internal import Ports
internal import Synchronization

/// Keeps what is read of each object of a collection, by list and watch, as it is now. Whoever only
/// likes to know that something has changed reads nothing of them, and is told.
package final class ObjectMirror<Value: Sendable>: Sendable {
    /// After a failure; it doubles.
    static var firstPause: Duration { .seconds(1) }
    static var pauseMax: Duration { .seconds(30) }
    /// From one list to the next that is made only because values have room again.
    static var roomPause: Duration { .seconds(60) }

    private struct State {
        var kept = KeptValues<Value>()
        /// Whether the collection has been read as a whole at least once.
        var isKnown = false
        var failureCount = 0
        var listCount = 0
        var listed: MonotonicTime?
    }

    private let api: any KubernetesAPI
    private let clock: any AsyncTimeSource
    private let collection: ResourceCollection
    private let selection: ObjectSelection
    private let valuesMax: Int
    private let key: @Sendable (JSONTree) -> String?
    private let changed: @Sendable () -> Void
    private let read: @Sendable (JSONTree) -> Value?
    private let report: @Sendable (KubernetesFailure) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - collection: without namespaces, or of one, unless `key` tells objects of several apart.
    ///   - valuesMax: values that are kept; of more is known only that they are there, until there
    ///     is room for them.
    ///   - key: what an object is known by; nil: it is none.
    ///   - changed: when all has been read, and for each change after that.
    ///   - read: nil: the object does not count.
    package init(
        api: any KubernetesAPI, clock: any AsyncTimeSource, collection: ResourceCollection,
        selection: ObjectSelection = ObjectSelection(), valuesMax: Int = .max,
        report: @escaping @Sendable (KubernetesFailure) -> Void = { _ in },
        changed: @escaping @Sendable () -> Void = {},
        key: @escaping @Sendable (JSONTree) -> String? = { object in
            object.value(at: "metadata", "name")?.text
        },
        read: @escaping @Sendable (JSONTree) -> Value?
    ) {
        self.api = api
        self.clock = clock
        self.collection = collection
        self.selection = selection
        self.valuesMax = valuesMax
        self.key = key
        self.report = report
        self.changed = changed
        self.read = read
    }

    /// nil until the collection has been read once.
    package var values: [String: Value]? {
        state.withLock { $0.isKnown ? $0.kept.values : nil }
    }

    /// Of the objects that count, also those whose values are not kept.
    package var count: Int { state.withLock { $0.kept.count } }
    package var isKnown: Bool { state.withLock { $0.isKnown } }
    package var failureCount: Int { state.withLock { $0.failureCount } }
    package var listCount: Int { state.withLock { $0.listCount } }

    package subscript(name: String) -> Value? { state.withLock { $0.kept.values[name] } }

    /// Until the task is cancelled. What was known stays when the server cannot be reached.
    package func run() async {
        var version: String?
        var pause = Self.firstPause
        while !Task.isCancelled {
            do throws(KubernetesFailure) {
                guard let from = version else {
                    version = try await list()
                    pause = Self.firstPause
                    continue
                }
                let start = clock.monotonic()
                version = try await follow(from)
                pause = Self.firstPause
                // What is marked only has to be read again to be kept.
                if hasRoom(after: Self.roomPause) {
                    version = nil
                    continue
                }
                // A watch that ends at once, again and again, must not keep anybody busy.
                if version == from, start.duration(to: clock.monotonic()) < pause {
                    await clock.sleep(for: pause)
                }
                continue
            } catch {
                guard error != .cancelled else { return }
                // Forgotten by the server: that is no failure.
                if error == .gone, version != nil {
                    version = nil
                    await clock.sleep(for: Self.firstPause)
                    continue
                }
                report(error)
                state.withLock { $0.failureCount += 1 }
                // A version in which something was not understood is not gone on from.
                if !error.isTransient { version = nil }
            }
            await clock.sleep(for: pause)
            pause = min(pause * 2, Self.pauseMax)
        }
    }

    /// - Returns: from where to go on.
    private func list() async throws(KubernetesFailure) -> String {
        var found = KeptValues<Value>()
        var continuation: String?
        var version: String
        var limit = KubernetesLimits.pageItemsMax
        var badCount = 0
        repeat {
            let page = try await page(continuation, &limit)
            for item in page.items {
                // Whoever can make one that is none must not hide the others.
                guard let (name, tree) = try? parsed(item) else {
                    badCount += 1
                    continue
                }
                found.set(read(tree), name, valuesMax: valuesMax)
            }
            version = page.resourceVersion
            continuation = page.continuation
        } while continuation != nil
        let now = clock.monotonic()
        state.withLock { state in
            state.kept = found
            state.isKnown = true
            state.listCount += 1
            state.listed = now
            state.failureCount += badCount
        }
        if badCount > 0 { report(malformed("\(Self.noObject): \(badCount), left out")) }
        changed()
        return version
    }

    /// - Parameter limit: items of a page; halved, for the next ones too, when a page is too large.
    private func page(
        _ continuation: String?, _ limit: inout Int
    ) async throws(KubernetesFailure) -> ObjectPage {
        while true {
            do throws(KubernetesFailure) {
                return try await api.list(
                    collection, selection, limit: limit, continuation: continuation)
            } catch {
                guard case .responseTooLarge = error, limit > 1 else { throw error }
                limit /= 2
            }
        }
    }

    /// Whether more could be kept than is, and the last list is so long ago.
    private func hasRoom(after pause: Duration) -> Bool {
        let now = clock.monotonic()
        return state.withLock { state in
            guard state.kept.hasMarks, state.kept.values.count < valuesMax,
                let listed = state.listed
            else { return false }
            return listed.duration(to: now) >= pause
        }
    }

    private func follow(_ version: String) async throws(KubernetesFailure) -> String {
        let progress = Mutex((version: version, failure: KubernetesFailure?.none))
        do throws(KubernetesFailure) {
            try await api.watch(
                collection, selection, since: version, time: KubernetesLimits.watchTimeMax
            ) { event in
                do throws(KubernetesFailure) {
                    let version = try take(event)
                    progress.withLock { $0.version = version }
                    return hasRoom(after: Self.roomPause) ? .stop : .more
                } catch {
                    progress.withLock { $0.failure = error }
                    return .stop
                }
            }
        } catch {
            // What came before it broke off counts.
            guard error.isTransient, progress.withLock({ $0.version }) != version else {
                throw error
            }
            report(error)
            state.withLock { $0.failureCount += 1 }
        }
        let (last, failure) = progress.withLock { $0 }
        if let failure { throw failure }
        return last
    }

    /// - Returns: the version that the event leads to.
    private func take(_ event: WatchEvent) throws(KubernetesFailure) -> String {
        let object: [UInt8]
        var isDeleted = false
        switch event {
        case .bookmark(let version): return version
        case .added(let bytes), .modified(let bytes): object = bytes
        case .deleted(let bytes): (object, isDeleted) = (bytes, true)
        }
        let (name, tree) = try parsed(object)
        guard let version = tree.value(at: "metadata", "resourceVersion")?.text else {
            throw malformed("an object without a version")
        }
        let value = isDeleted ? nil : read(tree)
        state.withLock { $0.kept.set(value, name, valuesMax: valuesMax) }
        changed()
        return version
    }

    private func parsed(
        _ object: [UInt8]
    ) throws(KubernetesFailure) -> (name: String, tree: JSONTree) {
        guard let tree = try? JSONTree(object), let name = key(tree)
        else { throw malformed("\(Self.noObject): 1") }
        return (name, tree)
    }

    private static var noObject: String { "objects that are no JSON or have no name" }

    private func malformed(_ detail: String) -> KubernetesFailure {
        .responseMalformed(path: collection.path, detail: detail)
    }
}

/// Values by name, and beyond a number of them only marks of their names.
private struct KeptValues<Value: Sendable>: Sendable {
    private(set) var values: [String: Value] = [:]
    private var marks: Set<UInt64> = []

    var count: Int { values.count + marks.count }
    var hasMarks: Bool { !marks.isEmpty }

    /// - Parameter value: nil: there is none any more.
    mutating func set(_ value: Value?, _ name: String, valuesMax: Int) {
        if !marks.isEmpty { marks.remove(StableHash.value(name)) }
        guard value == nil || values[name] != nil || values.count < valuesMax else {
            marks.insert(StableHash.value(name))
            return
        }
        values[name] = value
    }
}
