// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
package import KubernetesPorts
internal import Ports

/// One call of the `KubernetesAPI` port, as a plan of failures sees it.
package struct KubernetesCall: Sendable, Equatable {
    package enum Verb: String, Sendable { case get, list, watch, create, replace, patch, delete }

    package let verb: Verb
    package let collection: ResourceCollection
    /// Empty for a whole collection.
    package let name: String
}

/// How a planted failure meets a call.
package enum SimulatedKubernetesFault: Sendable, Equatable {
    /// The server never saw the call.
    case before(KubernetesFailure)
    /// The server did what was asked; the answer was lost. A watch breaks off after its next event.
    case answerLost(KubernetesFailure)
}

/// `KubernetesAPI` straight on a SimulatedCluster, without HTTP, TLS or files.
package struct SimulatedKubernetesAPI: KubernetesAPI {
    /// Between two looks of a watch at the history.
    package static let watchPause = Duration.milliseconds(50)
    /// How long a watch is silent before it gets a bookmark.
    package static let bookmarkAfter = Duration.seconds(60)

    private let cluster: SimulatedCluster
    private let token: String?
    private let clock: any AsyncTimeSource
    /// Called at the start of each call: takes the time that the network takes, and says whether
    /// the call fails.
    private let begin: @Sendable (KubernetesCall) async -> SimulatedKubernetesFault?
    private let pause: Duration

    package init(
        _ cluster: SimulatedCluster, token: String?, clock: any AsyncTimeSource,
        watchPause: Duration = Self.watchPause,
        begin: @escaping @Sendable (KubernetesCall) async -> SimulatedKubernetesFault? = { _ in nil
        }
    ) {
        self.cluster = cluster
        self.token = token
        self.clock = clock
        self.begin = begin
        pause = watchPause
    }

    package func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        let lost = try await begin(.get, object.collection, object.name)
        let found = try cluster.attempt(object.path) {
            server throws(SimulatedAPIServer.Refusal) in
            try server.get(object, token: token).rendered()
        }
        if let lost { throw lost }
        return found
    }

    package func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        let lost = try await begin(.list, collection, "")
        let page = try cluster.attempt(collection.path) {
            server throws(SimulatedAPIServer.Refusal) in
            try server.list(
                collection, selection, limit: limit, continuation: continuation, token: token)
        }
        if let lost { throw lost }
        return page
    }

    package func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure) {
        let lost = try await begin(.watch, collection, "")
        let path = collection.path
        try cluster.attempt(path) { server throws(SimulatedAPIServer.Refusal) in
            try server.beginWatch(collection, token: token)
        }
        var version = resourceVersion
        let end = clock.monotonic().advanced(by: min(time, KubernetesLimits.watchTimeMax))
        var bookmarkAt = clock.monotonic().advanced(by: Self.bookmarkAfter)
        while true {
            let since = version
            let (events, upTo) = try cluster.attempt(path) {
                server throws(SimulatedAPIServer.Refusal) in
                try server.changes(collection, selection, since: since)
            }
            version = upTo
            for event in events {
                guard await receive(event) == .more else { return }
                if let lost { throw lost }
            }
            let now = clock.monotonic()
            if !events.isEmpty { bookmarkAt = now.advanced(by: Self.bookmarkAfter) }
            if now >= bookmarkAt || now >= end {
                let bookmark = WatchEvent.bookmark(resourceVersion: version)
                guard await receive(bookmark) == .more, now < end else { return }
                bookmarkAt = now.advanced(by: Self.bookmarkAfter)
            }
            guard !Task.isCancelled else { throw .cancelled }
            await clock.sleep(until: min(end, now.advanced(by: pause)))
            guard !Task.isCancelled else { throw .cancelled }
        }
    }

    package func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        let lost = try await begin(.create, collection, "")
        return try await write(collection.path, lost) {
            server throws(SimulatedAPIServer.Refusal) in
            try server.prepareCreate(object, in: collection, options, token: token)
        }
    }

    package func create(
        _ object: [UInt8], at reference: ObjectReference, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        _ = try await begin(.create, reference.collection, reference.name)
        // No subresource of the simulated types makes anything.
        throw .notFound(path: reference.path)
    }

    package func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        let lost = try await begin(.replace, reference.collection, reference.name)
        return try await write(reference.path, lost) {
            server throws(SimulatedAPIServer.Refusal) in
            try server.prepareReplace(reference, object, options, token: token)
        }
    }

    package func patch(
        _ reference: ObjectReference, _ kind: PatchKind, _ patch: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        let lost = try await begin(.patch, reference.collection, reference.name)
        return try await write(reference.path, lost) {
            server throws(SimulatedAPIServer.Refusal) in
            try server.preparePatch(reference, kind, patch, options, token: token)
        }
    }

    package func delete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions, _ options: WriteOptions
    ) async throws(KubernetesFailure) {
        let lost = try await begin(.delete, reference.collection, reference.name)
        try cluster.attempt(reference.path) { server throws(SimulatedAPIServer.Refusal) in
            try server.prepareDelete(reference, preconditions, token: token)
            if !options.isDryRun { try server.delete(reference) }
        }
        if let lost { throw lost }
    }

    // MARK: - Steps

    /// - Returns: the failure to throw after the server has done its part.
    private func begin(
        _ verb: KubernetesCall.Verb, _ collection: ResourceCollection, _ name: String
    ) async throws(KubernetesFailure) -> KubernetesFailure? {
        guard !Task.isCancelled else { throw .cancelled }
        let fault = await begin(
            KubernetesCall(verb: verb, collection: collection, name: name))
        guard !Task.isCancelled else { throw .cancelled }
        switch fault {
        case .before(let failure): throw failure
        case .answerLost(let failure): return failure
        case nil: return nil
        }
    }

    private func write(
        _ path: String, _ lost: KubernetesFailure?,
        _ prepare: (inout SimulatedAPIServer) throws(SimulatedAPIServer.Refusal) ->
            SimulatedAPIServer.Pending
    ) async throws(KubernetesFailure) -> [UInt8] {
        let pending = try cluster.attempt(path, prepare)
        let admitted = try await cluster.admit(pending)
        let stored = try cluster.attempt(path) { server throws(SimulatedAPIServer.Refusal) in
            try server.commit(admitted).rendered()
        }
        if let lost { throw lost }
        return stored
    }
}
