// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import Synchronization

/// All connections of a server, and what they hold together.
final class Connections: Sendable {
    enum Decision {
        case accepted
        /// Accepted; this one has to make room.
        case acceptedInsteadOf(any Channel)
        case full
    }

    private struct Entry {
        let channel: any Channel
        /// Since when the other side is to send something; nil: it waits for its answer.
        var waitsSince: NIODeadline?
    }

    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        var bufferedBytes = 0
        var isDraining = false
        var isReused = true
    }

    private let state = Mutex(State())
    private let limits: ServerLimits

    init(limits: ServerLimits) { self.limits = limits }

    var count: Int { state.withLock { $0.entries.count } }
    var bufferedBytes: Int { state.withLock { $0.bufferedBytes } }
    /// Whether a connection stays open after an answer.
    var isReused: Bool { state.withLock { $0.isReused } }

    func add(_ channel: any Channel, at now: NIODeadline) -> Decision {
        state.withLock { state in
            guard !state.isDraining else { return .full }
            var decision = Decision.accepted
            if state.entries.count >= limits.connectionCountMax {
                let waiting = state.entries.values.compactMap { entry in
                    entry.waitsSince.map { (entry.channel, $0) }
                }
                guard let oldest = waiting.min(by: { $0.1 < $1.1 })?.0 else { return .full }
                state.entries[ObjectIdentifier(oldest)] = nil
                decision = .acceptedInsteadOf(oldest)
            }
            state.entries[ObjectIdentifier(channel)] = Entry(channel: channel, waitsSince: now)
            return decision
        }
    }

    func remove(_ channel: any Channel) {
        state.withLock { $0.entries[ObjectIdentifier(channel)] = nil }
    }

    func setWaiting(_ channel: any Channel, since time: NIODeadline?) {
        state.withLock { $0.entries[ObjectIdentifier(channel)]?.waitsSince = time }
    }

    /// Whether so many bytes more may be kept; then they are counted.
    func reserve(_ bytes: Int) -> Bool {
        state.withLock { state in
            guard state.bufferedBytes + bytes <= limits.bufferedBytesMax else { return false }
            state.bufferedBytes += bytes
            return true
        }
    }

    func release(_ bytes: Int) { state.withLock { $0.bufferedBytes -= bytes } }

    func endReuse() { state.withLock { $0.isReused = false } }

    /// From now on nobody new is let in.
    ///
    /// - Returns: who is there.
    func beginDraining() -> [any Channel] {
        state.withLock { state in
            state.isDraining = true
            state.isReused = false
            return state.entries.values.map(\.channel)
        }
    }

    var channels: [any Channel] { state.withLock { $0.entries.values.map(\.channel) } }
}
