// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import Ports

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
