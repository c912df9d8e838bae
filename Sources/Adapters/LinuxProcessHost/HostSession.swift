// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

/// The caller's side of a host: its signals, the thread that owns the trees, and what comes from
/// there. Used on the caller's thread only.
final class HostSession {
    let mailbox: HostMailbox
    private let signals: SignalSet
    private let options: LinuxProcessHost.Options
    /// Readable when whatever the caller is busy with should be broken off.
    let interruptDescriptor: Int32
    private var thread: pthread_t?
    private(set) var isRunning = false
    /// What the program and what it may start later get.
    private var values: DeliveredValues?
    /// False once execve(2) is denied for good.
    private var mayStart = true
    private var hasGivenUp = false
    private var indexing: ValueIndexing

    /// Blocks the signals: to be made before any other thread.
    init(options: LinuxProcessHost.Options) throws(ProcessHostFailure) {
        self.options = options
        indexing = try ValueIndexing(areaBase: options.areaBase)
        mailbox = try HostMailbox()
        signals = try SignalSet.block()
        interruptDescriptor = clinux_poll_set()
        guard interruptDescriptor >= 0 else {
            throw .systemCall("epoll_create1", errorNumber: -interruptDescriptor)
        }
        for descriptor in [signals.stopDescriptor, mailbox.endDescriptor] {
            let added = clinux_poll_set_add(interruptDescriptor, descriptor)
            guard added == 0 else { throw .systemCall("epoll_ctl", errorNumber: -added) }
        }
    }

    deinit {
        if let thread {
            mailbox.post(.quit)
            pthread_join(thread, nil)
        }
        close(interruptDescriptor)
        signals.close()
    }

    func start(_ launch: Launch, _ values: DeliveredValues) throws(ProcessHostFailure) {
        guard !isRunning else { throw .systemCall("start", errorNumber: EBUSY) }
        guard mayStart else { throw .systemCall("start", errorNumber: EPERM) }
        let path = try ProgramSearch.resolve(launch)
        // What only the fetch needed, a TLS library above all, need not stay resident while the
        // program runs.
        _ = clinux_release_code()
        // Orphans of the tree become ours to reap.
        _ = clinux_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try startThread()
        mailbox.post(.start(StartRequest(launch: launch, path: path, values: HandedValues(values))))
        try settle(launch)
        self.values = values
        isRunning = true
        // From now on they are the program's.
        _ = clinux_poll_set_remove(interruptDescriptor, signals.stopDescriptor)
    }

    private func settle(_ launch: Launch) throws(ProcessHostFailure) {
        while true {
            switch mailbox.awaitReply() {
            case .held: giveUpPrivileges(launch)
            case .done: return
            case .failed(let failure): throw failure
            }
        }
    }

    private func giveUpPrivileges(_ launch: Launch) {
        do throws(ProcessHostFailure) {
            // A second filter in this thread would say the same; the last start binds the other.
            if !hasGivenUp || !launch.mayStartAgain {
                try OwnPrivileges.giveUp(inEveryThread: !launch.mayStartAgain)
            }
            hasGivenUp = true
            mayStart = launch.mayStartAgain
            mailbox.post(.proceed)
        } catch { mailbox.post(.abandon(error)) }
    }

    private func startThread() throws(ProcessHostFailure) {
        guard thread == nil else { return }
        let server = TreeServer(
            mailbox: mailbox, signals: signals, options: options, areaBase: indexing.areaBase)
        let context = Unmanaged.passRetained(server)
        var made = pthread_t()
        let result = pthread_create(
            &made, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<TreeServer>.fromOpaque(context).takeRetainedValue().serve()
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            context.release()
            throw .systemCall("pthread_create", errorNumber: result)
        }
        thread = made
    }

    func next(until deadline: MonotonicTime?) throws(ProcessHostFailure) -> HostEvent {
        while true {
            if let event = try takeEvent() { return event }
            if let deadline, deadline <= MonotonicClock.now() { return .deadline }
            var polls = [
                pollfd(fd: mailbox.newsDescriptor, events: Int16(POLLIN), revents: 0),
                // While a program runs its thread reads them.
                pollfd(
                    fd: isRunning ? -1 : signals.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let timeout = MonotonicClock.pollMilliseconds(until: deadline)
            guard poll(&polls, nfds_t(polls.count), timeout) >= 0 || errno == EINTR else {
                throw .systemCall("poll", errorNumber: errno)
            }
        }
    }

    private func takeEvent() throws(ProcessHostFailure) -> HostEvent? {
        if let news = mailbox.takeNews() {
            if news.endsProgram { programEnded() }
            switch news {
            case .event(let event): return event
            case .failed(let failure): throw failure
            }
        }
        guard !isRunning else { return nil }
        let request = signals.readStopRequest()
        reapLeftovers()
        return request.map { .stopRequested(signal: $0) }
    }

    private func programEnded() {
        isRunning = false
        values = nil
        _ = clinux_poll_set_add(interruptDescriptor, signals.stopDescriptor)
    }

    /// Processes that an untraced program left behind, and that have ended since. The other thread
    /// waits for none now.
    private func reapLeftovers() {
        var status: Int32 = 0
        while waitpid(-1, &status, WNOHANG | waitAllTasks) > 0 { continue }
    }

    func indexValues(of image: inout DeliveryImage) throws(ProcessHostFailure) -> ValueIndex {
        try indexing.index(&image, beside: values)
    }

    func replaceValues(_ image: consuming DeliveryImage) throws(ProcessHostFailure) {
        guard isRunning else { throw .systemCall("replaceValues", errorNumber: ESRCH) }
        let newer = try DeliveredValues(image, order: values?.names)
        mailbox.post(.replace(newer))
        try awaitAnswer()
        values = newer
    }

    func runHook(_ launch: Launch) throws(ProcessHostFailure) {
        guard isRunning, let values else { throw .systemCall("hook", errorNumber: ESRCH) }
        guard mayStart else { throw .systemCall("hook", errorNumber: EPERM) }
        let path = try ProgramSearch.resolve(launch)
        mailbox.post(.hook(StartRequest(launch: launch, path: path, values: HandedValues(values))))
        try awaitAnswer()
    }

    private func awaitAnswer() throws(ProcessHostFailure) {
        if case .failed(let failure) = mailbox.awaitReply() { throw failure }
    }

    func send(signal: Int32) {
        if isRunning { mailbox.post(.send(signal: signal)) }
    }

    func stop(within grace: Duration) {
        guard isRunning else { return }
        mailbox.post(.stop(killAt: MonotonicClock.now().advanced(by: grace)))
    }
}
