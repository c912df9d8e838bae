// SPDX-License-Identifier: Apache-2.0
internal import AgentPorts
internal import Enforcement
internal import EnforcementEvents
internal import Ports

/// What the observation port answers (HTTP/1.1, RFC 9112; one request a connection).
enum ObservationPage {
    static func answer(_ method: String, _ path: String, _ status: AgentStatus) -> String {
        guard !method.isEmpty else {
            return response("400 Bad Request", "This is no HTTP request.\n")
        }
        guard method == "GET" else {
            return response("405 Method Not Allowed", "Only GET is answered here.\n")
        }
        switch path.split(separator: "?", maxSplits: 1).first {
        case "/healthz": return response("200 OK", "ok\n")
        case "/readyz":
            return status.isReady
                ? response("200 OK", "ready\n")
                : response("503 Service Unavailable", notReady(status))
        case "/metrics":
            return response(
                "200 OK", Metrics.text(status), type: "text/plain; version=0.0.4; charset=utf-8")
        case "/status":
            return response("200 OK", StatusDocument.json(status), type: "application/json")
        case "/workloads":
            return response("200 OK", WorkloadsDocument.json(status), type: "application/json")
        default:
            return response(
                "404 Not Found",
                "There are /healthz, /readyz, /metrics, /status and /workloads.\n")
        }
    }

    private static func notReady(_ status: AgentStatus) -> String {
        guard status.findings.contains(where: { $0.result == .denied }) else {
            let killed = status.findings.count { $0.result == .killed }
            let interrupted = status.findings.count { $0.result == .interrupted }
            if interrupted > 0 {
                return
                    "Nothing is denied on this node whatever happens: \(interrupted) vectors "
                    + "come through while the kernel interrupts those who are judged. Put bpf "
                    + "into lsm= on the kernel's command line. See /status.\n"
            }
            return killed == 0
                ? "The self-test saw nothing denied on this node. See /status.\n"
                : "Nothing is denied on this node. Tier signal: the attackers of \(killed) vectors "
                    + "were killed after their call had begun. See /status.\n"
        }
        let open = status.broken.map(\.description).joined(separator: ", ")
        return "The self-test came through on a protected process: \(open). See /status.\n"
    }

    private static func response(
        _ status: String, _ body: String, type: String = "text/plain; charset=utf-8"
    ) -> String {
        """
        HTTP/1.1 \(status)\r
        Content-Type: \(type)\r
        Content-Length: \(body.utf8.count)\r
        Connection: close\r
        \r
        \(body)
        """
    }
}

/// Prometheus text format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/). Labels hold words of ours only.
enum Metrics {
    static func text(_ status: AgentStatus) -> String {
        var page = ""
        func family(_ name: String, _ type: String, _ help: String, _ samples: [(String, UInt64)]) {
            page += "# HELP cloudtaser_agent_\(name) \(help)\n"
            page += "# TYPE cloudtaser_agent_\(name) \(type)\n"
            for (labels, value) in samples {
                page += "cloudtaser_agent_\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)\n"
            }
        }
        family(
            "enforcement_tier", "gauge", "1 for the form of program that is attached.",
            EnforcementTier.forms.map {
                ("tier=\"\($0.word)\"", $0 == status.tier ? 1 : 0)
            })
        family(
            "hook_armed", "gauge", "Hooks with a program attached.",
            status.hooks.map { ("hook=\"\($0)\"", 1) })
        family(
            "selftest_pass", "gauge",
            "Whether the vector is denied on a protected process (1), or comes through (0).",
            status.findings.filter { $0.result != .untested }.map {
                ("vector=\"\($0.vector)\"", $0.result == .denied ? 1 : 0)
            })
        family(
            "selftest_killed", "gauge",
            "Whether the attacker was killed in a call that was not denied (1).",
            status.findings.filter { $0.result != .untested }.map {
                ("vector=\"\($0.vector)\"", $0.result == .killed ? 1 : 0)
            })
        family(
            "enrolments", "gauge", "Workloads under protection.",
            [("", UInt64(status.enrolments))])
        family(
            "protected_tasks", "gauge", "Threads under protection.",
            [("", UInt64(max(0, status.protectedTasks)))])
        let kinds = status.totals.byKind.sorted {
            ($0.key.event.rawValue, $0.key.verdict.rawValue)
                < ($1.key.event.rawValue, $1.key.verdict.rawValue)
        }
        family(
            "events_total", "counter", "Events by type and verdict.",
            kinds.map {
                let (event, verdict) = ($0.key.event.rawValue, $0.key.verdict.rawValue)
                return ("type=\"\(event)\",verdict=\"\(verdict)\"", $0.value)
            })
        counted(status, family)
        family(
            "ringbuf_missing_total", "counter",
            "Events missing from the ring, by their sequence numbers.", [("", status.totals.lost)])
        family(
            "losses_told_total", "counter", "Events that told a loss, of events or of lines.",
            [("", status.toldLosses)])
        family(
            "tier_downgrades_total", "counter",
            "Vectors that were told to be enforced in a weaker way than in the run before.",
            status.downgrades.sorted { $0.key < $1.key }.map { ("vector=\"\($0.key)\"", $0.value) })
        scan(status, family)
        family(
            "checkpoints_unsigned_total", "counter",
            "Checkpoints that could not be signed; each is tried again.",
            [("", status.unsignedCheckpoints)])
        for (name, help, value) in sinkFamilies {
            family(
                name, "counter", help,
                status.sinks.map { ("sink=\"\($0.name)\"", $0[keyPath: value]) })
        }
        return page
    }

