// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// The registers of a stopped task (x86-64, `struct user_regs_struct`).
typealias Registers = user_regs_struct

/// One-call operations on a task that this thread traces. Each returns 0 or more, or -errno.
struct Tracee {
    let task: pid_t

    /// Request numbers of linux/ptrace.h.
    enum Request {
        static let pokeData: Int32 = 5
        static let resume: Int32 = 7
        static let getRegisters: Int32 = 12
        static let setRegisters: Int32 = 13
        static let detach: Int32 = 17
        static let resumeToSystemCall: Int32 = 24
        static let getEventMessage: Int32 = 0x4201
        static let seize: Int32 = 0x4206
        static let interrupt: Int32 = 0x4207
        static let listen: Int32 = 0x4208
        static let getSignalMask: Int32 = 0x420a
        static let setSignalMask: Int32 = 0x420b
    }

    /// PTRACE_O_*.
    enum Option {
        static let markSystemCalls: UInt = 1
        static let fork: UInt = 1 << 1
        static let vfork: UInt = 1 << 2
        static let clone: UInt = 1 << 3
        static let exec: UInt = 1 << 4
        static let seccomp: UInt = 1 << 7
        static let exitKill: UInt = 1 << 20
    }

    func seize(options: UInt) -> Int { call(Request.seize, 0, options) }
    func interrupt() -> Int { call(Request.interrupt, 0, 0) }
    func listen() -> Int { call(Request.listen, 0, 0) }
    func detach() -> Int { call(Request.detach, 0, 0) }
    func poke(_ address: UInt64, _ word: UInt64) -> Int {
        call(Request.pokeData, UInt(address), UInt(word))
    }

    func resume(signal: Int32, toSystemCall: Bool) -> Int {
        call(
            toSystemCall ? Request.resumeToSystemCall : Request.resume, 0,
            UInt(UInt32(bitPattern: signal)))
    }

    func registers(into registers: inout Registers) -> Int {
        withUnsafeMutablePointer(to: &registers) {
            call(Request.getRegisters, 0, UInt(bitPattern: $0))
        }
    }

    func setRegisters(_ registers: Registers) -> Int {
        var copy = registers
        return withUnsafeMutablePointer(to: &copy) {
            call(Request.setRegisters, 0, UInt(bitPattern: $0))
        }
    }

    func eventMessage(into message: inout UInt) -> Int {
        withUnsafeMutablePointer(to: &message) {
            call(Request.getEventMessage, 0, UInt(bitPattern: $0))
        }
    }

    /// The kernel's signal sets are 8 bytes.
    func signalMask(into mask: inout UInt64) -> Int {
        withUnsafeMutablePointer(to: &mask) {
            call(Request.getSignalMask, 8, UInt(bitPattern: $0))
        }
    }

    func setSignalMask(_ mask: UInt64) -> Int {
        var copy = mask
        return withUnsafeMutablePointer(to: &copy) {
            call(Request.setSignalMask, 8, UInt(bitPattern: $0))
        }
    }

    /// Reads up to `buffer.count` bytes; short where the readable memory ends.
    func read(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var local = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
        var remote = iovec(
            iov_base: UnsafeMutableRawPointer(bitPattern: UInt(address)), iov_len: buffer.count)
        return clinux_process_read(task, &local, 1, &remote, 1)
    }

    /// Writes all bytes or fails.
    func write(_ address: UInt64, _ bytes: UnsafeRawBufferPointer) -> Int {
        var local = iovec(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        var remote = iovec(
            iov_base: UnsafeMutableRawPointer(bitPattern: UInt(address)), iov_len: bytes.count)
        let written = clinux_process_write(task, &local, 1, &remote, 1)
        guard written >= 0 else { return written }
        return written == bytes.count ? written : -Int(EFAULT)
    }

    /// Whether the task is in a stop, and in none that a wait has still to tell of: its number may
    /// meanwhile be another thread's (execve(2) of a thread that is not the leader).
    var isInHandledStop: Bool {
        var registers = Registers()
        guard self.registers(into: &registers) >= 0 else { return false }
        var news = siginfo_t()
        let events = WEXITED | WSTOPPED | WNOHANG | WNOWAIT | waitAllTasks
        let asked = waitid(P_PID, id_t(task), &news, events)
        // si_signo is 0 when there is nothing to tell.
        return asked == 0 && news.si_signo == 0
    }

    private func call(_ request: Int32, _ address: UInt, _ data: UInt) -> Int {
        clinux_ptrace(request, task, address, data)
    }
}
