// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import Enforcement
import EnforcementEvents
import Foundation
import Ports
import Testing

/// The grammar of Prometheus' text format 0.0.4, as far as `promtool check metrics` goes: metadata
/// before samples, one group a family, names, labels, no series twice, counters in `_total`.
struct MetricsGrammar {
    private(set) var problems: [String] = []
    private(set) var samples: [String: Double] = [:]
    private(set) var types: [String: String] = [:]

    init(_ text: String) {
        if !text.hasSuffix("\n") { problems.append("no line feed at the end") }
        var helped: Set<String> = []
        var current = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init) {
            if let match = line.wholeMatch(of: /# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)/) {
                let name = String(match.1)
                if !helped.insert(name).inserted { problems.append("two helps: \(name)") }
            } else if let match = line.wholeMatch(
                of: /# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)/)
            {
                current = String(match.1)
                if !helped.contains(current) { problems.append("no help: \(current)") }
                if types[current] != nil { problems.append("two types: \(current)") }
                types[current] = String(match.2)
                let isCounter = match.2 == "counter"
                if isCounter != current.hasSuffix("_total") { problems.append("name: \(current)") }
            } else {
                sample(line, of: current)
            }
        }
    }

    private mutating func sample(_ line: String, of family: String) {
        let label = #"[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*""#
        let name = "[a-zA-Z_:][a-zA-Z0-9_:]*"
        let text = "(\(name))(\\{\(label)(?:,\(label))*\\})? ([0-9]+)"
        guard let pattern = try? Regex(text, as: (Substring, Substring, Substring?, Substring).self)
        else {
            problems.append("the grammar is none")
            return
        }
        guard let match = line.wholeMatch(of: pattern) else {
            problems.append("no sample: \(line)")
            return
        }
        if match.1 != family { problems.append("\(match.1) within \(family)") }
        let series = "\(match.1)\(match.2 ?? "")"
        if samples[series] != nil { problems.append("twice: \(series)") }
        samples[series] = Double(match.3)
    }
}

@Suite struct `The observation port` {
    private static func busy() -> Bench {
        let bench = Bench()
        bench.findings = [.denied("AV-008"), .open("AV-044"), .untested("AV-020")]
        var counts = EnforcementCounts()
        counts.attempts = 10
        counts.denied = 9
        counts.records = 7
        counts.suppressed = 2
        counts.dropped = 1
        bench.kernel.countsByVector = [.named("AV-008"): counts, .named("AV-001"): counts]
        bench.kernel.records = [
            .fake(2), .fake(3, vector: "AV-001"), .fake(4, vector: "AV-001", verdict: .observed),
        ]
        return bench
    }

    private static func metrics(_ bench: Bench) throws -> MetricsGrammar {
        var agent = bench.agent()
        agent.handle(.records)
        Bench.register(&agent, 10)
        let page = try bench.page("/metrics", of: &agent)
        #expect(page.status == "HTTP/1.1 200 OK")
        #expect(page.head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"))
        return MetricsGrammar(page.body)
    }

    @Test func `gives metrics that a scraper can read`() throws {
        let metrics = try Self.metrics(Self.busy())
        #expect(metrics.problems == [])
        #expect(metrics.types.count == 19)
        // Control: the grammar finds what is wrong.
        for wrong in [
            "a 1\n", "# HELP a b\n# TYPE a gauge\na{b=\"c} 1\n",
            "# HELP a b\n# TYPE a gauge\na 1\na 1\n", "# HELP a b\n# TYPE a counter\na 1\n",
            "# HELP a b\n# TYPE a gauge\na 1", "# TYPE a gauge\na 1\n",
            "# HELP a b\n# TYPE a gauge\nb 1\n", "# HELP a b\n# TYPE a gauge\na -x\n",
        ] {
            #expect(MetricsGrammar(wrong).problems != [], "\(wrong)")
        }
    }

    @Test func `gives the metrics' values`() throws {
        let samples = try Self.metrics(Self.busy()).samples
        let wanted: [String: Double] = [
            "enforcement_tier{tier=\"lsm\"}": 1, "enforcement_tier{tier=\"fmod_ret\"}": 0,
            "enforcement_tier{tier=\"signal\"}": 0, "selftest_killed{vector=\"AV-008\"}": 0,
            "hook_armed{hook=\"file_open\"}": 1, "selftest_pass{vector=\"AV-008\"}": 1,
            "selftest_pass{vector=\"AV-044\"}": 0, "enrolments": 1, "protected_tasks": 1,
            "events_total{type=\"PROCMEM_READ\",verdict=\"denied\"}": 1,
            "events_total{type=\"PTRACE_DENIED\",verdict=\"denied\"}": 1,
            "events_total{type=\"PTRACE_OBSERVED\",verdict=\"observed\"}": 1,
            "attempts_total{vector=\"AV-001\"}": 10, "denied_total{vector=\"AV-008\"}": 9,
            "events_suppressed_total{vector=\"AV-008\"}": 2,
            "ringbuf_dropped_total{vector=\"AV-008\"}": 1, "ringbuf_missing_total": 1,
            "checkpoints_unsigned_total": 3, "losses_told_total": 4,
            "sink_delivered_total{sink=\"stdout\"}": 7, "sink_lost_total{sink=\"file\"}": 2,
        ]
        for (name, value) in wanted {
            #expect(samples["cloudtaser_agent_" + name] == value, "\(name)")
        }
        #expect(samples["cloudtaser_agent_selftest_pass{vector=\"AV-020\"}"] == nil)
    }

