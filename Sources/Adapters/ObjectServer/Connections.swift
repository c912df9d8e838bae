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
        /// Since when no request is answered on it; nil: one is.
        var idleSince: NIODeadline?
    }

    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        var isDraining = false
        var isReused = true
    }

    private let state = Mutex(State())
    private let buffered = Atomic(0)
    private let countMax: Int

    init(countMax: Int) { self.countMax = countMax }

    var count: Int { state.withLock { $0.entries.count } }
    /// Whether a connection stays open after an answer.
    var isReused: Bool { state.withLock { $0.isReused } }
    var channels: [any Channel] { state.withLock { $0.entries.values.map(\.channel) } }
    var bufferedBytes: Int { buffered.load(ordering: .relaxed) }

    func add(_ channel: any Channel, at now: NIODeadline) -> Decision {
        state.withLock { state in
            guard !state.isDraining else { return .full }
            var decision = Decision.accepted
            if state.entries.count >= countMax {
                let idle = state.entries.values.compactMap { entry in
                    entry.idleSince.map { (entry.channel, $0) }
                }
                guard let oldest = idle.min(by: { $0.1 < $1.1 })?.0 else { return .full }
                state.entries[ObjectIdentifier(oldest)] = nil
                decision = .acceptedInsteadOf(oldest)
            }
            state.entries[ObjectIdentifier(channel)] = Entry(channel: channel, idleSince: now)
            return decision
        }
    }

    func remove(_ channel: any Channel) {
        state.withLock { $0.entries[ObjectIdentifier(channel)] = nil }
    }

    func setIdle(_ channel: any Channel, since time: NIODeadline?) {
        state.withLock { $0.entries[ObjectIdentifier(channel)]?.idleSince = time }
    }

    /// - Parameter bytes: that are kept from now on, or no more when negative.
    func count(buffered bytes: Int) { buffered.wrappingAdd(bytes, ordering: .relaxed) }

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
}
