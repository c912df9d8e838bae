// SPDX-License-Identifier: Apache-2.0
package import Admission
package import ImagePorts
package import Injection
package import KubernetesPorts
internal import Ports

/// What a webhook is called for.
package enum AdmissionPurpose: String, Sendable, CaseIterable {
    /// Pods are changed.
    case mutate
    /// Pods that would still have to be changed are refused: nothing comes after it.
    case validate
}

/// What is sent back.
package enum AdmissionReply: Sendable, Equatable {
    case answer(AdmissionAnswer)
    /// There is no review that could be answered.
    case badRequest(AdmissionFailure)
}

/// Answers reviews of pods. Whatever is not known or not understood is refused.
package struct AdmissionHandler: Sendable {
    /// Of whatever has to be asked for an answer; the API server waits 5 s.
    package static let askTimeMax = Duration.seconds(4)

    private let policies: any PolicySource
    private let namespaces: any NamespaceSource
    private let images: any ImageCommandSource
    private let selector: OptInSelector
    private let clock: any AsyncTimeSource
    private let metrics: AdmissionMetrics
    private let report: @Sendable (AdmissionReport) -> Void

    /// - Parameter selector: what the webhook's configuration selects by.
    package init(
        policies: any PolicySource, namespaces: any NamespaceSource,
        images: any ImageCommandSource, selector: OptInSelector = .either,
        clock: any AsyncTimeSource, metrics: AdmissionMetrics,
        report: @escaping @Sendable (AdmissionReport) -> Void = { _ in }
    ) {
        self.policies = policies
        self.namespaces = namespaces
        self.images = images
        self.selector = selector
        self.clock = clock
        self.metrics = metrics
        self.report = report
    }

    /// - Parameter body: of the request.
    package func reply(to body: [UInt8], _ purpose: AdmissionPurpose) async -> AdmissionReply {
        let start = clock.monotonic()
        metrics.began(purpose)
        let request: AdmissionRequest
        do throws(AdmissionFailure) { request = try AdmissionRequest(body) } catch {
            metrics.ended(purpose, status: 400, after: start.duration(to: clock.monotonic()))
            return .badRequest(error)
        }
        let verdict = await verdict(on: request, purpose)
        metrics.decided(purpose, verdict.decision)
        metrics.ended(purpose, status: 200, after: start.duration(to: clock.monotonic()))
        if case .refused(_, let message) = verdict.outcome {
            report(
                AdmissionReport(
                    uid: request.uid, namespace: request.namespace, purpose: purpose,
                    isDryRun: request.isDryRun, reason: AdmissionAnswer.shown(message)))
        }
        return .answer(
            AdmissionAnswer(
                uid: request.uid, outcome: verdict.outcome, warnings: verdict.warnings))
    }

    // MARK: - Decisions

    private struct Verdict {
        var decision: AdmissionDecision
        var outcome: AdmissionAnswer.Outcome
        var warnings: [String] = []

        static func refused(_ code: Int, _ message: String) -> Verdict {
            Verdict(decision: .refused, outcome: .refused(code: code, message: message))
        }
    }

    private func verdict(
        on request: AdmissionRequest, _ purpose: AdmissionPurpose
    ) async -> Verdict {
        let operation: PodReview.Operation
        switch PodOperation(request) {
        case .decided(let known): operation = known
        // What is there already may be deleted and have its finalizers removed.
        case .leftAlone: return Verdict(decision: .unchanged, outcome: .allowed)
        case .unknown(let reason): return .refused(400, reason)
        }
        guard let pod = request.object else {
            return .refused(400, "request.object is missing; send the pod")
        }
        if let known = namespaces.known(request.namespace) {
            let verdict = await verdict(on: pod, operation, in: known, purpose)
            // The API server asks about a pod that says nothing because its namespace does. A watch
            // that is behind must not say otherwise.
            guard verdict.decision == .notAsked, StoredPod.saysNothing(pod) else { return verdict }
        }
        switch await readNamespace(request.namespace) {
        case .success(let facts): return await verdict(on: pod, operation, in: facts, purpose)
        case .failure(let failure):
            return .refused(
                503, "namespace \(request.namespace) cannot be read (\(failure)); try again")
        }
    }

    private func verdict(
        on pod: [UInt8], _ operation: PodReview.Operation, in facts: NamespaceFacts,
        _ purpose: AdmissionPurpose
    ) async -> Verdict {
        let review = PodReview(
            operation: operation, pod: pod, namespace: facts, selector: selector)
        let state = policies.policyState
        guard case .one(let policy) = state else {
            return withoutPolicy(review, state)
        }
        var known: [String: ImageAnswer] = [:]
        if let question = Injection.question(about: review, policy: policy) {
            known = await answers(to: question, namespace: facts.name)
        }
        return verdict(Injection.decide(review, policy: policy) { known[$0] }, purpose)
    }

    /// Who does not ask is let through all the same.
    private func withoutPolicy(_ review: PodReview, _ state: PolicyState) -> Verdict {
        let answer = Injection.decide(review, policy: nil) { _ in nil }
        guard case .refused = answer.decision, review.operation == .create else {
            return verdict(answer, .mutate)
        }
        return .refused(
            state == .unknown ? 503 : 403,
            "\(PodAnnotation.inject.path): asks, but \(state.obstacle ?? "there is no policy")")
    }

    private func verdict(_ answer: InjectionAnswer, _ purpose: AdmissionPurpose) -> Verdict {
        var verdict = Verdict(decision: .unchanged, outcome: .allowed, warnings: answer.warnings)
        switch answer.decision {
        case .unchanged: break
        case .notAskedFor: verdict.decision = .notAsked
        case .patch(let patch) where purpose == .mutate:
            verdict.decision = .patched
            verdict.outcome = .patched(patch.json)
        case .patch:
            verdict.decision = .refused
            verdict.outcome = .refused(
                code: 403,
                message: "\(PodAnnotation.inject.path): asks, but not everything is wrapped; "
                    + "have the webhook /mutate called after all that change pods")
        case .refused(let refusals):
            verdict.decision = .refused
            verdict.outcome = .refused(
                code: 403, message: refusals.map(\.message).joined(separator: "\n"))
        }
        return verdict
    }

    // MARK: - What has to be asked

    private func answers(
        to question: ImageQuestion, namespace: String
    ) async -> [String: ImageAnswer] {
        let found = await clock.within(Self.askTimeMax) {
            await images.answers(to: question, namespace: namespace)
        }
        var answers = found ?? [:]
        for image in question.images where answers[image] == nil {
            answers[image] = .failed("no registry answered in time")
        }
        return answers
    }

    private func readNamespace(
        _ name: String
    ) async -> Result<NamespaceFacts, KubernetesFailure> {
        let answer = await clock.within(Self.askTimeMax) {
            () async -> Result<NamespaceFacts, KubernetesFailure> in
            do throws(KubernetesFailure) {
                return .success(try await namespaces.facts(of: name))
            } catch { return .failure(error) }
        }
        return answer ?? .failure(.timedOut(host: "the API server"))
    }
}

