// SPDX-License-Identifier: Apache-2.0
import Foundation

/// This machine, and where the programs of the suite are.
enum Host {
    /// Where interpreters are looked for: what any user may reach.
    static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    static let isRoot = geteuid() == 0
    /// Another build of it, such as the static one, may be named.
    static let harness =
        ProcessInfo.processInfo.environment["CLOUDTASER_DELIVERY_HARNESS"]
        ?? program("delivery-harness")
    static let victim = program("delivery-victim")

    /// Products lie beside the test runner.
    private static func program(_ name: String) -> String {
        var target = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &target, target.count - 1)
        let runner = String(
            decoding: target.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (runner as NSString).deletingLastPathComponent + "/" + name
    }

    /// What the kernel answers: `call` to "granted" or an errno's name.
    static let answers: [String: String] = {
        let outcome = try? Command([victim, "probe"], environment: []).finish()
        var answers: [String: String] = [:]
        for line in (outcome?.output ?? "").split(separator: "\n") {
            let pair = line.split(separator: "=")
            if pair.count == 2 { answers[String(pair[0])] = String(pair[1]) }
        }
        return answers
    }()

    static func grants(_ call: String) -> Bool { answers[call] == "granted" }

    /// The call that `splice` needs and this host refuses.
    static func refusedCall(follow: String) -> String? {
        let needed = ["memfd_secret", "ptrace"] + (follow == "none" ? [] : ["seccomp_listener"])
        return needed.first { !grants($0) }
    }

    /// Full counts where CLOUDTASER_SOAK=1.
    static let isSoak = ProcessInfo.processInfo.environment["CLOUDTASER_SOAK"] == "1"

    /// Users to run as: only root may choose.
    static let users: [UInt32?] = isRoot ? [0, 65534] : [nil]

    /// Locked memory to run with: 64 KiB, and 8 MiB where the hard limit allows it.
    static let lockedMemory: [Int] = {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(8), &limit)
        let sizes = [64 << 10, 8 << 20]
        return sizes.filter { isRoot || UInt($0) <= limit.rlim_max }
    }()

    static let follows = ["attached", "notified"]

    /// The compilers may lie where only this user reaches them; what they build does not.
    static func find(_ name: String, isCompiler: Bool = false) -> String? {
        let own = isCompiler ? ProcessInfo.processInfo.environment["PATH"] ?? "" : ""
        return (path + ":" + own).split(separator: ":").map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 }
    }
}
