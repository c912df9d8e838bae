// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

/// One run under delivery mode `environ`: fork, execve with the values in the environment.
///
/// The strings given to execve are the image's own bytes; the kernel copies them to the new
/// program's stack, which is ordinary memory. Nothing is followed.
struct ClassicRun {
    let launch: Launch
    let path: String
    let options: LinuxProcessHost.Options

    func perform(
        _ entries: [DeliveryImage.Entry], _ bytes: UnsafeRawBufferPointer, _ signals: SignalSet
    ) throws(ProcessHostFailure) -> ChildExit {
        let child = try start(entries, bytes, signals)
        defer { close(child.channel) }
        switch try child.next() {
        case .failed(let step, let number):
            _ = wait(for: child.process, signals, once: true)
            throw StartedChild.failure(
                program: launch.programName, step: step, errorNumber: number)
        case .ready, .filtered, .closed: break
        }
        do throws(ProcessHostFailure) {
            if options.givesUpOwnPrivileges { try OwnPrivileges.giveUp() }
        } catch {
            kill(child.process, SIGKILL)
            _ = wait(for: child.process, signals, once: true)
            throw error
        }
        guard let end = wait(for: child.process, signals, once: false) else {
            throw .systemCall("waitpid", errorNumber: ECHILD)
        }
        return end
    }

    private func start(
        _ entries: [DeliveryImage.Entry], _ bytes: UnsafeRawBufferPointer, _ signals: SignalSet
    ) throws(ProcessHostFailure) -> StartedChild {
        var start = ChildStart(
            path: path, arguments: launch.arguments,
            environment: launch.environment.filter { entry in
                !entries.contains { $0.name == entry.name }
            },
            signalMask: signals.before, ownProcessGroup: !signals.sharesTerminal)
        // execve takes char *const[], and writes to none of them.
        let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        start.laidOut = entries.compactMap { entry in
            base.map { ($0 + entry.offset).assumingMemoryBound(to: CChar.self) }
        }
        if launch.child.restrictSystemCalls {
            start.filter = try SystemCallFilter(trap: .none, restrict: true)
        }
        start.noNewPrivileges = true
        start.dropsCapabilities = launch.child.dropCapabilities
        // Secret memory is not inherited; execve reads these strings in the child.
        let inherited = InheritedPages(bytes)
        defer { inherited.restore() }
        return try start.start()
    }

    /// Reaps, forwards signals, and returns the program's end.
    private func wait(
        for program: pid_t, _ signals: SignalSet, once: Bool
    ) -> ChildExit? {
        while true {
            var status: Int32 = 0
            let ended = waitpid(-1, &status, once ? 0 : WNOHANG)
            if ended == program {
                switch Stop(status: status) {
                case .exited(let code): return .exited(code: code)
                case .killed(let signal): return .signalled(signal: signal)
                default: continue
                }
            }
            if ended > 0 { continue }
            guard ended == 0 || errno == EINTR else { return nil }
            var descriptor = pollfd(
                fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&descriptor, 1, -1)
            var stops = false
            while let received = signals.read() {
                if received.stopsGroup { stops = true }
                guard received.signal != SIGCHLD, !received.isProgramsToo else { continue }
                kill(program, received.signal)
            }
            if stops { signals.stopAsJob() }
        }
    }
}

/// Lets a forked child inherit pages that are otherwise kept from it (MADV_DONTFORK).
struct InheritedPages {
    private let start: UnsafeMutableRawPointer?
    private let length: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        start = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        length = bytes.count
        if let start, length > 0 { madvise(start, length, Int32(MADV_DOFORK)) }
    }

    func restore() {
        if let start, length > 0 { madvise(start, length, Int32(MADV_DONTFORK)) }
    }
}