    @Test func `gives its status as JSON`() throws {
        let bench = Self.busy()
        var agent = bench.agent()
        Bench.register(&agent, 10)
        let page = try bench.page("/status", of: &agent)
        #expect(page.head.contains("Content-Type: application/json"))
        let root = try #require(
            JSONSerialization.jsonObject(with: Data(page.body.utf8)) as? [String: Any])
        #expect(
            Set(root.keys) == [
                "ready", "tier", "mode", "policyGeneration", "enrolments", "protectedTasks",
                "hooks", "selfTest", "vectors", "scan", "chain",
            ])
        #expect(root["ready"] as? Bool == false && root["tier"] as? String == "lsm")
        #expect(root["mode"] as? String == "deny" && root["policyGeneration"] as? Int == 1)
        #expect(root["enrolments"] as? Int == 1 && root["protectedTasks"] as? Int == 1)
        #expect(root["hooks"] as? [String] == ["file_open", "ptrace_access_check"])
        let tests = try #require(root["selfTest"] as? [[String: Any]])
        #expect(tests.map { $0["result"] as? String } == ["denied", "not denied", "untested"])
        #expect(tests.last?["controlErrno"] as? Int == 38)
        let place = try #require(root["chain"] as? String)
        #expect(EventLink(place: place) == bench.recorder.lastLine)
        let vectors = try #require(root["vectors"] as? [[String: Any]])
        #expect(vectors.map { $0["vector"] as? String } == ["AV-001", "AV-008"])
        #expect(vectors.first?["events"] as? Int == 7 && vectors.first?["attempts"] as? Int == 10)
    }

    @Test func `is ready only when something is denied and nothing came through`() throws {
        let cases: [([VectorFinding], String, String)] = [
            ([.denied("AV-008"), .untested("AV-020")], "HTTP/1.1 200 OK", "ready"),
            (
                [.denied("AV-008"), .open("AV-044")], "HTTP/1.1 503 Service Unavailable",
                "AV-044"
            ),
            ([.untested("AV-020")], "HTTP/1.1 503 Service Unavailable", "nothing denied"),
            ([], "HTTP/1.1 503 Service Unavailable", "nothing denied"),
            (
                [.killed("AV-008"), .killed("AV-004"), .untested("AV-020")],
                "HTTP/1.1 503 Service Unavailable",
                "Nothing is denied on this node. Tier signal: the attackers of 2 vectors were "
                    + "killed after their call had begun."
            ),
            (
                [.interrupted("AV-008"), .interrupted("AV-044"), .open("AV-013")],
                "HTTP/1.1 503 Service Unavailable",
                "2 vectors come through while the kernel interrupts those who are judged. Put bpf "
                    + "into lsm="
            ),
        ]
        for (findings, status, words) in cases {
            let bench = Bench()
            bench.findings = findings
            var agent = bench.agent()
            let page = try bench.page("/readyz", of: &agent)
            #expect(page.status == status && page.body.contains(words), "\(page)")
            #expect(try bench.page("/healthz", of: &agent).status == "HTTP/1.1 200 OK")
        }
    }

    @Test func `never takes an attacker's end for a denial`() throws {
        let bench = Bench()
        bench.tier = .signal
        bench.findings = [.killed("AV-008"), .open("AV-013")]
        let samples = try Self.metrics(bench).samples
        #expect(samples["cloudtaser_agent_selftest_pass{vector=\"AV-008\"}"] == 0)
        #expect(samples["cloudtaser_agent_selftest_killed{vector=\"AV-008\"}"] == 1)
        #expect(samples["cloudtaser_agent_selftest_killed{vector=\"AV-013\"}"] == 0)
        #expect(samples["cloudtaser_agent_enforcement_tier{tier=\"signal\"}"] == 1)
        #expect(samples["cloudtaser_agent_enforcement_tier{tier=\"lsm\"}"] == 0)
        var agent = bench.agent()
        #expect(try bench.page("/status", of: &agent).body.contains("\"result\":\"killed\""))
    }

    /// AV-018 comes through on Linux 7.2 although a hook denies it.
    @Test func `is ready where the operator has said that a vector is not denied`() throws {
        let bench = Bench()
        bench.findings = [.denied("AV-008"), .open("AV-018")]
        bench.settings.policy.exceptions = [(.named("AV-018"), .detect)]
        var agent = bench.agent()
        #expect(try bench.page("/readyz", of: &agent).status == "HTTP/1.1 200 OK")
        let page = try bench.page("/metrics", of: &agent)
        #expect(page.body.contains("selftest_pass{vector=\"AV-018\"} 0"), "and it is still told")
        bench.settings.policy.exceptions = []
        var strict = bench.agent()
        #expect(try bench.page("/readyz", of: &strict).body.contains("AV-018"), "control")
    }

    @Test func `answers what it does not have with what it has`() throws {
        let bench = Bench()
        var agent = bench.agent()
        #expect(try bench.page("/", of: &agent).status == "HTTP/1.1 404 Not Found")
        for path in ["/healthz", "/readyz", "/metrics", "/status", "/workloads"] {
            #expect(try bench.page("/metricsx", of: &agent).body.contains(path))
        }
        #expect(try bench.page("/healthz?a=b", of: &agent).status == "HTTP/1.1 200 OK")
        #expect(try bench.page("", of: &agent).status == "HTTP/1.1 404 Not Found")
        #expect(
            try bench.page("/metrics", "POST", of: &agent).status
                == "HTTP/1.1 405 Method Not Allowed")
        #expect(try bench.page("", "", of: &agent).status == "HTTP/1.1 400 Bad Request")
    }
}
