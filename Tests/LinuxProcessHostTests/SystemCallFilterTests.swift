// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import LinuxProcessHost

/// Evaluates a filter as the kernel does: the subset of classic BPF that libseccomp emits.
struct FilterMachine {
    static let x86x64: UInt32 = 0xc000_003e
    static let i386: UInt32 = 0x4000_0003

    let instructions: [UInt64]

    func action(
        number: UInt32, architecture: UInt32 = x86x64, firstArgument: UInt64 = 0
    ) -> UInt32? {
        let data: [Int: UInt32] = [
            0: number, 4: architecture, 16: UInt32(truncatingIfNeeded: firstArgument),
            20: UInt32(firstArgument >> 32),
        ]
        var accumulator: UInt32 = 0
        var index = 0
        while index < instructions.count {
            let word = instructions[index]
            let operand = UInt32(word >> 32)
            index += 1
            switch UInt16(truncatingIfNeeded: word) {
            case 0x20: accumulator = data[Int(operand)] ?? 0
            case 0x54: accumulator &= operand
            case 0x06: return operand
            case 0x05: index += Int(operand)
            case 0x15: index += jump(word, accumulator == operand)
            case 0x25: index += jump(word, accumulator > operand)
            case 0x35: index += jump(word, accumulator >= operand)
            case 0x45: index += jump(word, accumulator & operand != 0)
            default: return nil
            }
        }
        return nil
    }

    private func jump(_ word: UInt64, _ holds: Bool) -> Int {
        Int(holds ? word >> 16 & 0xff : word >> 24 & 0xff)
    }
}

@Suite("The program's filter")
struct SystemCallFilterTests {
    static let allow: UInt32 = 0x7fff_0000
    static let trace: UInt32 = 0x7ff0_0000
    static let notify: UInt32 = 0x7fc0_0000
    static let deny: UInt32 = 0x0005_0001
    static let killProcess: UInt32 = 0x8000_0000
    /// ptrace, process_vm_readv, process_vm_writev, kcmp, finit_module, bpf, userfaultfd,
    /// io_uring_setup, pidfd_getfd, perf_event_open, vmsplice, tee.
    static let restricted: [UInt32] = [
        101, 310, 311, 312, 313, 321, 323, 425, 438, 298, 278, 276,
    ]
    static let unsupported: UInt32 = 0x0005_0016
    static let splice: UInt32 = 275
    static let sendmmsg: UInt32 = 307
    static let execve: UInt32 = 59
    static let execveat: UInt32 = 322

    private func machine(
        _ trap: SystemCallFilter.ExecTrap, restrict: Bool = true, denySendmmsg: Bool = false
    ) throws -> FilterMachine {
        FilterMachine(
            instructions: try SystemCallFilter(
                trap: trap, restrict: restrict, denySendmmsg: denySendmmsg
            ).instructions)
    }

    @Test("Both calls that execute are trapped, by the tracer or by the listener")
    func traps() throws {
        let tracer = try machine(.tracer)
        let listener = try machine(.listener)
        for number in [Self.execve, Self.execveat] {
            #expect(tracer.action(number: number, firstArgument: 0x7fff_1234_5678) == Self.trace)
            #expect(listener.action(number: number, firstArgument: 0x1234) == Self.notify)
        }
        let untrapped = try machine(.none)
        #expect(untrapped.action(number: Self.execve) == Self.allow)
    }

    @Test("Only execve with the hand-over address goes to the listener of a traced tree")
    func handOver() throws {
        let tracer = try machine(.tracer)
        let address = SystemCallFilter.handOverAddress
        #expect(tracer.action(number: Self.execve, firstArgument: address) == Self.notify)
        #expect(tracer.action(number: Self.execveat, firstArgument: address) == Self.trace)
        // Each half alone is another address.
        let low = tracer.action(number: Self.execve, firstArgument: address & 0xffff_ffff)
        let high = tracer.action(number: Self.execve, firstArgument: address | 0xff)
        #expect(low == Self.trace && high == Self.trace)
        // No program can hold it: bits 47 and up differ.
        #expect(address >> 47 != 0 && address >> 47 != 0x1ffff)
    }

    @Test("Restricted calls are denied, by policy", arguments: restricted)
    func restriction(number: UInt32) throws {
        for trap in [SystemCallFilter.ExecTrap.none, .tracer, .listener] {
            #expect(try machine(trap).action(number: number) == Self.deny)
            #expect(try machine(trap, restrict: false).action(number: number) == Self.allow)
        }
    }

    /// Go's io.Copy gives up at any other answer, and copies by read and write at this one.
    @Test("splice is answered as a kernel does that cannot splice these files")
    func splice() throws {
        #expect(try machine(.tracer).action(number: Self.splice) == Self.unsupported)
        #expect(try machine(.tracer, restrict: false).action(number: Self.splice) == Self.allow)
    }

    @Test("sendmmsg is denied only where that is asked for", arguments: [true, false])
    func messageBatches(restrict: Bool) throws {
        let standard = try machine(.none, restrict: restrict)
        #expect(standard.action(number: Self.sendmmsg) == Self.allow)
        let strict = try machine(.none, restrict: restrict, denySendmmsg: true)
        #expect(strict.action(number: Self.sendmmsg) == Self.deny)
        #expect((strict.action(number: Self.splice) == Self.allow) == !restrict)
    }

    @Test("Every other call is allowed")
    func others() throws {
        let filter = try machine(.listener)
        for number: UInt32 in [0, 1, 9, 40, 46, 56, 57, 58, 157, 231, 319, 447] {
            #expect(filter.action(number: number) == Self.allow)
        }
    }

    @Test("Calls of other architectures kill the process")
    func architectures() throws {
        for trap in [SystemCallFilter.ExecTrap.none, .tracer, .listener] {
            let filter = try machine(trap, restrict: true)
            // i386 execve is 11; x32 sets bit 30.
            let compat = filter.action(number: 11, architecture: FilterMachine.i386)
            #expect(compat == Self.killProcess)
            #expect(filter.action(number: 0x4000_0000 | 520) == Self.killProcess)
            #expect(filter.action(number: 0x4000_0000 | 39) == Self.killProcess)
        }
    }
}
