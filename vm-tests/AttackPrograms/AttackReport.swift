// SPDX-License-Identifier: Apache-2.0

/// A way to take a secret out of another process. The raw value is the name on the command line.
package enum AttackVector: String, CaseIterable, Sendable {
    /// `/proc/PID/environ`.
    case environ = "environ"
    /// Every readable mapping through `/proc/PID/mem`.
    case memory = "mem"
    /// Every readable mapping through process_vm_readv(2).
    case processVMReadv = "process-vm-readv"
    /// PTRACE_PEEKDATA over secret memory, stack and heap.
    case ptracePeek = "ptrace-peek"
    /// System-call injection: the stopped victim is made to write(2) its own memory to a file.
    case ptraceInject = "ptrace-inject"
    /// Opening `/proc/PID/fd/N` of descriptors that stand for memory.
    case descriptorOpen = "fd-open"
    /// Opening `/proc/PID/map_files/…` of mappings that stand for memory.
    case mapFiles = "map-files"
    /// Taking descriptors with pidfd_getfd(2) and mapping them.
    case descriptorTheft = "pidfd-getfd"
    /// Physical memory through `/dev/mem`.
    case physicalMemory = "dev-mem"
    /// The kernel's direct map through `/proc/kcore`.
    case kernelCore = "kcore"
    /// The environment and memory files in a thread's folder.
    case taskFiles = "task-files"
    /// The same files through another mount of proc.
    case secondProc = "second-proc"
    /// `/proc/PID/cmdline`.
    case commandLine = "cmdline"
    /// `/proc/PID/maps`: addresses.
    case layout = "maps"
    /// `/proc/PID/syscall`: what the victim is doing.
    case activity = "syscall"
    /// kcmp(2) of a descriptor.
    case compareDescriptors = "kcmp"
    /// Writing code through `/proc/PID/mem`, else the stack. Writes what stands there.
    case memoryWrite = "mem-write"
    /// Writing the stack with process_vm_writev(2).
    case processVMWritev = "process-vm-writev"
    /// Taking any descriptor, a connection for instance, with pidfd_getfd(2).
    case connectionTheft = "pidfd-getfd-any"
    /// PTRACE_SEIZE, then `/proc/PID/mem`, as gcore does.
    case seizeMemory = "seize-mem"
    /// PTRACE_SEIZE, then system-call injection, as a checkpoint tool does.
    case seizeInject = "seize-inject"
    /// Raising RLIMIT_CORE with prlimit(2).
    case coreLimit = "core-limit"
    /// Changing core_pattern, and putting it back.
    case corePattern = "core-pattern"
    /// A forced core dump, searched afterwards. Kills the victim, so it is last.
    case coreDump = "core-dump"

    /// The vector in the catalogue (Fixtures/attack-vectors.json).
    package var catalogueID: String {
        switch self {
        case .ptraceInject: "AV-001"
        case .ptracePeek: "AV-002"
        case .memory: "AV-004"
        case .memoryWrite: "AV-005"
        case .taskFiles: "AV-006"
        case .secondProc: "AV-007"
        case .processVMReadv: "AV-008"
        case .processVMWritev: "AV-009"
        case .descriptorTheft: "AV-010"
        case .connectionTheft: "AV-011"
        case .descriptorOpen: "AV-013"
        case .mapFiles: "AV-014"
        case .compareDescriptors: "AV-017"
        case .seizeInject: "AV-038"
        case .environ: "AV-044"
        case .commandLine: "AV-045"
        case .layout: "AV-046"
        case .activity: "AV-047"
        case .coreDump: "AV-051"
        case .corePattern: "AV-054"
        case .seizeMemory: "AV-055"
        case .coreLimit: "AV-056"
        case .kernelCore: "AV-058"
        case .physicalMemory: "AV-059"
        }
    }

    /// The vector that the agent's event names: its hooks see the first step, and not what the
    /// attacker would have done next.
    package var reportedID: String {
        switch self {
        case .ptracePeek, .seizeInject, .seizeMemory: "AV-001"
        case .secondProc: "AV-044"
        default: catalogueID
        }
    }

    /// Whether the attack is on the machine: its result does not depend on the victim's process.
    package var isOnMachine: Bool {
        [.physicalMemory, .kernelCore, .corePattern].contains(self)
    }
}

/// What an attack came to.
package enum AttackOutcome: String, Sendable {
    /// The secret was found.
    case leaked
    /// The victim's memory, control flow or connections are the attacker's.
    case controlled
    /// A setting was changed that other attacks need.
    case changed
    /// Facts were had, and no byte of the secret.
    case informed
    /// Every check was passed; only what would have been loaded was missing.
    case passed
    /// The kernel refused the access that would have shown it.
    case refused
    /// The access worked and the secret was not in what it showed.
    case absent
    /// The interface does not exist here, or the attack could not be set up.
    case unavailable
}

/// Result of one attack.
package struct AttackReport: Sendable {
    package let vector: AttackVector
    package let outcome: AttackOutcome
    /// The refusing call's error number, 0 when none refused.
    package let errorNumber: Int32
    /// Bytes of the secret obtained: its length when leaked, else 0.
    package let bytes: Int
    /// One sentence for people. Never holds the secret.
    package let detail: String

    package init(
        _ vector: AttackVector, _ outcome: AttackOutcome, errorNumber: Int32 = 0, bytes: Int = 0,
        detail: String
    ) {
        self.vector = vector
        self.outcome = outcome
        self.errorNumber = errorNumber
        self.bytes = bytes
        self.detail = detail
    }

    /// The report as one JSON object without a line break.
    package var jsonLine: String {
        JSONLine.object([
            ("vector", .text(vector.rawValue)), ("outcome", .text(outcome.rawValue)),
            ("errno", .number(Int(errorNumber))), ("bytes", .number(bytes)),
            ("detail", .text(detail)),
        ])
    }
}

/// One-line JSON objects, enough for reports: no Foundation in static guests.
package enum JSONLine {
    /// A member's value.
    package enum Value {
        case text(String)
        case number(Int)
        case boolean(Bool)
        /// JSON already rendered.
        case raw(String)
    }

    /// Renders members in the order given.
    package static func object(_ members: [(String, Value)]) -> String {
        "{" + members.map { "\(quoted($0.0)):\(rendered($0.1))" }.joined(separator: ",") + "}"
    }

    static func rendered(_ value: Value) -> String {
        switch value {
        case .text(let text): quoted(text)
        case .number(let number): String(number)
        case .boolean(let flag): flag ? "true" : "false"
        case .raw(let json): json
        }
    }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
