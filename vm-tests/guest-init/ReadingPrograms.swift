// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import CLinux
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel
import Ports

/// VM-EBPF-06: BPF programs of types that look at no other program, as container run-times and
/// networks load them. One that copies from whoever runs is told apart by its instructions.
struct ReadingPrograms {
    private static let needle: UInt64 = 99
    private static let cgroup = "/sys/fs/cgroup"
    private static let socketType: UInt32 = 9

    let host: Host
    let seed: UInt64
    /// What the program got without the agent.
    private var control: Copy?

    init(host: Host, seed: UInt64) {
        self.host = host
        self.seed = seed
        mkdir(Self.cgroup, 0o755)
        // It may be there already.
        _ = clinux_mount("cgroup2", Self.cgroup, "cgroup2")
        control = Hostage(Needle(seed: seed, index: Self.needle)).map { hostage in
            defer { hostage.end() }
            return Copy(from: hostage, cgroup: Self.cgroup)
        }
    }

    /// What one attempt came to.
    private struct Copy {
        /// 0 or the error number of loading and attaching.
        let errorNumber: Int32
        /// Parts of the secret that the program copied.
        let found: Int

        init(from hostage: Hostage, cgroup: String) {
            let folder = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            defer { close(folder) }
            let count = Int(hostage.range.upperBound - hostage.range.lowerBound)
            let value = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
            defer {
                clinux_zero(value.baseAddress, value.count)
                value.deallocate()
            }
            var reader = clinux_socket_reader()
            let placed = clinux_place_socket_reader(
                &reader, folder, hostage.pid, hostage.range.lowerBound, count)
            guard placed == 0 else {
                (errorNumber, found) = (-placed, 0)
                return
            }
            _ = hostage.obey("socket")
            let got = clinux_remove_socket_reader(&reader, value.baseAddress)
            errorNumber = got < 0 ? Int32(-got) : 0
            found = hostage.needle.occurrences(in: UnsafeRawBufferPointer(value))
        }

        var text: String {
            errorNumber == 0
                ? "loaded, attached, \(found) parts of the secret copied"
                : "refused with \(SystemError.name(of: errorNumber))"
        }
    }

    /// - Parameter mode: `detect` or `deny`, which is in force.
    func judge(_ guarded: inout GuardedKernel, _ mode: String) {
        guard let hostage = Hostage(Needle(seed: seed, index: Self.needle)),
            !guarded.enrol(hostage.pid).isEmpty
        else { return report(mode, "no hostage", false) }
        defer { hostage.end() }
        guarded.openBooks()
        let copy = Copy(from: hostage, cgroup: Self.cgroup)
        let harmless = -clinux_probe_program_load(Self.socketType)
        let books = guarded.closeBooks()
        let denies = mode == "deny"
        let told = books.records.filter { $0.vector == .readingLoad }
        report(
            "\(mode), \(guarded.kernel.tier.word)",
            "\(copy.text); told: \(books.eventsText); one that copies nothing: "
                + (harmless == 0 ? "loaded" : SystemError.name(of: harmless)),
            copy.errorNumber == (denies ? EPERM : 0) && (copy.found > 0) == !denies
                && harmless == 0 && told.count == 1
                && told.first?.verdict == (denies ? .denied : .observed) && books.isBalanced)
    }

    private func report(_ name: String, _ seen: String, _ expected: Bool) {
        host.report(
            CaseResult(
                id: "VM-EBPF-06", name: "a socket program that reads, \(name)", observation: seen,
                expected: expected, control: "without the agent: \(control?.text ?? "no hostage")",
                controlPassed: (control?.found ?? 0) > 0))
    }
}
