// SPDX-License-Identifier: Apache-2.0
import Injection

typealias Decide =
    @Sendable (PodReview, CloudTaserPolicy?, (String) -> ImageAnswer?) -> InjectionAnswer

/// A pod that is injected, its policy and its images: what the tables start from.
struct Case {
    var pod = Case.pod
    var policyText = Case.policyText
    var namespace = NamespaceFacts(name: "shop")
    var operation = PodReview.Operation.create
    var selector = OptInSelector.either
    var images: [String: ImageAnswer] = [
        "app": .found([
            ImageCommand(
                architecture: "amd64", entrypoint: ["/entry", "$HOME", "$$", "$(X)"],
                command: ["serve", "$(PATH)"])
        ])
    ]

    static let policyText = """
        {"vaults":[{"name":"main","address":"https://vault.example.eu:8200","audience":"vault",
          "mount":"kubernetes-eu","namespace":"tenants/shop",
          "trustAnchors":{"configMap":"vault-ca","key":"ca.pem"}},
         {"name":"other","address":"https://other.example.eu","audience":"other"}],
         "grants":[{"namespaces":["shop"],"vault":"main","roles":["shop-*"],
           "paths":["secret/shop/*","database/creds/shop"]},
          {"namespaces":["bank"],"vault":"other","roles":["*"],"paths":["*"]}],
         "wrapper":{"image":"registry.example.eu/wrapper:1"}}
        """

    static let pod: Tree = .members([
        "apiVersion": .text("v1"), "kind": .text("Pod"),
        "metadata": .members([
            "name": .text("web"),
            "annotations": .members([
                "cloudtaser.io/inject": .text("true"),
                "cloudtaser.io/vault-role": .text("shop-web"),
                "cloudtaser.io/secret-paths": .text("secret/shop/db"),
                "cloudtaser.io/env-map": .text("password=DB_PASSWORD"),
            ]),
        ]),
        "spec": .members([
            "containers": .array([
                .members([
                    "name": .text("web"), "image": .text("app"),
                    "command": .texts(["/bin/web"]), "args": .texts(["--port", "$(PORT)"]),
                ])
            ])
        ]),
    ])

    var policy: CloudTaserPolicy {
        get throws { try CloudTaserPolicy(spec: Array(policyText.utf8)) }
    }

    var review: PodReview {
        PodReview(
            operation: operation, pod: pod.bytes, namespace: namespace, selector: selector)
    }

    func answer(_ decide: Decide = Injection.decide) throws -> InjectionAnswer {
        decide(review, try policy, { images[$0] })
    }

    /// The pod after the patch; nil when there was none.
    func patched(_ decide: Decide = Injection.decide) throws -> Tree? {
        guard case .patch(let patch) = try answer(decide).decision else { return nil }
        return try PatchApplier.apply(patch.json, to: pod.bytes)
    }

    func refusals(_ decide: Decide = Injection.decide) throws -> [Refusal] {
        guard case .refused(let refusals) = try answer(decide).decision else { return [] }
        return refusals
    }

    mutating func annotate(_ name: String, _ text: String?) {
        pod.set(
            "metadata", "annotations", "cloudtaser.io/" + name, to: text.map { .text($0) })
    }

    mutating func changeContainer(
        _ index: Int = 0, of kind: String = "containers", _ body: (inout Tree) -> Void
    ) {
        pod.change(["spec", kind]) { array in
            guard var list = array else { return }
            body(&list[index])
            array = list
        }
    }

    mutating func addContainer(_ container: Tree, to kind: String) {
        pod.change(["spec", kind]) { $0 = .array(($0?.elements ?? []) + [container]) }
    }

    func changed(_ body: (inout Case) -> Void) -> Case {
        var copy = self
        body(&copy)
        return copy
    }
}
