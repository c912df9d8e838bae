// SPDX-License-Identifier: Apache-2.0
import Injection
import Testing

@Suite struct `A stored pod` {
    private static let wrapped = ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web"]

    private func bare(
        _ pod: Case, in namespace: NamespaceFacts = NamespaceFacts(name: "shop")
    ) -> [String] {
        StoredPod.bareContainers(of: pod.pod.bytes, in: namespace)
    }

    @Test func `has bare containers when it asks and they are not wrapped`() {
        #expect(bare(Case()) == ["web"])
        let wrapped = Case().changed { $0.changeContainer { $0["command"] = .texts(Self.wrapped) } }
        #expect(bare(wrapped).isEmpty)
        #expect(bare(Case().changed { $0.annotate("inject", "false") }).isEmpty)
        #expect(bare(Case().changed { $0.annotate("inject", "yes") }) == ["web"])
        let silent = Case().changed { $0.annotate("inject", nil) }
        #expect(bare(silent).isEmpty)
        let asking = NamespaceFacts(name: "shop", labels: ["cloudtaser.io/inject": "true"])
        #expect(bare(silent, in: asking) == ["web"])
    }

    /// What is too much for the operator, or of another shape than it reads.
    private static let unreadable: [@Sendable (inout Case) -> Void] = [
        { value in
            let count = InjectionLimits.environmentCountMax + 1
            value.changeContainer {
                $0["env"] = .array((0..<count).map { .members(["name": .text("E\($0)")]) })
            }
        },
        { $0.pod.set("spec", "containers", to: .object([])) },
    ]

    @Test(arguments: unreadable)
    func `that is not readable is told of when it asks, and only then`(
        change: @Sendable (inout Case) -> Void
    ) {
        let pod = Case().changed(change)
        #expect(bare(pod) == [StoredPod.unreadContainers])
        #expect(bare(pod.changed { $0.annotate("inject", "maybe") }) != [])
        #expect(bare(pod.changed { $0.annotate("inject", "false") }).isEmpty)
        #expect(bare(pod.changed { $0.annotate("inject", nil) }).isEmpty)
        let asking = NamespaceFacts(name: "shop", annotations: ["cloudtaser.io/inject": "1"])
        #expect(bare(pod.changed { $0.annotate("inject", nil) }, in: asking).count == 1)
    }

    @Test func `that is larger than the operator takes is told of too`() {
        let large = Case().changed { value in
            let text = String(repeating: "a", count: InjectionLimits.podBytesMax)
            value.changeContainer { $0["args"] = .texts([text]) }
        }
        #expect(bare(large) == ["web"])
    }

    @Test(arguments: ["", "[]", #"{"metadata":1}"#, #"{"metadata":{"labels":[]}}"#])
    func `whose metadata cannot be read counts as one that asks`(text: String) {
        let bare = StoredPod.bareContainers(
            of: Array(text.utf8), in: NamespaceFacts(name: "shop"))
        #expect(bare == [StoredPod.unreadContainers])
    }
}
