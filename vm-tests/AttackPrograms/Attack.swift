// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What is attacked and what is looked for.
package struct Attack: Sendable {
    /// The victim.
    package let pid: pid_t
    package let needle: Needle
    /// Where the secret is known to be; nil: all readable memory is searched.
    package let range: Range<UInt64>?
    /// The victim's mappings as the attacker knows them already; nil: the attack reads them first.
    let layout: [TargetMapping]?

    package init(
        pid: pid_t, needle: Needle, range: Range<UInt64>? = nil, layout: [TargetMapping]? = nil
    ) {
        self.pid = pid
        self.needle = needle
        self.range = range
        self.layout = layout
    }

    func mappings() -> Result<[TargetMapping], SystemError> {
        layout.map { .success($0) } ?? TargetProcess.mappings(of: pid)
    }

    /// Runs one attack. Afterwards the victim runs on, except after `coreDump`.
    package func run(_ vector: AttackVector) -> AttackReport {
        switch vector {
        case .environ: environ()
        case .memory: memoryFile()
        case .taskFiles: filesByPath(.taskFiles, "/proc/\(pid)/task/\(pid)")
        case .secondProc: filesBySecondMount()
        case .commandLine: commandLine()
        case .layout: information(.layout, "/proc/\(pid)/maps")
        case .activity: information(.activity, "/proc/\(pid)/syscall")
        case .compareDescriptors: compareDescriptors()
        case .memoryWrite: memoryWrite()
        case .processVMWritev: processVMWritev()
        case .connectionTheft: connectionTheft()
        case .seizeMemory: seizeMemory()
        case .seizeInject: seizeInject()
        case .coreLimit: coreLimit()
        case .corePattern: corePattern()
        case .processVMReadv: processVMReadv()
        case .ptracePeek: ptracePeek()
        case .ptraceInject: ptraceInject()
        case .descriptorOpen: descriptorOpen()
        case .mapFiles: mapFiles()
        case .descriptorTheft: descriptorTheft()
        case .physicalMemory: physicalMemory()
        case .kernelCore: kernelCore()
        case .coreDump: coreDump()
        }
    }

    /// Runs every attack, the one that kills the victim last.
    package func runAll(_ report: (AttackReport) -> Void) {
        for vector in AttackVector.allCases { report(run(vector)) }
    }

    func leaked(_ vector: AttackVector, _ detail: String) -> AttackReport {
        AttackReport(vector, .leaked, bytes: needle.count, detail: detail)
    }

    func refused(_ vector: AttackVector, _ number: Int32, _ detail: String) -> AttackReport {
        AttackReport(
            vector, number == ENOENT || number == ESRCH ? .unavailable : .refused,
            errorNumber: number, detail: detail)
    }

    private func environ() -> AttackReport {
        switch TargetProcess.read("/proc/\(pid)/environ") {
        case .failure(let error):
            return refused(.environ, error.number, "open or read of environ: \(error.name)")
        case .success(let content):
            let found = content.withUnsafeBytes { needle.occurrences(in: $0) }
            return found > 0
                ? leaked(.environ, "\(found) blocks of it in \(content.count) bytes of environment")
                : AttackReport(
                    .environ, .absent, detail: "\(content.count) bytes read, not among them")
        }
    }

    /// Larger anonymous mappings than this are left out of the slower attacks (bytes).
    static let likelyBytesMax = 1 << 20

    /// The ranges worth the slower attacks: the one given, else secret memory, stack, heap and
    /// small anonymous mappings.
    func likelyRanges() -> Result<[Range<UInt64>], SystemError> {
        if let range { return .success([range]) }
        return mappings().map { mappings in
            mappings.filter { mapping in
                mapping.readable
                    && (mapping.isSecret || mapping.path == "[stack]" || mapping.path == "[heap]"
                        || mapping.isAnonymous && mapping.range.count <= Self.likelyBytesMax)
            }.map(\.range)
        }
    }
}
