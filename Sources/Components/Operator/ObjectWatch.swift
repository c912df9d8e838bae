// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import Ports
internal import Synchronization

/// Tells that one object may have changed. What it is now, is read by whom that concerns: a watch
/// can miss things, and shows what was.
struct ObjectWatch: Sendable {
    let api: any KubernetesAPI
    let clock: any AsyncTimeSource
    let object: ObjectReference
    /// After something went wrong.
    let pause: Duration

    /// Until the task is cancelled.
    func run(
        failed: (KubernetesFailure) -> Void, changed: () -> Void
    ) async {
        let selection = ObjectSelection(fields: "metadata.name=" + object.name)
        while !Task.isCancelled {
            do throws(KubernetesFailure) {
                var version = try await api.list(
                    object.collection, selection, limit: 1, continuation: nil
                ).resourceVersion
                changed()
                while !Task.isCancelled {
                    try await api.watch(
                        object.collection, selection, since: version,
                        time: KubernetesLimits.watchTimeMax
                    ) { event in
                        switch event {
                        case .bookmark(let newer): version = newer
                        case .added(let body), .modified(let body), .deleted(let body):
                            version = Self.version(of: body) ?? version
                            changed()
                        }
                        return .more
                    }
                }
            } catch {
                // What was missed by an old version is listed anew.
                if error != .gone, error != .cancelled { failed(error) }
                await clock.sleep(for: pause)
            }
        }
    }

    private static func version(of body: [UInt8]) -> String? {
        (try? JSONTree(body))?.value(at: "metadata", "resourceVersion")?.text
    }
}

/// Wakes one task, by as many as like to. What comes while nobody waits, ends the next wait.
final class WakeUp: Sendable {
    private struct State {
        var isRung = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func ring() {
        let waiting = state.withLock { state in
            state.isRung = state.waiting == nil
            return state.waiting.take()
        }
        waiting?.resume()
    }

    /// Until somebody rings, the time comes, or the task is cancelled.
    func wait(until time: MonotonicTime, clock: any AsyncTimeSource) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await clock.sleep(until: time) }
            group.addTask { await self.rung() }
            await group.next()
            group.cancelAll()
        }
    }

    private func rung() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    let isOver = state.isRung || Task.isCancelled
                    state.isRung = false
                    state.waiting = isOver ? nil : continuation
                    return isOver
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.take() }?.resume()
        }
    }
}
