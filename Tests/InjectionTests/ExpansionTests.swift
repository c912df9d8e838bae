// SPDX-License-Identifier: Apache-2.0
import Injection
import Synchronization
import Testing

/// Bytes that count how often one of them is looked at.
private struct CountedBytes: RandomAccessCollection {
    final class Count: Sendable {
        let looks = Mutex(0)
    }

    let bytes: [UInt8]
    let count = Count()
    var startIndex: Int { bytes.startIndex }
    var endIndex: Int { bytes.endIndex }

    subscript(index: Int) -> UInt8 {
        count.looks.withLock { $0 += 1 }
        return bytes[index]
    }
}

extension Case {
    /// Whether there is a patch; it is not applied.
    fileprivate var isPatched: Bool {
        get throws {
            if case .patch = try answer().decision { true } else { false }
        }
    }
}

@Suite struct `What the kubelet expands` {
    @Test(arguments: [
        ("", []), ("plain", []), ("$(A)", ["A"]), ("a$(A)b$(B)", ["A", "B"]), ("$$(A)", []),
        ("$$$(A)", ["A"]), ("$(A", []), ("$(A$(B)", ["A$(B"]), ("$()", [""]), ("$", []),
        (")$(", []), ("$(A)$(", ["A"]), ("$x(A)", []), ("é$(A)é", ["A"]),
        // A `$` that is one character with what follows, and one byte all the same.
        ("$\u{301}$(A)", ["A"]), ("$(A\u{301})", ["A\u{301}"]),
    ])
    func `is found`(text: String, names: [String]) {
        #expect(KubeletExpansion.references(in: text) == names)
    }

    /// Each kind of end, and ends that an earlier or a later `)` could make somebody look for.
    @Test(arguments: [("", "", 0), (")", "", 0), ("", ")", 1), ("$(A)", "", 1)])
    func `is found in a number of looks that the length bounds`(
        before: String, after: String, found: Int
    ) {
        let count = 100_000
        let text = before + String(repeating: "$(", count: count) + after
        let bytes = CountedBytes(bytes: Array(text.utf8))
        #expect(KubeletExpansion.references(in: bytes).count == found)
        let looks = bytes.count.looks.withLock { $0 }
        // From the end, for `$` and `(`, for the end of a name, and for the name.
        #expect(looks <= 5 * text.utf8.count)
        #expect(looks >= text.utf8.count)
    }

    @Test func `is as it was where $ is doubled`() {
        for text in ["", "a", "$", "$$", "$(A)", "a$\u{301}b", "$\u{301}(A)", "$\r\n$(A)"] {
            let doubled = KubeletExpansion.doubled(text)
            let kept = RuntimeModel.expand(doubled, ["A": "expanded"])
            #expect(kept.utf8.elementsEqual(text.utf8), "\(text.debugDescription)")
        }
        // The control: what is not doubled is expanded, and a `$` of two is taken away.
        #expect(RuntimeModel.expand("$(A)", ["A": "expanded"]) == "expanded")
        #expect(RuntimeModel.expand("$$\u{301}", [:]).utf8.elementsEqual("$\u{301}".utf8))
    }

    @Test func `words of an image stay when a $ carries a combining character`() throws {
        let words = ["/entry", "$$\u{301}", "$\u{301}$(PATH)"]
        let started = Case().changed {
            $0.changeContainer { web in
                web["command"] = nil
                web["args"] = nil
            }
            $0.images["app"] = .found([
                ImageCommand(architecture: "amd64", entrypoint: words, command: [])
            ])
        }
        let web = try #require(try started.patched()?["spec"]?["containers"]?[0])
        let run = RuntimeModel.arguments(of: web, image: RuntimeModel.Image())
        #expect(run.dropFirst(3).map { Array($0.utf8) } == words.map { Array($0.utf8) })
    }

    @Test func `a pod of a million ends is decided about`() throws {
        let ends = String(repeating: "$(", count: 1_000_000)
        let pod = Case().changed { $0.changeContainer { $0["args"] = .texts([ends]) } }
        #expect(try pod.isPatched)
        // One end behind them makes them one name, which nobody delivers.
        let closed = Case().changed { $0.changeContainer { $0["args"] = .texts([ends + ")"]) } }
        #expect(try closed.isPatched)
        // The control: a name that is kept from programs is seen behind them.
        let refused = Case().changed {
            $0.changeContainer { $0["args"] = .texts(["\(ends)) $(VAULT_ADDR)"]) }
        }
        #expect(try refused.refusals().first?.field == "spec.containers[0].args[0]")
    }
}
