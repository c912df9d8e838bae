// SPDX-License-Identifier: Apache-2.0
internal import Injection
internal import KubernetesFormat
package import KubernetesPorts
internal import Ports
internal import Synchronization

/// Finds pods that ask and were stored without the wrapper (the webhook's configuration was gone,
/// or they are older), counts them, and tells of each by one Event. It never deletes.
///
/// Of other pods nothing is kept.
package final class UninjectedPods: Sendable {
    package static let collection = ResourceCollection(group: "", version: "v1", resource: "pods")
    /// Pods that are kept by name and told of; others are counted only.
    package static let namedMax = 1000
    /// Events of one look.
    package static let eventsMax = 10
    /// Pods of one look of which telling is tried: some may be where nothing can be told.
    package static let attemptsMax = 20
    package static let lookEvery = Duration.seconds(10)
    package static let reason = "NotInjected"
    /// Containers that an Event names.
    static let containersMax = 8

    package enum Report: Sendable, Equatable {
        case unreadable(KubernetesFailure)
        case notTold(KubernetesFailure)
        case found(namespace: String, pod: String)
    }

    /// Of a pod with bare containers.
    private struct Offender: Sendable {
        let namespace: String
        let name: String
        let uid: String
        let containers: [String]
    }

    /// What one look leaves to the next.
    private struct Memory {
        /// By uid.
        var told: Set<String> = []
        /// Key of the last one that was tried: the next look goes on behind it, so that those of
        /// which nothing can be told keep nobody waiting.
        var tried = ""
    }

    private let api: any KubernetesAPI
    private let clock: any AsyncTimeSource
    private let namespaces: ClusterNamespaces
    private let excluded: Set<String>
    private let report: @Sendable (Report) -> Void
    private let current = Mutex<ObjectMirror<Offender>?>(nil)

    /// - Parameter excluded: namespaces that the webhook is never asked about.
    package init(
        api: any KubernetesAPI, clock: any AsyncTimeSource, namespaces: ClusterNamespaces,
        excluded: Set<String>, report: @escaping @Sendable (Report) -> Void = { _ in }
    ) {
        self.api = api
        self.clock = clock
        self.namespaces = namespaces
        self.excluded = excluded
        self.report = report
    }

    /// nil while nobody looks, or nothing has been read yet.
    package var count: Int? {
        guard let mirror = current.withLock({ $0 }), mirror.isKnown else { return nil }
        return mirror.count
    }

    /// While `isCurrent` and until the task is cancelled.
    package func run(while isCurrent: @escaping @Sendable () -> Bool) async {
        var memory = Memory()
        while isCurrent(), !Task.isCancelled {
            guard let asking = namespaces.asking else {
                await clock.sleep(for: .seconds(1))
                continue
            }
            let mirror = makeMirror()
            current.withLock { $0 = mirror }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await mirror.run() }
                while isCurrent(), !Task.isCancelled, namespaces.asking == asking {
                    await clock.sleep(for: Self.lookEvery)
                    guard isCurrent(), !Task.isCancelled else { break }
                    await tell(mirror, &memory)
                }
                group.cancelAll()
            }
        }
        current.withLock { $0 = nil }
    }

    private func makeMirror() -> ObjectMirror<Offender> {
        ObjectMirror(
            api: api, clock: clock, collection: Self.collection, valuesMax: Self.namedMax,
            report: { [report] in report(.unreadable($0)) },
            key: { object in
                guard let name = object.metadata("name") else { return nil }
                return (object.metadata("namespace") ?? "") + "/" + name
            },
            read: { [self] in offender($0) })
    }

    private func offender(_ object: JSONTree) -> Offender? {
        guard let name = object.metadata("name"), let namespace = object.metadata("namespace"),
            let uid = object.metadata("uid"), !excluded.contains(namespace),
            object.value(at: "metadata", "deletionTimestamp") == nil,
            !["Succeeded", "Failed"].contains(object.value(at: "status", "phase")?.text)
        else { return nil }
        let facts = namespaces.known(namespace) ?? NamespaceFacts(name: namespace)
        let bare = StoredPod.bareContainers(of: object.rendered(), in: facts)
        guard !bare.isEmpty else { return nil }
        return Offender(
            namespace: namespace, name: name, uid: uid,
            containers: Array(bare.prefix(Self.containersMax)))
    }

    // MARK: - Events

    private func tell(_ mirror: ObjectMirror<Offender>, _ memory: inout Memory) async {
        let offenders = mirror.values ?? [:]
        // What is gone need not be remembered.
        memory.told.formIntersection(offenders.values.map(\.uid))
        let waiting = offenders.filter { !memory.told.contains($0.value.uid) }
            .sorted { $0.key < $1.key }
        let start = waiting.firstIndex { $0.key > memory.tried } ?? 0
        var count = 0
        for (key, offender) in (waiting[start...] + waiting[..<start]).prefix(Self.attemptsMax) {
            guard count < Self.eventsMax, !Task.isCancelled else { return }
            memory.tried = key
            do throws(KubernetesFailure) {
                _ = try await api.create(
                    event(of: offender).rendered(at: clock.secondsSince1970()),
                    in: WarningEvent.collection(in: offender.namespace), WriteOptions())
                count += 1
                report(.found(namespace: offender.namespace, pod: offender.name))
            } catch {
                // Somebody who led before has told of it.
                if case .alreadyExists = error {
                } else {
                    report(.notTold(error))
                    continue
                }
            }
            memory.told.insert(offender.uid)
        }
    }

    /// Its name is the pod's and its uid's: whoever leads next makes no other.
    private func event(of offender: Offender) -> WarningEvent {
        WarningEvent(
            name: "cloudtaser.\(offender.uid)", kind: "Pod", namespace: offender.namespace,
            objectName: offender.name, uid: offender.uid, reason: Self.reason,
            message: "asks for secrets, but starts without the wrapper: "
                + offender.containers.joined(separator: ", ")
                + "; delete the pod, so that its next one is injected")
    }
}

extension JSONTree {
    fileprivate func metadata(_ name: String) -> String? { value(at: "metadata", name)?.text }
}