/// What a review means for a pod.
private enum PodOperation {
    case decided(PodReview.Operation)
    case leftAlone
    case unknown(String)

    init(_ request: AdmissionRequest) {
        let resource = request.resource
        guard resource.group.isEmpty, resource.version == "v1", resource.resource == "pods" else {
            self = .unknown("only pods of v1 are reviewed; take others out of the webhook's rules")
            return
        }
        switch (resource.subresource, request.operation) {
        case ("", .create): self = Self.ofPod(.create, request)
        case ("", .update), ("", .delete): self = .leftAlone
        case ("ephemeralcontainers", .update): self = Self.ofPod(.ephemeralContainers, request)
        default:
            self = .unknown(
                "only the creation of pods and pods/ephemeralcontainers are reviewed; take others "
                    + "out of the webhook's rules")
        }
    }

    private static func ofPod(
        _ operation: PodReview.Operation, _ request: AdmissionRequest
    ) -> PodOperation {
        request.objectKind == "Pod"
            ? .decided(operation)
            : .unknown("request.kind is not Pod, as it is from Kubernetes 1.23 on")
    }
}

/// A refusal, for a log. The reason names fields, never values of a pod's environment.
package struct AdmissionReport: Sendable, Equatable {
    package let uid: String
    package let namespace: String
    package let purpose: AdmissionPurpose
    package let isDryRun: Bool
    package let reason: String
}
