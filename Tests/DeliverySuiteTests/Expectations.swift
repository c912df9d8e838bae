// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

enum Status {
    static let deliveryFailed: Int32 = 103
    static let refusedByHost: Int32 = 104
    static let killed: Int32 = 128 + SIGKILL
    /// delivery-victim: a namespace of its own is refused.
    static let namespaceRefused: Int32 = 96
}

/// Expects the run to have ended well, or to have been refused where the host refuses. Returns
/// whether the program ran.
func expectDelivered(
    _ run: Run, _ setup: Setup, on stage: Stage,
    sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
    let unfilled = stage.markers("unfilled")
    #expect(unfilled.isEmpty, "an image ran without its values", sourceLocation: sourceLocation)
    if setup.mode == "splice", let call = Host.refusedCall(follow: setup.follow) {
        #expect(
            run.outcome.status == Status.refusedByHost && run.observations.isEmpty,
            "\(call) is refused here: \(run.outcome)", sourceLocation: sourceLocation)
        return false
    }
    if setup.foreignNetwork, !Host.grants("unshare") {
        #expect(
            run.outcome.status == Status.namespaceRefused, "\(run.outcome)",
            sourceLocation: sourceLocation)
        return false
    }
    #expect(run.outcome.status == 0, "\(run.outcome)", sourceLocation: sourceLocation)
    #expect(run.outcome.treeEnded, "\(run.outcome)", sourceLocation: sourceLocation)
    return true
}

/// What must hold for every process seen under `splice`; one issue per run names what did not.
func expectProtected(
    _ run: Run, _ setup: Setup, on stage: Stage, mask: UInt64 = 0,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let found = run.observations.flatMap { seen in
        violations(by: seen, run, setup, on: stage, mask: mask).map {
            "\(seen.label) pid \(seen.pid): \($0)"
        }
    }
    #expect(
        found.isEmpty, "\(setup): \(found.prefix(8).joined(separator: "; "))",
        sourceLocation: sourceLocation)
}

private func violations(
    by seen: Observation, _ run: Run, _ setup: Setup, on stage: Stage, mask: UInt64
) -> [String] {
    var found: [String] = []
    func check(_ holds: Bool, _ words: String) { if !holds { found.append(words) } }
    let undumpable = setup.options.contains("--undumpable")
    check(seen.values == "ok", "values \(seen.values)")
    // An ordinary user's process that is not dumpable cannot list its own descriptors.
    check(
        seen.descriptors == "" || undumpable && seen.descriptors == "refused",
        "descriptors \(seen.descriptors)")
    check(seen.mask == mask, "signal mask \(String(seen.mask, radix: 16))")
    if undumpable {
        check(seen.dumpable != 1, "dumpable \(seen.dumpable)")
        check(seen.owner == 0 || seen.owner == nil, "owner \(seen.owner ?? 0)")
    } else {
        check(seen.dumpable == 1, "dumpable \(seen.dumpable)")
    }
    if !undumpable || Host.isRoot {
        check(seen.environment != nil, "environ not readable")
        for secret in stage.secrets {
            let entry = seen.entry(of: secret.name)
            check(entry == Data(), "environ: \(secret.name) has \(entry?.count ?? -1) bytes")
        }
    }
    check(!stage.leaks(in: seen.environment), "environ shows a value")
    check(!stage.leaks(in: seen.parentEnvironment), "the parent's environ shows a value")
    check(!stage.leaks(in: seen.commandLine), "the command line shows a value")
    // The wrapper says when it cannot follow as it was told to.
    let isAttached =
        setup.follow == "attached" || run.outcome.output.contains("following as attached")
    let tracer = isAttached ? run.wrapper : 0
    check(seen.tracer == tracer, "tracer \(seen.tracer ?? -1), not \(tracer)")
    return found
}
