// SPDX-License-Identifier: Apache-2.0
import Delivery
import LinuxProcessHost
import Ports

/// What the command line asks for.
struct HarnessArguments {
    var mode = DeliveryMode.splice
    var follow = FollowStrategy.attached
    var child = ChildPolicy()
    var faults: [DeliveryFault] = []
    var listsSteps = false
    var countersFile: String?
    var memoryLockBytes: UInt?
    var userID: UInt32?
    var secretsFile: String?
    var unlinksSecrets = false
    /// What the wrapper does to itself before it fetches a secret.
    var hardens = false
    /// The caller's thread waits for the end without calling the host.
    var isStuck = false
    var mayStartAgain = false
    /// How often the program is started anew after it has ended.
    var restarts = 0
    /// Waits this long for a request to stop before anything is started.
    var waitFirstMilliseconds: Int?
    /// A FIFO with lines for the host: see `Control`.
    var controlFile: String?
    /// Every image is indexed, and what may be known of the index is written here.
    var indexFile: String?
    /// Where areas are put; nil: drawn.
    var areaBase: UInt64?
    var command: [String] = []

    static let usage = """
        usage: delivery-harness [--mode splice|file|environ] [--follow attached|notified|none]
            [--undumpable] [--read-only] [--drop-capabilities] [--no-restrict]
            [--fail-at STEP[:N]] [--die-at STEP[:N]] [--stop-at STEP[:N]] [--list-steps]
            [--counters FILE] [--memlock BYTES] [--uid N] [--harden] [--unlink]
            [--readable-files] [--stuck] [--may-start-again] [--restarts N]
            [--wait-first MILLISECONDS] [--control FIFO]
            [--index FILE] [--area-base HEXADECIMAL]
            --secrets FILE -- CMD ARGS...
        """

    /// Why the command line was not understood.
    struct Misuse: Error {
        let message: String
    }

    init(_ arguments: [String]) throws(Misuse) {
        var rest = arguments[...]
        while let flag = rest.popFirst() {
            if flag == "--" { break }
            try apply(flag, &rest)
        }
        command = Array(rest)
        guard !listsSteps else { return }
        guard secretsFile != nil else { throw Misuse(message: "--secrets is missing") }
        guard !command.isEmpty else { throw Misuse(message: "no command after --") }
    }

    private mutating func apply(
        _ flag: String, _ rest: inout ArraySlice<String>
    ) throws(Misuse) {
        switch flag {
        case "--undumpable": child.undumpable = true
        case "--read-only": child.readOnlyValues = true
        case "--drop-capabilities": child.dropCapabilities = true
        case "--no-restrict": child.restrictSystemCalls = false
        case "--list-steps": listsSteps = true
        case "--unlink": unlinksSecrets = true
        case "--harden": hardens = true
        case "--readable-files": child.readableFiles = true
        case "--stuck": isStuck = true
        case "--may-start-again": mayStartAgain = true
        default:
            guard let value = rest.popFirst() else {
                throw Misuse(message: "\(flag): unknown, or its value is missing")
            }
            try apply(flag, value: value)
        }
    }

    private mutating func apply(_ flag: String, value: String) throws(Misuse) {
        switch flag {
        case "--mode": mode = try Self.parsed(flag, value) { DeliveryMode(rawValue: $0) }
        case "--follow":
            follow = try Self.parsed(flag, value) { FollowStrategy(rawValue: $0) }
        case "--fail-at": faults.append(try Self.fault(.fail, flag, value))
        case "--stop-at": faults.append(try Self.fault(.stop, flag, value))
        case "--die-at": faults.append(try Self.fault(.die, flag, value))
        case "--counters": countersFile = value
        case "--memlock": memoryLockBytes = try Self.parsed(flag, value) { UInt($0) }
        case "--uid": userID = try Self.parsed(flag, value) { UInt32($0) }
        case "--secrets": secretsFile = value
        case "--control": controlFile = value
        case "--index": indexFile = value
        case "--area-base": areaBase = try Self.parsed(flag, value) { UInt64($0, radix: 16) }
        case "--restarts": restarts = try Self.parsed(flag, value) { Int($0) }
        case "--wait-first":
            waitFirstMilliseconds = try Self.parsed(flag, value) { Int($0) }
        default: throw Misuse(message: "\(flag): unknown")
        }
    }

    private static func parsed<Value>(
        _ flag: String, _ text: String, _ parse: (String) -> Value?
    ) throws(Misuse) -> Value {
        guard let value = parse(text) else {
            throw Misuse(message: "\(flag): \(text) is no possible value")
        }
        return value
    }

    private static func fault(
        _ kind: DeliveryFault.Kind, _ flag: String, _ text: String
    ) throws(Misuse) -> DeliveryFault {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let step = try parsed(flag, String(parts[0])) { SpliceStep(rawValue: $0) }
        guard parts.count > 1 else { return DeliveryFault(step: step, kind: kind) }
        let occurrence = try parsed(flag, String(parts[1])) { Int($0) }
        return DeliveryFault(step: step, kind: kind, occurrence: occurrence)
    }
}
