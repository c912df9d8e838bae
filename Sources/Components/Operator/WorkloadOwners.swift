// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import Protection

/// Whose pods are whose: a ReplicaSet's are its Deployment's, a Job's its CronJob's. Each of these
/// owners is asked for once.
struct WorkloadOwners: Sendable {
    /// Owners that are asked for at once.
    static let parallelMax = 8

    struct Owner: Sendable, Hashable {
        let apiVersion: String
        let kind: String
        let name: String
        let uid: String
    }

    /// The plural of kinds that somebody else makes.
    private static let between = ["apps/ReplicaSet": "replicasets", "batch/Job": "jobs"]

    private struct Question: Sendable, Hashable {
        let namespace: String
        let owner: Owner
    }

    private let api: any KubernetesAPI
    /// Who controls it, or itself; of those that were there at the last look.
    private var known: [Question: Owner] = [:]

    init(api: any KubernetesAPI) { self.api = api }

    /// metav1.OwnerReference with `controller`; nil: it is nobody's.
    static func controller(of object: JSONTree) -> Owner? {
        let owners = object.value(at: "metadata", "ownerReferences")?.elements ?? []
        guard let owner = owners.first(where: { $0["controller"] == true }),
            let apiVersion = owner["apiVersion"]?.text, let kind = owner["kind"]?.text,
            let name = owner["name"]?.text, let uid = owner["uid"]?.text
        else { return nil }
        return Owner(apiVersion: apiVersion, kind: kind, name: name, uid: uid)
    }

    /// In the order of the pods.
    mutating func workloads(
        of pods: [ProtectionReports.Followed]
    ) async throws(KubernetesFailure) -> [ReportedWorkload] {
        let questions = pods.map { pod in
            pod.controller.flatMap { Self.resource($0) == nil ? nil : $0 }.map {
                Question(namespace: pod.namespace, owner: $0)
            }
        }
        let wanted = Set(questions.compactMap { $0 })
        known = known.filter { wanted.contains($0.key) }
        let open = wanted.filter { known[$0] == nil }.sorted {
            ($0.namespace, $0.owner.uid) < ($1.namespace, $1.owner.uid)
        }
        for (question, answer) in zip(open, await answers(to: open)) {
            known[question] = try answer.get()
        }
        return zip(pods, questions).map { pod, question in
            let owner = question.flatMap { known[$0] } ?? pod.controller
            return ReportedWorkload(
                namespace: pod.namespace, apiVersion: owner?.apiVersion ?? "v1",
                kind: owner?.kind ?? "Pod", name: owner?.name ?? pod.pod.name,
                uid: owner?.uid ?? pod.uid)
        }
    }

    private static func resource(_ owner: Owner) -> ResourceCollection? {
        let parts = owner.apiVersion.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let resource = between["\(parts[0])/\(owner.kind)"] else {
            return nil
        }
        return ResourceCollection(
            group: String(parts[0]), version: String(parts[1]), resource: resource)
    }

    private func answers(
        to questions: [Question]
    ) async -> [Result<Owner, KubernetesFailure>] {
        await questions.concurrently(atMost: Self.parallelMax) { [api] question in
            do throws(KubernetesFailure) {
                return .success(try await Self.owner(of: question, api))
            } catch { return .failure(error) }
        }
    }

    /// Itself where nobody controls it, it is gone, or it may not be looked at.
    private static func owner(
        of question: Question, _ api: any KubernetesAPI
    ) async throws(KubernetesFailure) -> Owner {
        guard var collection = resource(question.owner) else { return question.owner }
        collection.namespace = question.namespace
        do throws(KubernetesFailure) {
            let object = try await api.get(collection.object(question.owner.name))
            guard let tree = try? JSONTree(object),
                tree.value(at: "metadata", "uid")?.text == question.owner.uid
            else { return question.owner }
            return controller(of: tree) ?? question.owner
        } catch {
            switch error {
            case .notFound, .forbidden: return question.owner
            default: throw error
            }
        }
    }
}

extension Array where Element: Sendable {
    /// Results in the order of the elements.
    func concurrently<Value: Sendable>(
        atMost count: Int, _ work: @escaping @Sendable (Element) async -> Value
    ) async -> [Value] {
        await withTaskGroup(of: (Int, Value).self) { group in
            var found: [(Int, Value)] = []
            for (index, element) in enumerated() {
                if index >= count, let one = await group.next() { found.append(one) }
                group.addTask { (index, await work(element)) }
            }
            for await one in group { found.append(one) }
            return found.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}