    private static func counted(
        _ status: AgentStatus,
        _ family: (String, String, String, [(String, UInt64)]) -> Void
    ) {
        let counts = status.counts.sorted { $0.key < $1.key }
        let columns: [(String, String, KeyPath<EnforcementCounts, UInt64>)] = [
            ("attempts_total", "Attempts that a hook judged.", \.attempts),
            ("vector_events_total", "Attempts that became an event.", \.records),
            ("denied_total", "Attempts that were denied.", \.denied),
            ("events_suppressed_total", "Attempts without an event: rate limit.", \.suppressed),
            ("ringbuf_dropped_total", "Attempts without an event: ring full.", \.dropped),
        ]
        for (name, help, value) in columns {
            family(
                name, "counter", help,
                counts.map { ("vector=\"\($0.key)\"", $0.value[keyPath: value]) })
        }
    }

    private static func scan(
        _ status: AgentStatus,
        _ family: (String, String, String, [(String, UInt64)]) -> Void
    ) {
        family(
            "scan_active", "gauge", "Whether what protected processes let out is scanned.",
            [("", status.scan == nil ? 0 : 1)])
        guard let scan = status.scan else { return }
        let columns: [(String, String, UInt64)] = [
            ("scan_calls_total", "Writes and sends that were scanned.", scan.calls),
            ("scan_bytes_total", "Bytes that were scanned.", scan.bytes),
            ("scan_candidates_total", "Places that had to be compared.", scan.candidates),
            (
                "scan_without_index_total",
                "Writes and sends of enrolled processes that cannot be scanned.",
                scan.withoutIndex
            ),
            ("scan_unreadable_total", "Calls with bytes that cannot be read.", scan.unreadable),
            ("scan_truncated_total", "Calls beyond the limits of a scan.", scan.tooLarge),
        ]
        for (name, help, value) in columns { family(name, "counter", help, [("", value)]) }
    }

    private static var sinkFamilies: [(String, String, KeyPath<SinkFacts, UInt64>)] {
        [
            ("sink_delivered_total", "Lines that the sink took.", \.delivered),
            ("sink_lost_total", "Lines that the sink lost.", \.lost),
        ]
    }
}

/// `/status`: for people and for the operator. Every text in it is a word of ours.
enum StatusDocument {
    static func json(_ status: AgentStatus) -> String {
        let hooks = status.hooks.map { "\"\($0)\"" }.joined(separator: ",")
        let vectors = status.findings.map { finding in
            "{\"vector\":\"\(finding.vector)\",\"result\":\"\(finding.result.rawValue)\","
                + "\"controlErrno\":\(finding.control)}"
        }.joined(separator: ",")
        let counts = status.counts.sorted { $0.key < $1.key }.map { vector, count in
            "{\"vector\":\"\(vector)\",\"attempts\":\(count.attempts),\"denied\":\(count.denied),"
                + "\"events\":\(count.records),\"suppressed\":\(count.suppressed),"
                + "\"dropped\":\(count.dropped)}"
        }.joined(separator: ",")
        let chain = status.lastLine.map { "\"\($0.place)\"" } ?? "null"
        return """
            {"ready":\(status.isReady),"tier":"\(status.tier.word)",\
            "mode":"\(status.mode.rawValue)","policyGeneration":\(status.generation),\
            "enrolments":\(status.enrolments),"protectedTasks":\(status.protectedTasks),\
            "scan":\(status.scan != nil),\
            "hooks":[\(hooks)],"selfTest":[\(vectors)],"vectors":[\(counts)],\
            "chain":\(chain)}

            """
    }
}

/// `/workloads`: which containers of which pods are enrolled, for the operator. Texts are words of
/// ours and identifiers whose form was checked when they were read.
package enum WorkloadsDocument {
    /// Enrolments that are listed: as many as there can be of one agent.
    package static let workloadsMax = Enrolments.entriesMax
    /// The tier where the self-test saw nothing enforced.
    static let noTier = "none"

    static func json(_ status: AgentStatus) -> String {
        let shown = status.workloads.prefix(workloadsMax)
        let workloads = shown.map { one in
            "{\"pod\":\"\(one.pod.text)\",\"container\":\"\(one.container)\","
                + "\"enrolment\":\(one.enrolment),\"scanned\":\(one.isScanned),"
                + "\"seen\":\(json(one.seen))}"
        }.joined(separator: ",")
        return """
            {"tier":"\(status.enforced?.word ?? noTier)","mode":"\(status.mode.rawValue)",\
            "ready":\(status.isReady),"scans":\(status.scan != nil),"node":\(json(status.node)),\
            "workloads":[\(workloads)],\
            "more":\(shown.count < status.workloads.count)}

            """
    }

    private static func json(_ seen: ProcessObservation?) -> String {
        guard let seen else { return "null" }
        return "{\"lockedKiB\":\(seen.lockedKiB),"
            + "\"dumpable\":\(seen.isDumpable.map { "\($0)" } ?? "null"),"
            + "\"noNewPrivileges\":\(seen.hasNoNewPrivileges),\"seccomp\":\(seen.seccompMode)}"
    }

    private static func json(_ node: NodeObservation?) -> String {
        guard let node else { return "null" }
        func quoted(_ text: String?) -> String { text.map { "\"\($0)\"" } ?? "null" }
        let open = node.openWeaknesses.map { "[\($0.map { quoted($0) }.joined(separator: ","))]" }
        return "{\"kernel\":\(quoted(node.kernel)),"
            + "\"secretMemory\":\(quoted(node.secretMemory?.rawValue)),"
            + "\"openWeaknesses\":\(open ?? "null"),"
            + "\"confidential\":\(quoted(node.confidential?.rawValue))}"
    }
}
