// SPDX-License-Identifier: Apache-2.0
import Protection
import Testing

/// A container's identifier.
func container(_ digit: String) -> String { String(repeating: digit, count: 64) }

private let pod = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

private func workload(
    _ id: String, pod: String = pod, enrolment: String = "16", scanned: String = "true"
) -> String {
    #"{"pod":"\#(pod)","container":"\#(id)","enrolment":\#(enrolment),"scanned":\#(scanned)}"#
}

private func document(
    tier: String = #""lsm""#, mode: String = #""deny""#, scans: String = "true",
    workloads: [String] = [], more: String = "false"
) -> [UInt8] {
    Array(
        """
        {"tier":\(tier),"mode":\(mode),"scans":\(scans),\
        "workloads":[\(workloads.joined(separator: ","))],"more":\(more)}

        """.utf8)
}

private func refusal(_ document: [UInt8]) -> String? {
    do throws(NodeProtection.Malformed) {
        _ = try NodeProtection(document)
        return nil
    } catch { return error.detail }
}

@Suite struct `An agent's answer` {
    @Test func `says how the node enforces and who is enrolled`() throws {
        let found = try NodeProtection(
            document(workloads: [
                workload(container("a")), workload(container("b"), scanned: "false"),
            ]))
        #expect(
            found
                == NodeProtection(
                    tier: .lsm, mode: .deny, scans: true,
                    containers: [container("a"): true, container("b"): false]))
        let other = try NodeProtection(
            document(tier: #""fmod_ret""#, mode: #""deny+kill""#, scans: "false", more: "true"))
        #expect(other.tier == .modifyReturn && other.mode == .kill && other.hasMore)
        #expect(!other.scans && other.containers.isEmpty)
    }

    @Test func `of a container that is enrolled twice is scanned when both are`() throws {
        for (scanned, result) in [
            (["true", "true"], true), (["true", "false"], false), (["false", "true"], false),
        ] {
            let found = try NodeProtection(
                document(workloads: scanned.map { workload(container("a"), scanned: $0) }))
            #expect(found.containers == [container("a"): result])
        }
    }

    @Test func `may say more than is known`() throws {
        let text = String(decoding: document(workloads: [workload(container("a"))]), as: UTF8.self)
        let later = text.replacing(#""more""#, with: #""news":{"a":[1]},"more""#)
        #expect(later != text)
        #expect(try NodeProtection(Array(later.utf8)).containers.count == 1)
    }

    @Test func `of a static pod names it by its digits`() throws {
        let digits = String(repeating: "0f", count: 16)
        let found = try NodeProtection(
            document(workloads: [workload(container("a"), pod: digits)]))
        #expect(found.containers.count == 1)
    }

    private static let wrong: [([UInt8], String)] = [
        (Array("".utf8), "is no JSON object"), (Array("[]".utf8), "is no JSON object"),
        (Array("ok\n".utf8), "is no JSON object"),
        (Array("{}".utf8), "has no tier that is known"),
        (document(tier: #""best""#), "has no tier that is known"),
        (document(tier: "1"), "has no tier that is known"),
        (document(mode: #""allow""#), "has no mode that is known"),
        (document(scans: "1"), "does not say whether it scans or lists all"),
        (document(more: "null"), "does not say whether it scans or lists all"),
        (
            Array(#"{"tier":"lsm","mode":"deny","scans":true,"more":false}"#.utf8),
            "has no list of at most 4000 workloads"
        ),
        (document(workloads: ["{}"]), "has a workload that is none"),
        (document(workloads: [workload("")]), "has a workload that is none"),
        (
            document(workloads: [workload(String(container("a").dropLast()))]),
            "has a workload that is none"
        ),
        (document(workloads: [workload(container("A"))]), "has a workload that is none"),
        (
            document(workloads: [workload(container("a"), pod: "web")]),
            "has a workload that is none"
        ),
        (
            document(workloads: [workload(container("a"), enrolment: "-1")]),
            "has a workload that is none"
        ),
        (
            document(workloads: [workload(container("a"), enrolment: "4294967296")]),
            "has a workload that is none"
        ),
        (
            document(workloads: [workload(container("a"), scanned: #""yes""#)]),
            "has a workload that is none"
        ),
    ]

    @Test(arguments: wrong.indices)
    func `that is none is refused as a whole`(_ number: Int) {
        let (document, detail) = Self.wrong[number]
        #expect(refusal(document) == detail)
    }

    private static func seen(
        _ text: String..., node: String? = nil
    ) throws -> NodeProtection {
        let workloads = text.map {
            workload(container("a")).replacing("}", with: #","seen":\#($0)}"#)
        }
        let document = String(decoding: document(workloads: workloads), as: UTF8.self)
        return try NodeProtection(
            Array(document.replacing(#""more""#, with: #""node":\#(node ?? "null"),"more""#).utf8))
    }

    private static let full =
        #"{"lockedKiB":8,"dumpable":false,"noNewPrivileges":true,"seccomp":2}"#

    @Test func `says what was seen of a container's programs, the least of each`() throws {
        let all = SeenPrograms(
            lockedKiB: 8, isDumpable: false, hasNoNewPrivileges: true, seccompMode: 2)
        #expect(try Self.seen(Self.full).seen == [container("a"): all])
        let weak = #"{"lockedKiB":0,"dumpable":true,"noNewPrivileges":false,"seccomp":0}"#
        let least = SeenPrograms(
            lockedKiB: 0, isDumpable: true, hasNoNewPrivileges: false, seccompMode: 0)
        #expect(try Self.seen(Self.full, weak).seen == [container("a"): least])
        #expect(try Self.seen(weak, Self.full).seen == [container("a"): least])
        let open = Self.full.replacing("false", with: "null")
        #expect(try Self.seen(Self.full, open).seen[container("a")]?.isDumpable == .some(nil))
        // One that was not seen leaves nothing to say of both.
        for texts in [(Self.full, "null"), ("null", Self.full)] {
            let both = try Self.seen(texts.0, texts.1)
            #expect(both.seen.isEmpty && both.containers.count == 1)
        }
    }

    @Test(arguments: [
        "null", "1", "{}", #"{"lockedKiB":-1,"noNewPrivileges":true,"seccomp":2}"#,
        #"{"lockedKiB":"8","noNewPrivileges":true,"seccomp":2}"#,
    ])
    func `takes what it does not know for not seen`(text: String) throws {
        let found = try Self.seen(text, node: text)
        #expect(found.seen.isEmpty && found.node == SeenNode())
        #expect(found.containers == [container("a"): true])
    }

    @Test func `says whether something came through, if the agent is new enough`() throws {
        let old = String(decoding: document(), as: UTF8.self)
        #expect(try NodeProtection(Array(old.utf8)).isReady == nil)
        for word in ["true", "false"] {
            let new = old.replacing(#""more""#, with: #""ready":\#(word),"more""#)
            #expect(try NodeProtection(Array(new.utf8)).isReady == (word == "true"))
        }
    }

    @Test func `says what was seen of the node`() throws {
        let node =
            #"{"kernel":"6.1.0","secretMemory":"on","openWeaknesses":["mds","l1tf"],"#
            + #""confidential":"none"}"#
        #expect(
            try Self.seen(Self.full, node: node).node
                == SeenNode(
                    kernel: "6.1.0", secretMemory: .on, openWeaknesses: ["l1tf", "mds"],
                    confidential: .ordinary))
        // Words that steer a terminal, or that are none.
        let bad = node.replacing("6.1.0", with: #"6\u001b[2J"#).replacing("mds", with: "")
            .replacing("on\"", with: "maybe\"")
        let found = try Self.seen(Self.full, node: bad).node
        #expect(found == SeenNode(confidential: .ordinary))
    }

    @Test func `has limits`() {
        let one = workload(container("a"))
        let max = NodeProtection.workloadsMax
        #expect(refusal(document(workloads: Array(repeating: one, count: max))) == nil)
        #expect(
            refusal(document(workloads: Array(repeating: one, count: max + 1)))
                == "has no list of at most 4000 workloads")
        let short = document()
        let room = NodeProtection.documentBytesMax - short.count
        let spaces = [UInt8](repeating: 0x20, count: room)
        #expect(refusal(short + spaces) == nil)
        #expect(refusal(short + spaces + [0x20]) == "is larger than 2097152 bytes")
        // What an agent lists at most fits.
        let longest = workload(container("a"), enrolment: "4294967295", scanned: "false")
            .replacing(
                "}",
                with: #","seen":{"lockedKiB":18446744073709551615,"dumpable":false,"#
                    + #""noNewPrivileges":false,"seccomp":255}}"#)
        let all = document(workloads: Array(repeating: longest, count: max))
        #expect(all.count < NodeProtection.documentBytesMax)
    }

    @Test func `orders tiers and modes by their strength`() {
        #expect(ProtectionTier.allCases.sorted() == [.none, .signal, .modifyReturn, .lsm])
        #expect(ProtectionMode.allCases.sorted() == [.detect, .deny, .kill])
        #expect(ProtectionTier.allCases.min() == ProtectionTier.none)
    }
}

@Suite struct `An agent's address` {
    @Test(arguments: [
        ("10.0.0.7", "10.0.0.7:9464"), ("127.0.0.3", "127.0.0.3:9464"),
        ("fd00::7", "[fd00::7]:9464"), ("::1", "[::1]:9464"),
    ])
    func `is in digits`(_ host: String, _ text: String) {
        #expect(NodeAddress(host)?.description == text)
    }

    @Test(arguments: [
        "", "agent", "agent.example.eu", "10.0.0", "10.0.0.256", "10.0.0.7/32", "10.0.0.7:80",
        "[::1]", "fe80::1%eth0", "0x7f.1", "10.0.0.07", " 10.0.0.7", "10.0.0.7@evil.example",
    ])
    func `is nothing else`(_ host: String) { #expect(NodeAddress(host) == nil) }

    @Test func `has a port`() {
        #expect(NodeAddress("10.0.0.7", port: 65_535)?.description == "10.0.0.7:65535")
        for port in [0, 65_536, -1] { #expect(NodeAddress("10.0.0.7", port: port) == nil) }
    }
}
