// SPDX-License-Identifier: Apache-2.0
import Inspector
import Inventory
import KubernetesPorts
import Synchronization
import Testing

/// Lists by plan: pages by resource, and what to say instead.
private final class Planned: KubernetesReading {
    typealias Page = Result<[String], KubernetesFailure>
    private let plan: @Sendable (ResourceCollection, Int) -> Page?
    private let calls = Mutex<[ResourceCollection]>([])

    init(_ plan: @escaping @Sendable (ResourceCollection, Int) -> Page?) { self.plan = plan }

    var asked: [ResourceCollection] { calls.withLock { $0 } }

    func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        throw .notFound(path: "")
    }

    func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        let number = calls.withLock { calls in
            calls.append(collection)
            return calls.count { $0 == collection } - 1
        }
        let items = try (plan(collection, number) ?? .success([])).get()
        let isMore = items.last == "more"
        return ObjectPage(
            items: items.filter { $0 != "more" }.map { Array($0.utf8) }, resourceVersion: "1",
            continuation: isMore ? "\(number + 1)" : nil)
    }
}

private func named(_ name: String) -> String {
    #"{"metadata":{"name":"\#(name)","namespace":"shop"},"spec":{"containers":[]}}"#
}

@Suite("A scan of a cluster") struct ClusterScanTests {
    @Test func `reads all pages of all kinds, and gives each item its kind`() async throws {
        let reader = Planned { collection, number in
            switch (collection.resource, number) {
            case ("pods", 0): .success([named("a"), "more"])
            case ("pods", 1): .success([named("b")])
            case ("deployments", 0): .success([named("web")])
            case ("sealedsecrets", _): .failure(.notFound(path: ""))
            default: nil
            }
        }
        let outcome = try await ClusterScan(reader).run()
        #expect(
            outcome.objects.map { "\($0.group) \($0.reference)" } == [
                " Pod shop/a", " Pod shop/b", "apps Deployment shop/web",
            ])
        #expect(outcome.unread.isEmpty)
        #expect(reader.asked.allSatisfy { $0.namespace == nil })
        #expect(Set(reader.asked.map(\.resource)) == Set(ScannedKind.all.map(\.resource)))
    }

    @Test func `ends with a server whose lists do not end, and says so`() async throws {
        let empty = Planned { collection, _ in
            collection.resource == "pods" ? .success(["more"]) : nil
        }
        let outcome = try await ClusterScan(empty, pagesMax: 3).run()
        #expect(outcome.unread.map(\.reason) == ["come on more than 3 pages"])
        #expect(empty.asked.count { $0.resource == "pods" } == 3)
        // At the edge: as many pages as there may be.
        let last = Planned { collection, number in
            collection.resource == "pods" ? .success(number < 2 ? ["more"] : [named("a")]) : nil
        }
        let whole = try await ClusterScan(last, pagesMax: 3).run()
        #expect(whole.unread.isEmpty && whole.objects.count == 1)
    }

    @Test func `fetches no more of a kind that has more objects than may be looked at`()
        async throws
    {
        func scan(_ objectsMax: Int) async throws -> (ClusterScan.Outcome, pages: Int) {
            let reader = Planned { collection, number in
                guard collection.resource == "pods" else { return nil }
                return .success(
                    [named("a\(number)"), named("b\(number)")] + (number < 4 ? ["more"] : []))
            }
            let outcome = try await ClusterScan(reader, objectsMax: objectsMax).run()
            return (outcome, reader.asked.count { $0.resource == "pods" })
        }
        let (outcome, pages) = try await scan(5)
        #expect(pages == 3 && outcome.unread.count == 1)
        #expect(outcome.unread.first?.reason.hasPrefix("has more than 5 objects") == true)
        let (whole, all) = try await scan(10)
        #expect(all == 5 && whole.unread.isEmpty && whole.objects.count == 10)
    }

    @Test(
        arguments: [
            (KubernetesFailure.forbidden(message: "no"), "may not be listed"),
            (.timedOut(host: "h"), "no answer in time"),
            (.serverError(status: 500, retryAfterSeconds: nil), "failed (500)"),
            (.notFound(path: ""), "does not know this kind"), (.gone, "changes faster"),
            (.responseTooLarge(path: "", limit: 9), "larger than 9"),
        ])
    func `is not complete when a kind is not read`(
        _ failure: KubernetesFailure, _ reason: String
    ) async throws {
        let reader = Planned { collection, number in
            switch (collection.resource, number) {
            // After its first page: what was read of it does not stand for all.
            case ("pods", 0): .success([named("a"), "more"])
            case ("pods", _): .failure(failure)
            case ("deployments", 0): .success([named("web")])
            default: nil
            }
        }
        let outcome = try await ClusterScan(reader).run()
        #expect(outcome.unread.map(\.source) == ["the cluster's pods"])
        #expect(outcome.unread.allSatisfy { $0.reason.contains(reason) })
        #expect(outcome.objects.contains { $0.name == "web" })
    }

    @Test func `begins a list anew whose pages grew too old`() async throws {
        let reader = Planned { collection, number in
            guard collection.resource == "pods" else { return nil }
            return switch number {
            case 0: .success([named("a"), "more"])
            case 1: .failure(.gone)
            default: .success([named("a"), named("b")])
            }
        }
        let outcome = try await ClusterScan(reader).run()
        #expect(outcome.objects.map(\.name) == ["a", "b"])
        #expect(outcome.unread.isEmpty)
    }

    @Test func `asks for an older version where the newer is not known`() async throws {
        let reader = Planned { collection, _ in
            guard collection.resource == "cronjobs" else { return nil }
            return collection.version == "v1beta1"
                ? .success([named("nightly")]) : .failure(.notFound(path: ""))
        }
        let outcome = try await ClusterScan(reader).run()
        #expect(outcome.objects.map(\.reference) == ["CronJob shop/nightly"])
        #expect(outcome.unread.isEmpty)
    }

    @Test(
        arguments: [
            KubernetesFailure.unreachable(host: "h", detail: ""), .unauthorized,
            .tlsFailed(host: "h", detail: ""),
        ])
    func `ends at once when nothing can be read`(_ failure: KubernetesFailure) async throws {
        let reader = Planned { _, _ in .failure(failure) }
        await #expect(throws: failure) { _ = try await ClusterScan(reader).run() }
        #expect(reader.asked.count == 1)
    }

    @Test func `looks at one namespace, and at what has none`() async throws {
        let reader = Planned { _, _ in nil }
        _ = try await ClusterScan(reader, namespace: "shop").run()
        for collection in reader.asked {
            let kind = try #require(ScannedKind.all.first { $0.resource == collection.resource })
            #expect(collection.namespace == (kind.isNamespaced ? "shop" : nil))
        }
    }

    @Test func `tells how far it is`() async throws {
        let reader = Planned { collection, _ in
            collection.resource == "nodes" ? .success([#"{"metadata":{"name":"n"}}"#]) : nil
        }
        var told: [ClusterScan.Progress] = []
        _ = try await ClusterScan(reader).run { told.append($0) }
        #expect(told.count == ScannedKind.all.count)
        #expect(told.first { $0.kind == "Node" }?.count == 1)
        #expect(told.last?.done == ScannedKind.all.count - 1)
    }

    @Test func `what is no object is told`() async throws {
        let reader = Planned { collection, _ in
            collection.resource == "pods" ? .success(["[]", #"{"metadata":{}}"#]) : nil
        }
        let outcome = try await ClusterScan(reader).run()
        #expect(outcome.unread.count == 2 && outcome.objects.isEmpty)
    }
}

@Suite("What may be read of a cluster") struct ReadingRightsTests {
    @Test func `one object of each kind is asked for, and refusals are told`() async throws {
        let reader = Planned { collection, _ in
            switch (collection.resource, collection.version) {
            case ("secrets", _): .failure(.forbidden(message: ""))
            case ("sealedsecrets", _): .failure(.notFound(path: ""))
            case ("cronjobs", "v1"): .failure(.notFound(path: ""))
            default: .success([named("a"), "more"])
            }
        }
        let answers = try await ReadingRights(reader, namespace: "shop").answers()
        let failed = answers.filter { $0.failure != nil }
        #expect(failed.map(\.name) == ["secrets"])
        // A custom kind that is not there is no right that is missing.
        #expect(!answers.contains { $0.name == "sealedsecrets.bitnami.com" })
        #expect(answers.contains { $0.name == "cronjobs.batch" })
        #expect(answers.count == ScannedKind.all.count - 1)
        let pods = reader.asked.filter { $0.resource == "pods" }
        #expect(pods.map(\.namespace) == ["shop"])
        #expect(reader.asked.filter { $0.resource == "nodes" }.map(\.namespace) == [nil])
    }

    @Test func `what concerns everything ends it`() async {
        let reader = Planned { _, _ in .failure(.unauthorized) }
        await #expect(throws: KubernetesFailure.unauthorized) {
            try await ReadingRights(reader).answers()
        }
        #expect(reader.asked.count == 1)
    }
}
