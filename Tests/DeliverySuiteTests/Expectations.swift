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

/// What must hold for every process seen under `splice`.
func expectProtected(
    _ run: Run, _ setup: Setup, on stage: Stage,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    for seen in run.observations {
        let who = Comment(rawValue: "\(setup): \(seen.label) pid \(seen.pid)")
        #expect(seen.values == "ok", who, sourceLocation: sourceLocation)
        let undumpable = setup.options.contains("--undumpable")
        // An ordinary user's process that is not dumpable cannot list its own descriptors.
        let isClean =
            seen.descriptors == "" || undumpable && seen.descriptors == "refused"
        #expect(isClean, who, sourceLocation: sourceLocation)
        #expect(seen.mask == 0, who, sourceLocation: sourceLocation)
        if undumpable {
            #expect(seen.dumpable != 1, who, sourceLocation: sourceLocation)
            #expect(seen.owner == 0 || seen.owner == nil, who, sourceLocation: sourceLocation)
        }
        if !undumpable || Host.isRoot {
            #expect(seen.environment != nil, who, sourceLocation: sourceLocation)
            for secret in stage.secrets {
                let entry = seen.entry(of: secret.name)
                #expect(entry == Data(), who, sourceLocation: sourceLocation)
            }
        }
        let leaks =
            stage.leaks(in: seen.environment) || stage.leaks(in: seen.parentEnvironment)
            || stage.leaks(in: seen.commandLine)
        #expect(!leaks, who, sourceLocation: sourceLocation)
        let tracer = setup.follow == "attached" ? run.wrapper : 0
        #expect(seen.tracer == tracer, who, sourceLocation: sourceLocation)
    }
}
