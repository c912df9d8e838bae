// SPDX-License-Identifier: Apache-2.0

/// The canaries of the standard oracles and of the tripwire.
package enum StandardCanaries {
    package static let all: [OracleCanary] =
        taint + failClosed + convergence + leases + events + attacks + hygiene + bounds + tripwire

    /// Every sink and encoding, whole and split over two writes; delivery to the wrong one.
    private static let taint: [OracleCanary] = Sink.named.flatMap { sink in
        TaintEncoding.allCases.flatMap { encoding in
            let leak = OracleCanary("taint/\(sink)/\(encoding.rawValue)", oracle: "taint") { run in
                let secret = CanaryWorld.bytes(in: run)
                run.report(
                    SinkWritten(
                        sink, stream: "leak", principal: "stranger",
                        bytes: encoding.encoded(secret)))
            }
            let split = OracleCanary(
                "taint/\(sink)/\(encoding.rawValue)/split", oracle: "taint"
            ) { run in
                // Nine bytes in pieces of five: no piece has a run of its own.
                let part = encoding.encoded(Array(CanaryWorld.bytes(in: run).prefix(9)))
                for start in stride(from: 0, to: part.count, by: 5) {
                    run.report(
                        SinkWritten(
                            sink, stream: "leak", principal: "stranger",
                            bytes: Array(part[start..<min(start + 5, part.count)])))
                }
            }
            return [leak, split]
        }
    }

    private static let failClosed = [
        OracleCanary("fail-closed/no-decision", oracle: "fail-closed") { run in
            run.report(ProgramStarted(subject: "application"))
        },
        OracleCanary("fail-closed/against-decision", oracle: "fail-closed") { run in
            run.report(DecisionRecorded(subject: "other", allows: false, reason: "sealed"))
            run.report(ProgramStarted(subject: "other"))
        },
    ]

    private static let convergence = [
        OracleCanary("convergence/never", oracle: "convergence") { run in
            run.report(ConditionChanged("rotated", holds: false))
        },
        OracleCanary("convergence/late", oracle: "convergence") { run in
            run.report(ConditionChanged("rotated", holds: false))
            run.after(.seconds(1000)) { run.report(ConditionChanged("rotated", holds: true)) }
        },
        OracleCanary("convergence/lost-again", oracle: "convergence") { run in
            run.after(.seconds(1000)) { run.report(ConditionChanged("serving", holds: false)) }
            run.after(.seconds(1001)) { run.report(ConditionChanged("serving", holds: true)) }
        },
    ]

    private static let leases = [
        OracleCanary("lease-safety/used-after-expiry", oracle: "lease-safety") { run in
            issue("lease-2", run)
            run.after(.seconds(61)) {
                run.report(LeaseUsed("lease-2"))
                run.report(LeaseReported("lease-2"))
            }
        },
        OracleCanary("lease-safety/used-after-revocation", oracle: "lease-safety") { run in
            run.after(.seconds(51)) { run.report(LeaseUsed("lease-1")) }
        },
        OracleCanary("lease-safety/left-open", oracle: "lease-safety") { run in
            issue("lease-2", run)
            run.after(.seconds(5)) { run.report(HolderEnded("other", isOrderly: true)) }
        },
        OracleCanary("lease-safety/expired-in-silence", oracle: "lease-safety") { run in
            issue("lease-2", run)
            run.after(.seconds(1000)) { run.note("nobody looked after lease-2") }
        },
        OracleCanary("lease-safety/orphan-for-ever", oracle: "lease-safety") { run in
            run.report(LeaseIssued("lease-2", holder: "other", expires: nil))
            run.after(.seconds(5)) { run.report(HolderEnded("other", isOrderly: false)) }
        },
    ]

    private static func issue(_ lease: String, _ run: SimulationRun) {
        run.report(LeaseIssued(lease, holder: "other", expires: run.later(.seconds(60))))
    }

    private static let events = [
        OracleCanary("event-completeness/missing", oracle: "event-completeness") { run in
            run.report(AttackHandled("AV-001#2"))
        },
        OracleCanary("event-completeness/twice", oracle: "event-completeness") { run in
            run.report(SecurityEventRecorded("AV-001#1"))
        },
        OracleCanary("event-completeness/invented", oracle: "event-completeness") { run in
            run.report(SecurityEventRecorded("AV-002#1"))
        },
        OracleCanary("event-completeness/more-than-lost", oracle: "event-completeness") { run in
            run.report(AttackHandled("AV-001#2"))
            run.report(AttackHandled("AV-001#3"))
            run.report(SecurityEventsLost(count: 1))
        },
    ]

    private static let attacks = [
        OracleCanary("attack/gained", oracle: "attack") { run in
            run.report(AttackPlayed("AV-001#2", .blocked, hasGained: true))
        },
        OracleCanary("attack/ended", oracle: "attack") { run in
            run.report(AttackPlayed("AV-001#2", .blocked, hasGained: false, ended: ["wrapper"]))
        },
        OracleCanary("attack/contradictory", oracle: "attack") { run in
            run.report(AttackPlayed("AV-001#2", .contradictory, hasGained: false))
        },
    ]

    private static let hygiene = [
        OracleCanary("api-hygiene/flood", oracle: "api-hygiene") { run in
            for _ in 0..<61 { run.report(RequestSent(client: "other", server: "server")) }
        },
        OracleCanary("api-hygiene/retry-after", oracle: "api-hygiene") { run in
            run.report(RetryAfterReceived(client: "other", server: "server", delay: .seconds(9)))
            run.after(.seconds(8)) { run.report(RequestSent(client: "other", server: "server")) }
        },
    ]

    private static let bounds = [
        OracleCanary("bounds/queue", oracle: "bounds") { run in
            run.report(QuantityObserved("queue", value: 11, limit: 10))
        }
    ]

    private static let tripwire = [
        OracleCanary("tripwire/hot-loop", oracle: tripwireName) { run in
            // Before the client: it would otherwise stop in the middle of its work.
            run.after(.seconds(500)) {
                run.spawn("spinner") { _ in while true { await Task.yield() } }
            }
        },
        OracleCanary("tripwire/foreign-wait", oracle: tripwireName) { run in
            run.spawn("lost") { _ in
                await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
            }
        },
    ]
}
