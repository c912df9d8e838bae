// SPDX-License-Identifier: Apache-2.0
import Admission
import Injection
import KubernetesFormat
import KubernetesPorts
import MetricsFormat
import Operator
import Synchronization
import Testing

@Suite("Admission handler") struct AdmissionHandlerTests {
    @Test func `wraps who asks, once, and says so to whoever asks again`() async throws {
        let example = try AdmissionCase()
        let stored = try await example.stored()
        let container = try #require(stored.value(at: "spec", "containers")?.elements?[0])
        #expect(
            container["command"]?.elements?.compactMap(\.text) == [
                "/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web",
            ])
        #expect(container["unknown"] == ["kept": 1])
        #expect(
            stored.value(at: "metadata", "annotations", "cloudtaser.io/status") == "injected")
        // Asked again: nothing is to be done. And what is validated has to have been wrapped.
        #expect(try await example.answer(example.review(stored)).outcome == .allowed)
        #expect(try await example.answer(example.review(stored), .validate).outcome == .allowed)
        let refusal = try await example.refusal(nil, .validate)
        #expect(refusal.hasPrefix("403 metadata.annotations[cloudtaser.io/inject]: asks, but not"))
    }

    @Test func `lets alone who does not ask, whatever is known of a policy`() async throws {
        var example = try AdmissionCase()
        example.annotations = [:]
        for state in [example.state, .unknown, .absent, .several(["a", "b"])] {
            example.state = state
            for purpose in AdmissionPurpose.allCases {
                #expect(try await example.answer(nil, purpose).outcome == .allowed)
            }
        }
    }

    @Test(
        arguments: [
            (.unknown, "503 ", "has not read the CloudTaserPolicy yet; try again"),
            (.absent, "403 ", "the cluster has no CloudTaserPolicy; create one"),
            (.several(["a", "b"]), "403 ", "has 2 CloudTaserPolicies (a, b); keep one"),
            (
                .unusable(name: "main", reason: "spec.vaults: is bad; mend it"), "403 ",
                "the CloudTaserPolicy main is no policy: spec.vaults: is bad; mend it"
            ),
        ] as [(PolicyState, String, String)])
    func `refuses who asks as long as no policy is in force`(
        _ state: PolicyState, _ code: String, _ text: String
    ) async throws {
        var example = try AdmissionCase()
        example.state = state
        for purpose in AdmissionPurpose.allCases {
            let refusal = try await example.refusal(nil, purpose)
            #expect(refusal.hasPrefix(code) && refusal.contains(text), "\(refusal)")
        }
    }

    @Test func `refuses what the policy does not grant, naming the field and no value`()
        async throws
    {
        for (name, value, text) in [
            ("vault-address", "https://vault.evil.example:8200", "cloudtaser.io/vault-address]"),
            ("vault-skip-verify", "true", "cloudtaser.io/vault-skip-verify]"),
            ("vault-role", "bank-web", "cloudtaser.io/vault-role]"),
            ("secret-paths", "secret/bank/db", "cloudtaser.io/secret-paths]"),
            ("inject", "yes", "cloudtaser.io/inject]"),
            ("enforce-mode", "off", "cloudtaser.io/enforce-mode]"),
        ] {
            var example = try AdmissionCase()
            example.annotations["cloudtaser.io/" + name] = value
            let refusal = try await example.refusal()
            #expect(refusal.hasPrefix("403 metadata.annotations[\(text)"), "\(refusal)")
            #expect(!refusal.contains("hunter2"))
            let report = try #require(example.reports.all.first)
            #expect(report.uid == "u-1" && report.namespace == "shop" && !report.isDryRun)
            #expect("403 " + report.reason == refusal)
        }
    }

    @Test func `does not believe an annotation that says it was injected`() async throws {
        var example = try AdmissionCase()
        example.annotations["cloudtaser.io/status"] = "injected"
        let command = try await example.stored().value(at: "spec", "containers")?
            .elements?[0]["command"]?.elements?.first?.text
        #expect(command == "/cloudtaser/bin/cloudtaser-wrapper")
        #expect(try await example.refusal(nil, .validate).hasPrefix("403"))
    }

    @Test func `asks about images where the pod does not say what it starts`() async throws {
        var example = try AdmissionCase()
        example.command = []
        let images = FakeImages(
            .found([ImageCommand(architecture: "amd64", entrypoint: ["/entry"], command: ["$A"])]))
        example.images = images
        let command = try await example.stored().value(at: "spec", "containers")?
            .elements?[0]["command"]?.elements?.compactMap(\.text)
        #expect(command?.suffix(2) == ["/entry", "$$A"])
        #expect(images.questions.withLock { $0 } == ["shop/app"])
        // Nobody is asked where the policy says so, or where there is no need.
        example.state = .one(try AdmissionCase.policy("explicit-command"))
        let refusal = try await example.refusal()
        #expect(
            refusal.contains("spec.containers[0].command: is missing, and the policy"), "\(refusal)"
        )
        example.command = ["/bin/web"]
        _ = try await example.stored()
        #expect(images.questions.withLock { $0.count } == 1)
    }

    @Test func `refuses what depends on an image that nobody can tell of`() async throws {
        var example = try AdmissionCase()
        example.command = []
        var refusal = try await example.refusal()
        #expect(refusal.contains("(nobody is asked); set command"), "\(refusal)")
        example.images = FakeImages(nil)
        refusal = try await example.refusal()
        #expect(refusal.contains("(no registry answered in time); set command"), "\(refusal)")
    }

    @Test func `refuses pods of a namespace that it cannot see`() async throws {
        let example = try AdmissionCase()
        let refusal = try await example.refusal(example.review(example.pod, namespace: "other"))
        #expect(refusal.hasPrefix("503 namespace other cannot be read (notFound"), "\(refusal)")
        #expect(refusal.hasSuffix("try again"))
    }

    /// The API server asks about such a pod only because its namespace asks.
    @Test func `does not believe a watch that is behind about who does not ask`() async throws {
        var example = try AdmissionCase()
        example.annotations["cloudtaser.io/inject"] = nil
        #expect(try await example.answer().outcome == .allowed)
        example.namespaces.later = [
            "shop": NamespaceFacts(name: "shop", labels: ["cloudtaser.io/inject": "true"])
        ]
        #expect(try await example.stored() != example.pod)
        example.namespaces.later = [:]
        example.namespaces.isReachable = false
        #expect(try await example.refusal().hasPrefix("503 namespace shop cannot be read"))
        // Who says itself that it does not ask needs nobody.
        example.annotations["cloudtaser.io/inject"] = "false"
        #expect(try await example.answer().outcome == .allowed)
    }

    @Test func `reads what a namespace says, also of one that is new`() async throws {
        var example = try AdmissionCase()
        example.annotations["cloudtaser.io/inject"] = nil
        #expect(try await example.answer().outcome == .allowed)
        let asking = NamespaceFacts(name: "shop", labels: ["cloudtaser.io/inject": "true"])
        example.namespaces.here = [:]
        example.namespaces.later = ["shop": asking]
        let stored = try await example.stored()
        #expect(stored != example.pod)
    }

    @Test func `leaves updates and deletions alone, and refuses what it does not know`()
        async throws
    {
        let example = try AdmissionCase()
        for operation in ["UPDATE", "DELETE"] {
            let object = operation == "DELETE" ? nil : example.pod
            for purpose in AdmissionPurpose.allCases {
                let answer = try await example.answer(
                    example.review(object, operation: operation), purpose)
                #expect(answer.outcome == .allowed)
            }
        }
        for (review, text) in [
            (example.review(example.pod, resource: "deployments"), "400 only pods of v1"),
            (
                example.review(example.pod, operation: "CONNECT", subresource: "exec"),
                "400 only the creation of pods"
            ),
            (
                example.review(example.pod, operation: "CREATE", subresource: "eviction"),
                "400 only the creation of pods"
            ),
            (example.review(nil), "400 request.object is missing"),
            (example.review(example.pod, kind: "Deployment"), "400 request.kind is not Pod"),
        ] {
            #expect(try await example.refusal(review).hasPrefix(text))
        }
    }

    @Test func `refuses ephemeral containers that would see the wrapped processes`() async throws {
        let example = try AdmissionCase()
        var pod = try await example.stored()
        var spec = try #require(pod["spec"])
        func review(_ container: JSONTree) -> [UInt8] {
            spec["ephemeralContainers"] = [container]
            pod["spec"] = spec
            return example.review(
                pod, operation: "UPDATE", subresource: "ephemeralcontainers")
        }
        let beside: JSONTree = ["name": "debug", "image": "busybox"]
        var inside = beside
        inside["targetContainerName"] = "web"
        for purpose in AdmissionPurpose.allCases {
            #expect(try await example.answer(review(beside), purpose).outcome == .allowed)
            let refusal = try await example.refusal(review(inside), purpose)
            #expect(refusal.contains("spec.ephemeralContainers[0].targetContainerName"))
        }
        // Without a policy the strictest holds.
        var without = example
        without.state = .absent
        #expect(try await without.answer(review(beside)).outcome == .allowed)
        #expect(try await without.refusal(review(inside)).hasPrefix("403"))
    }

    @Test func `says what is wrong with what is no review`() async throws {
        let example = try AdmissionCase()
        for (body, failure) in [
            (Array("{".utf8), AdmissionFailure.notJSON(offset: 1)), ([], .notJSON(offset: 0)),
            (Array(#"{"apiVersion":"admission.k8s.io/v1beta1"}"#.utf8), .wrongVersion),
        ] {
            #expect(await example.handler().reply(to: body, .mutate) == .badRequest(failure))
        }
        #expect(example.reports.all.isEmpty)
    }

    @Test func `logs no more of a name than it tells`() async throws {
        var example = try AdmissionCase()
        example.annotations["cloudtaser.io/" + String(repeating: "x", count: 1 << 20)] = "a"
        _ = try await example.answer()
        let reason = try #require(example.reports.all.first?.reason)
        #expect(reason.utf8.count == AdmissionLimits.messageBytesMax && reason.hasSuffix("…"))
    }

    @Test func `counts, without a name in a label`() async throws {
        let example = try AdmissionCase()
        _ = try await example.answer()
        _ = try await example.answer(example.review(example.pod, namespace: "other"))
        _ = await example.handler().reply(to: [], .validate)
        example.metrics.refusedRequest("/mutate", status: 413)
        var page = MetricsPage()
        example.metrics.append(to: &page)
        let decisions = "cloudtaser_operator_admission_decisions_total"
        for line in [
            #"controller_runtime_webhook_requests_total{code="200",webhook="/mutate"} 2"#,
            #"controller_runtime_webhook_requests_total{code="400",webhook="/validate"} 1"#,
            #"controller_runtime_webhook_requests_total{code="413",webhook="/mutate"} 1"#,
            #"controller_runtime_webhook_requests_in_flight{webhook="/mutate"} 0"#,
            #"controller_runtime_webhook_latency_seconds_count{webhook="/mutate"} 2"#,
            #"controller_runtime_webhook_latency_seconds_bucket{le="+Inf",webhook="/mutate"} 2"#,
            #"controller_runtime_webhook_latency_seconds_bucket{le="0.00025",webhook="/mutate"} 2"#,
            "# TYPE controller_runtime_webhook_latency_seconds histogram",
            decisions + #"{decision="patched",webhook="/mutate"} 1"#,
            decisions + #"{decision="refused",webhook="/mutate"} 1"#,
        ] {
            #expect(page.text.contains(line + "\n"), "\(line)\n\(page.text)")
        }
        for name in ["shop", "other", "web\"", "u-1"] { #expect(!page.text.contains(name)) }
    }
}
