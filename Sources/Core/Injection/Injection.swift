// SPDX-License-Identifier: Apache-2.0

/// A pod that the API server asks about.
package struct PodReview: Sendable {
    package enum Operation: Sendable, Equatable {
        case create
        /// Also of metadata and of images. Never changed: finalizers must stay removable.
        case update
        /// Of the subresource `ephemeralcontainers`.
        case ephemeralContainers
    }

    package var operation: Operation
    /// The object, in JSON as it came.
    package var pod: [UInt8]
    package var namespace: NamespaceFacts
    /// What the webhook's configuration selects by.
    package var selector: OptInSelector

    package init(
        operation: Operation = .create, pod: [UInt8], namespace: NamespaceFacts,
        selector: OptInSelector = .either
    ) {
        self.operation = operation
        self.pod = pod
        self.namespace = namespace
        self.selector = selector
    }
}

/// What is to be answered.
package enum InjectionDecision: Sendable, Equatable {
    /// The pod did not ask, and is left alone.
    case notAskedFor
    /// Nothing is to be changed: everything is as it is to be.
    case unchanged
    case patch(JSONPatch)
    /// At least one, the first that was found first.
    case refused([Refusal])
}

package struct InjectionAnswer: Sendable, Equatable {
    package var decision: InjectionDecision
    /// For whoever created the pod; without values of environment entries.
    package var warnings: [String]

    package init(decision: InjectionDecision, warnings: [String] = []) {
        self.decision = decision
        self.warnings = warnings
    }
}

extension [String] {
    /// Adds a warning that nobody makes when there are enough: a pod may give cause for millions.
    mutating func warn(_ text: @autoclosure () -> String) {
        if count < InjectionLimits.warningCountMax { append(text()) }
    }
}

/// From a pod, a policy and what is known of its images to a patch or a refusal. Pure.
package enum Injection {
    /// - Parameters:
    ///   - policy: nil when there is none: whoever asks is refused then.
    ///   - image: what is known of an image, by the name that a container has.
    package static func decide(
        _ review: PodReview, policy: CloudTaserPolicy?, image: (String) -> ImageAnswer?
    ) -> InjectionAnswer {
        guard review.operation != .update else { return InjectionAnswer(decision: .unchanged) }
        var answer = InjectionAnswer(decision: .unchanged)
        do throws(Refusal) {
            let head = try PodHead(review: review)
            if review.operation == .ephemeralContainers {
                answer.decision = try EphemeralContainers.decide(
                    PodView(head), review: review, policy: policy, warnings: &answer.warnings)
                return answer
            }
            guard
                try OptIn.isAsked(
                    head, in: review.namespace, selector: review.selector,
                    warnings: &answer.warnings)
            else {
                answer.decision = .notAskedFor
                return answer
            }
            guard let policy else {
                throw Refusal(
                    PodAnnotation.inject.path, "asks, but the cluster has no CloudTaserPolicy",
                    fix: "create one that grants namespace \(review.namespace.name) a vault")
            }
            let pod = try PodView(head)
            try PodChecks.checkKind(pod)
            let settings = try WorkloadSettings(
                of: pod, in: review.namespace, policy: policy, warnings: &answer.warnings)
            try PodChecks.checkHostAliases(pod, vault: settings.vault)
            PodChecks.warn(of: pod, &answer.warnings, flags: try PodChecks.flags(of: pod))
            answer.decision = try inject(
                pod, settings: settings, image: image, warnings: &answer.warnings)
        } catch { answer.decision = .refused([error]) }
        return answer
    }

    /// What has to be known of images before `decide` can answer; nil when nothing has, because
    /// the pod does not ask, is refused anyway or says what it starts.
    package static func question(
        about review: PodReview, policy: CloudTaserPolicy
    ) -> ImageQuestion? {
        var ignored: [String] = []
        guard review.operation == .create, policy.entrypoints == .registry,
            let head = try? PodHead(review: review),
            (try? OptIn.isAsked(
                head, in: review.namespace, selector: review.selector, warnings: &ignored)) == true,
            let pod = try? PodView(head),
            // Nobody makes the operator ask registries who is granted nothing.
            let settings = try? WorkloadSettings(
                of: pod, in: review.namespace, policy: policy, warnings: &ignored)
        else { return nil }
        var images: [String] = []
        for container in pod.containers
        where container.needsImage && !images.contains(container.image) {
            images.append(container.image)
        }
        guard !images.isEmpty else { return nil }
        let secretsMax = InjectionLimits.pullSecretCountMax
        let secrets = (try? pod.spec.elements("imagePullSecrets", max: secretsMax)) ?? []
        return ImageQuestion(
            images: images,
            pullSecrets: secrets.compactMap { (try? $0.object().text("name")) ?? nil },
            serviceAccount: (try? pod.spec.text("serviceAccountName")) ?? "default",
            architectures: settings.architectures)
    }

    private static func inject(
        _ pod: PodView, settings: WorkloadSettings, image: (String) -> ImageAnswer?,
        warnings: inout [String]
    ) throws(Refusal) -> InjectionDecision {
        let objects = try InjectedObjects(for: pod, settings: settings)
        let annotated = try settings.annotatedRequests()
        var patch = JSONPatch()
        if try pod.annotations[PodAnnotation.status.rawValue]?.equals(
            .text(PodAnnotation.injectedStatus)) != true
        {
            patch.add(.text(PodAnnotation.injectedStatus), at: PodAnnotation.status.path)
        }
        patch.append(
            objects.missingVolumes.map(\.json), to: pod.spec.path["volumes"],
            isThere: pod.spec["volumes"] != nil)
        var refusals: [Refusal] = []
        var wrapped = 0
        for container in pod.containers
        where container.kind != .initialization || container.name != objects.installName {
            do throws(Refusal) {
                let plan = try ContainerPlan(
                    for: container, settings: settings, objects: objects,
                    requests: annotated, answer: image, patch: &patch, warnings: &warnings)
                if plan.isWrapped { wrapped += 1 }
            } catch {
                refusals.append(error)
                guard refusals.count < InjectionLimits.refusalCountMax else { break }
            }
        }
        guard refusals.isEmpty else { return .refused(refusals) }
        guard wrapped > 0 else {
            throw Refusal(
                PodAnnotation.secretPaths.path, "is missing, and no entry refers to a secret",
                fix: "name the paths to read, or remove \(PodAnnotation.inject.rawValue)")
        }
        placeInstallContainer(objects, in: pod, &patch)
        return patch.isEmpty ? .unchanged : .patch(patch)
    }

    /// Last in the patch: it shifts the init containers.
    private static func placeInstallContainer(
        _ objects: InjectedObjects, in pod: PodView, _ patch: inout JSONPatch
    ) {
        let path = pod.spec.path["initContainers"]
        guard let index = objects.installIndex else {
            if pod.spec["initContainers"] != nil {
                patch.add(objects.install, at: path[0])
            } else {
                patch.add(.list([objects.install]), at: path)
            }
            return
        }
        guard index > 0 else { return }
        patch.operations.append(.move(from: path[index].pointer, to: path[0].pointer))
    }
}
