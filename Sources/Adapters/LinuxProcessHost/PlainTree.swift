// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

/// A program under delivery mode `environ` or `file`: fork and execve, and nothing is followed.
///
/// `environ`: the strings given to execve are the image's own bytes; the kernel copies them to the
/// new program's stack, which is ordinary memory. `file`: the program inherits descriptors.
final class PlainTree: ProgramTree {
    let program: pid_t
    private(set) var programEnd: ChildExit?
    private let programName: String

    let isLaunched = true
    let listener: Int32 = -1
    let keeperDescriptor: Int32 = -1

    /// Returns once the program is executed.
    init(
        _ request: StartRequest, _ values: DeliveredValues, _ signals: SignalSet,
        options: LinuxProcessHost.Options
    ) throws(ProcessHostFailure) {
        programName = request.launch.programName
        let child: StartedChild
        switch request.launch.delivery {
        case .file: child = try Self.startWithFiles(request, values, signals, options)
        case .environ, .splice:
            child = try Self.startClassic(request, values, signals, options)
        }
        defer { close(child.channel) }
        program = child.process
        guard case .failed(let step, let number) = try child.next() else { return }
        abandon()
        throw StartedChild.failure(program: programName, step: step, errorNumber: number)
    }

    private static func plan(
        _ request: StartRequest, environment: [RawText], _ signals: SignalSet
    ) throws(ProcessHostFailure) -> ChildStart {
        let launch = request.launch
        var start = ChildStart(
            path: request.path, arguments: launch.arguments, environment: environment,
            signals: signals)
        start.streams = request.streams
        let child = launch.child
        if child.restrictSystemCalls || child.denySendmmsg {
            start.filter = try SystemCallFilter(
                trap: .none, restrict: child.restrictSystemCalls,
                denySendmmsg: child.denySendmmsg)
        }
        start.noNewPrivileges = true
        start.dropsCapabilities = launch.child.dropCapabilities
        return start
    }

    private static func startClassic(
        _ request: StartRequest, _ values: DeliveredValues, _ signals: SignalSet,
        _ options: LinuxProcessHost.Options
    ) throws(ProcessHostFailure) -> StartedChild {
        let plain = values.plainEntries(of: request.launch.environment)
        var start = try plan(request, environment: plain, signals)
        start.limitLockedMemory(options.programLockLimit, sharing: 0)
        let bytes = values.bytes
        // execve takes char *const[], and writes to none of them.
        let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        start.laidOut = values.entries.compactMap { entry in
            base.map { ($0 + entry.offset).assumingMemoryBound(to: CChar.self) }
        }
        // Secret memory is not inherited; execve reads these strings in the child.
        let inherited = InheritedPages(bytes)
        defer { inherited.restore() }
        return try start.start()
    }

    private static func startWithFiles(
        _ request: StartRequest, _ values: DeliveredValues, _ signals: SignalSet,
        _ options: LinuxProcessHost.Options
    ) throws(ProcessHostFailure) -> StartedChild {
        let plain = values.plainEntries(of: request.launch.environment)
        let isReadable = request.launch.child.readableFiles
        let files = try PassedFiles(values, isReadable: isReadable)
        defer { files.close() }
        var start = try plan(request, environment: plain + files.entries, signals)
        start.limitLockedMemory(
            options.programLockLimit, sharing: isReadable ? 0 : PassedFiles.mappedBytes(values))
        start.passed = files.descriptors
        return try start.start()
    }

    func owns(_ task: pid_t) -> Bool { task == program }
    func knows(process: pid_t) -> Bool { process == program }

    func handle(_ task: pid_t, _ stop: Stop) { programEnd = ChildExit(stop) ?? programEnd }

    func receiveNotification() {}
    func takeWaitingNotifications() {}
    func servePending() -> Bool { false }
    func hearKeeper() {}
    /// Nothing is followed: what runs keeps its values, and so does what it executes.
    func replaceValues(_ values: DeliveredValues) throws(ProcessHostFailure) {}

    func finish() throws(ProcessHostFailure) -> ChildExit {
        guard let programEnd else { throw .systemCall("waitpid", errorNumber: ECHILD) }
        return programEnd
    }

    func abandon() {
        kill(program, SIGKILL)
        var status: Int32 = 0
        while waitpid(program, &status, 0) < 0, errno == EINTR { continue }
    }
}

extension ChildExit {
    /// Nil when the task goes on.
    init?(_ stop: Stop) {
        switch stop {
        case .exited(let code): self = .exited(code: code)
        case .killed(let signal): self = .signalled(signal: signal)
        default: return nil
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
