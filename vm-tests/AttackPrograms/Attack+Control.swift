// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Attacks that change the victim. They write what stands there already, so that it runs on.
extension Attack {
    func memoryWrite() -> AttackReport {
        let descriptor = open("/proc/\(pid)/mem", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            let number = errno
            return refused(.memoryWrite, number, "open of mem: \(SystemError.name(of: number))")
        }
        defer { close(descriptor) }
        return overwrite(.memoryWrite, [\.isProgramText, \.isStack]) { address in
            var copy: UInt64 = 0
            guard clinux_read_at(descriptor, address, &copy, 8) == 8 else { return -Int64(EIO) }
            return clinux_write_at(descriptor, address, &copy, 8)
        }
    }

    func processVMWritev() -> AttackReport {
        overwrite(.processVMWritev, [\.isStack]) { [pid] address in
            var copy: UInt64 = 0
            let got = clinux_process_vm_readv(pid, address, &copy, 8)
            guard got == 8 else { return got }
            return clinux_process_vm_writev(pid, address, &copy, 8)
        }
    }

    /// Rewrites the first word of the first mapping of each kind until one takes it.
    private func overwrite(
        _ vector: AttackVector, _ kinds: [KeyPath<TargetMapping, Bool>],
        with writer: (UInt64) -> Int64
    ) -> AttackReport {
        let mappings: [TargetMapping]
        switch self.mappings() {
        case .success(let found): mappings = found
        case .failure(let error): return refused(vector, error.number, "maps: \(error.name)")
        }
        var refusal: Int32 = ENOENT
        for kind in kinds {
            for mapping in mappings where mapping[keyPath: kind] {
                // The last word of the range: of the stack a page that is in use.
                let put = writer(mapping.range.upperBound - 8)
                if put == 8 {
                    return AttackReport(
                        vector, .controlled, detail: "a word of \(mapping.path) was written")
                }
                refusal = Int32(put < 0 ? -put : Int64(EIO))
                break
            }
        }
        return refused(vector, refusal, SystemError.name(of: refusal))
    }

    func connectionTheft() -> AttackReport {
        let handle = clinux_pidfd_open(pid)
        guard handle >= 0 else {
            return refused(
                .connectionTheft, -handle, "pidfd_open: \(SystemError.name(of: -handle))")
        }
        defer { close(handle) }
        // Standard output: a pipe to whoever started it.
        let copy = clinux_pidfd_getfd(handle, 1)
        guard copy >= 0 else {
            return refused(.connectionTheft, -copy, SystemError.name(of: -copy))
        }
        close(copy)
        return AttackReport(.connectionTheft, .controlled, detail: "descriptor 1 was taken")
    }

    func seizeMemory() -> AttackReport {
        let seized = seize()
        guard seized == 0 else {
            return refused(
                .seizeMemory, seized, "PTRACE_SEIZE: \(SystemError.name(of: seized))")
        }
        defer { clinux_ptrace_detach(pid) }
        return memoryFile(.seizeMemory, "/proc/\(pid)/mem")
    }

    func seizeInject() -> AttackReport {
        let seized = seize()
        guard seized == 0 else {
            return refused(
                .seizeInject, seized, "PTRACE_SEIZE: \(SystemError.name(of: seized))")
        }
        return injectWhileStopped(.seizeInject)
    }

    /// PTRACE_SEIZE, PTRACE_INTERRUPT and the stop that follows. 0 or the error number.
    private func seize() -> Int32 {
        let seized = clinux_ptrace_seize(pid)
        guard seized == 0 else { return -seized }
        let status = clinux_wait_stop(pid)
        return status < 0 ? -status : 0
    }
}

extension TargetMapping {
    var isProgramText: Bool { executable && path.hasPrefix("/") }
    var isStack: Bool { path == "[stack]" }
}
