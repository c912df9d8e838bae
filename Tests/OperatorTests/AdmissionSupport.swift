// SPDX-License-Identifier: Apache-2.0
import Admission
import ImagePorts
import Injection
import KubernetesFormat
import KubernetesPorts
import Operator
import Ports
import Synchronization
import Testing

/// A clock whose sleeps take no time.
struct ImmediateClock: AsyncTimeSource {
    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: 5) }
    func secondsSince1970() -> Int64 { 0 }
    func sleep(until time: MonotonicTime) async { await Task.yield() }
}

/// One namespace, or none that can be read.
struct FakeNamespaces: NamespaceSource {
    var here = ["shop": NamespaceFacts(name: "shop")]
    var failure = KubernetesFailure.notFound(path: "/api/v1/namespaces/other")
    /// Known only by asking.
    var later: [String: NamespaceFacts] = [:]
    var isReachable = true

    func known(_ name: String) -> NamespaceFacts? { here[name] }

    func facts(of name: String) async throws(KubernetesFailure) -> NamespaceFacts {
        guard let facts = later[name] ?? (isReachable ? here[name] : nil) else { throw failure }
        return facts
    }
}

struct FakePolicies: PolicySource { var policyState: PolicyState }

/// Answers alike about every image, and keeps what it was asked.
final class FakeImages: ImageCommandSource {
    let questions = Mutex<[String]>([])
    let answer: ImageAnswer?

    /// - Parameter answer: nil: never answers.
    init(_ answer: ImageAnswer?) { self.answer = answer }

    func answers(to question: ImageQuestion, namespace: String) async -> [String: ImageAnswer] {
        questions.withLock { $0 += question.images.map { "\(namespace)/\($0)" } }
        while answer == nil, !Task.isCancelled { await Task.yield() }
        guard let answer else { return [:] }
        return Dictionary(uniqueKeysWithValues: question.images.map { ($0, answer) })
    }
}

/// A pod that is injected, the policy that lets it be, and a handler.
struct AdmissionCase {
    static let policyText = """
        {"vaults":[{"name":"main","address":"https://vault.example.eu:8200","audience":"vault"}],
         "grants":[{"namespaces":["shop"],"vault":"main","roles":["shop-*"],
           "paths":["secret/shop/*"]}],
         "wrapper":{"image":"registry.example.eu/wrapper:1"},"entrypoints":"ENTRYPOINTS"}
        """

    static func policy(
        _ entrypoints: String = "registry"
    ) throws -> CloudTaserPolicy {
        try CloudTaserPolicy(
            spec: Array(policyText.replacing("ENTRYPOINTS", with: entrypoints).utf8))
    }

    var annotations: [String: String] = [
        "cloudtaser.io/inject": "true", "cloudtaser.io/vault-role": "shop-web",
        "cloudtaser.io/secret-paths": "secret/shop/db",
        "cloudtaser.io/env-map": "password=DB_PASSWORD",
    ]
    var command: [String] = ["/bin/web"]
    var state: PolicyState
    var namespaces = FakeNamespaces()
    /// Never asked unless a test says so.
    var images: any ImageCommandSource = FakeImages(.failed("nobody is asked"))
    let metrics = AdmissionMetrics()
    let reports = Reports()

    init() throws { state = .one(try Self.policy()) }

    var pod: JSONTree {
        var pod: JSONTree = [
            "apiVersion": "v1", "kind": "Pod",
            "spec": [
                "containers": [
                    [
                        "name": "web", "image": "app", "unknown": ["kept": 1],
                        "env": [["name": "PLAIN", "value": "hunter2"]],
                    ]
                ]
            ],
        ]
        let notes = annotations.sorted { $0.key < $1.key }.map {
            JSONTree.Member($0.key, .string($0.value))
        }
        pod["metadata"] = ["name": "web", "annotations": .object(notes)]
        if !command.isEmpty, var spec = pod["spec"], var first = spec["containers"]?.elements?[0] {
            first["command"] = .array(command.map { .string($0) })
            spec["containers"] = [first]
            pod["spec"] = spec
        }
        return pod
    }

    func review(
        _ object: JSONTree?, operation: String = "CREATE", namespace: String = "shop",
        resource: String = "pods", subresource: String = "", kind: String = "Pod"
    ) -> [UInt8] {
        var request: JSONTree = [
            "uid": "u-1", "operation": .string(operation), "namespace": .string(namespace),
            "kind": ["group": "", "version": "v1", "kind": .string(kind)],
            "resource": ["group": "", "version": "v1", "resource": .string(resource)],
            "subResource": .string(subresource),
        ]
        request["object"] = object
        return JSONTree.object([
            .init("apiVersion", "admission.k8s.io/v1"), .init("kind", "AdmissionReview"),
            .init("request", request),
        ]).rendered()
    }

    func handler(_ clock: any AsyncTimeSource = ImmediateClock()) -> AdmissionHandler {
        AdmissionHandler(
            policies: FakePolicies(policyState: state), namespaces: namespaces, images: images,
            clock: clock, metrics: metrics
        ) { [reports] in reports.add($0) }
    }

    func answer(
        _ review: [UInt8]? = nil, _ purpose: AdmissionPurpose = .mutate
    ) async throws -> AdmissionAnswer {
        let reply = await handler().reply(to: review ?? self.review(pod), purpose)
        guard case .answer(let answer) = reply else {
            throw UnexpectedReply(reply: reply)
        }
        #expect(answer.uid == "u-1")
        return answer
    }

    /// What a refusal says, with its code before it.
    func refusal(
        _ review: [UInt8]? = nil, _ purpose: AdmissionPurpose = .mutate
    ) async throws -> String {
        guard case .refused(let code, let message) = try await answer(review, purpose).outcome
        else { return "not refused" }
        return "\(code) \(message)"
    }

    /// The pod as the API server would store it.
    func stored(_ pod: JSONTree? = nil) async throws -> JSONTree {
        let pod = pod ?? self.pod
        guard case .patched(let patch) = try await answer(review(pod)).outcome else { return pod }
        return try KubernetesFormat.JSONPatch.apply(JSONTree(patch), to: pod)
    }
}

struct UnexpectedReply: Error { let reply: AdmissionReply }

final class Reports: Sendable {
    private let state = Mutex<[AdmissionReport]>([])
    var all: [AdmissionReport] { state.withLock { $0 } }
    func add(_ report: AdmissionReport) { state.withLock { $0.append(report) } }
}
