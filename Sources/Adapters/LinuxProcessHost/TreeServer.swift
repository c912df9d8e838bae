// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

/// What the trees' own thread does, from the host's first start to its end: forks, traces, waits,
/// answers the listener, forwards signals and reaps, whatever the caller's thread is busy with
/// (wrapper rule 10).
final class TreeServer {
    private let mailbox: HostMailbox
    private let signals: SignalSet
    private let options: LinuxProcessHost.Options
    private let hub: TreeHub
    private var program: (any ProgramTree)?
    private var hook: (any ProgramTree)?
    private let attach: AttachServer?
    /// What attached commands are started like, while a program runs that lets others start.
    private var attachable: (launch: Launch, values: DeliveredValues)?
    /// When the program is killed if it still runs.
    private var killAt: MonotonicTime?
    /// `stop` was asked for: whoever wants the container to end now wants no other program.
    private var isStopping = false
    private var isQuitting = false

    /// - Parameter areaBase: where the area of each image is put.
    init(
        mailbox: HostMailbox, signals: SignalSet, options: LinuxProcessHost.Options,
        areaBase: UInt64
    ) {
        hub = TreeHub(areaBase: areaBase)
        self.mailbox = mailbox
        self.signals = signals
        self.options = options
        attach = options.attach.map { AttachServer($0, report: options.report) }
        hub.deliveryFailed = { failed in
            if mailbox.tell(failed) { return }
            options.report("delivery to process \(failed.process) failed at step \(failed.step)")
        }
    }

    /// The thread's whole life.
    func serve() {
        while !isQuitting {
            switch mailbox.awaitCommand() {
            case .start(let request): run(request)
            case .quit: isQuitting = true
            case .hook: mailbox.answer(.failed(.systemCall("hook", errorNumber: ESRCH)))
            case .replace: mailbox.answer(.done)
            // Nothing runs that they could mean.
            case .proceed, .abandon, .send, .stop: continue
            }
        }
    }

    /// One program from its start to its end.
    private func run(_ request: StartRequest) {
        hub.counters = SupervisorCounters()
        (killAt, isStopping) = (nil, false)
        var isTold = false
        do throws(ProcessHostFailure) {
            let tree = try startProgram(request)
            hub.trees = [tree]
            program = tree
            try settlePrivileges(tree, request)
            while tree.programEnd == nil {
                if tree.isLaunched, !isTold {
                    mailbox.answer(.done)
                    isTold = true
                }
                try turn(tree)
            }
            endOthers()
            // It may have ended in the turn of its launch: what fails now comes after the start.
            if tree.isLaunched, !isTold {
                mailbox.answer(.done)
                isTold = true
            }
            let end = try tree.finish()
            forget()
            if !isTold { mailbox.answer(.done) }
            mailbox.tell(.event(.programEnded(end)))
        } catch {
            endOthers()
            forget()
            if isTold { mailbox.tell(.failed(error)) } else { mailbox.answer(.failed(error)) }
        }
    }

    private func forget() {
        hub.trees = []
        hub.early = []
        program = nil
        attachable = nil
        mailbox.counters = hub.counters
    }

    private func startProgram(
        _ request: StartRequest
    ) throws(ProcessHostFailure) -> any ProgramTree {
        let values = try request.values.take()
        if attach != nil, request.launch.mayStartAgain {
            attachable = (request.launch, values)
        }
        return try start(request, values)
    }

    private func start(
        _ request: StartRequest, _ values: DeliveredValues
    ) throws(ProcessHostFailure) -> any ProgramTree {
        switch request.launch.delivery {
        case .splice:
            var start = SplicedStart(request, options: options)
            return try start.start(values, signals, hub)
        case .environ, .file:
            if request.launch.delivery == .file, request.launch.child.readableFiles {
                options.report(
                    "delivery file, readable: the values are in ordinary memory, which root reads")
            }
            return try PlainTree(request, values, signals, options: options)
        }
    }

    /// The caller's thread and this one give up what a waiting wrapper has no use for, before the
    /// program is served.
    private func settlePrivileges(
        _ tree: any ProgramTree, _ request: StartRequest
    ) throws(ProcessHostFailure) {
        guard options.givesUpOwnPrivileges else { return }
        mailbox.answer(.held)
        while true {
            switch mailbox.awaitCommand() {
            case .proceed:
                if !request.launch.mayStartAgain { OwnCapabilities.dropBoundingAndAmbient() }
                return
            case .abandon(let failure):
                tree.abandon()
                throw failure
            case .quit:
                isQuitting = true
                tree.abandon()
                throw .systemCall("start", errorNumber: ECANCELED)
            default: continue
            }
        }
    }

    /// Everything that waits now, then a wait for more.
    private func turn(_ tree: any ProgramTree) throws(ProcessHostFailure) {
        hub.drain()
        // A drain ends with the first end that it sees.
        var served = hook?.programEnd != nil
        if served { endHook() }
        if attach?.reap(hub) == true { served = true }
        for tree in hub.trees where tree.servePending() { served = true }
        guard tree.programEnd == nil, !served else { return }
        var polls = [
            pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: mailbox.commandDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        // A negative descriptor is never ready.
        for tree in hub.trees {
            polls.append(pollfd(fd: tree.listener, events: Int16(POLLIN), revents: 0))
            polls.append(pollfd(fd: tree.keeperDescriptor, events: Int16(POLLIN), revents: 0))
        }
        let attachIndex = polls.count
        if attachable != nil, let attach { polls += attach.polls }
        let deadline = [killAt, attach?.deadline].compactMap(\.self).min()
        let timeout = MonotonicClock.pollMilliseconds(until: deadline)
        guard poll(&polls, nfds_t(polls.count), timeout) >= 0 || errno == EINTR else {
            let number = errno
            tree.abandon()
            throw .systemCall("poll", errorNumber: number)
        }
        let trees = hub.trees
        // First: until it is taken, a notification's caller is interrupted by signals.
        for (index, tree) in trees.enumerated()
        where polls[2 + 2 * index].revents & Int16(POLLIN) != 0 { tree.receiveNotification() }
        // Before the signals: who asks to end while the program is being stopped is told so.
        if polls[1].revents != 0 { obey(tree) }
        if polls[0].revents != 0 { forwardSignals(to: tree) }
        for (index, tree) in trees.enumerated() where polls[3 + 2 * index].revents != 0 {
            tree.hearKeeper()
        }
        if polls.count > attachIndex {
            attach?.serve(polls[attachIndex...]) { words, streams throws(ProcessHostFailure) in
                try startAttached(words, streams)
            }
        }
        if let killAt, killAt <= MonotonicClock.now() {
            if tree.programEnd == nil { kill(tree.program, SIGKILL) }
            self.killAt = nil
        }
    }

    private func forwardSignals(to tree: any ProgramTree) {
        var stops = false
        while let received = signals.read() {
            if received.stopsGroup { stops = true }
            if isStopping, SignalSet.stopping.contains(received.signal) {
                mailbox.tell(.event(.stopRequested(signal: received.signal)))
            }
            guard received.signal != SIGCHLD, !received.isProgramsToo else { continue }
            send(received.signal, to: tree)
        }
        guard stops else { return }
        // A traced program stops only when its signal is passed on.
        hub.drain()
        if tree.programEnd == nil { signals.stopAsJob() }
    }

    private func send(_ signal: Int32, to tree: any ProgramTree) {
        // Its number may be another's once it was waited for.
        guard tree.programEnd == nil else { return }
        if kill(tree.program, signal) == 0 { hub.counters.signalsForwarded += 1 }
    }

    private func obey(_ tree: any ProgramTree) {
        while let command = mailbox.takeCommand() {
            switch command {
            case .send(let signal): send(signal, to: tree)
            case .stop(let time):
                send(SIGTERM, to: tree)
                isStopping = true
                killAt = min(killAt ?? time, time)
            case .replace(let values): replace(values)
            case .hook(let request): startHook(request)
            case .quit:
                isQuitting = true
                if tree.programEnd == nil { kill(tree.program, SIGKILL) }
            case .start: mailbox.answer(.failed(.systemCall("start", errorNumber: EBUSY)))
            case .proceed, .abandon: continue
            }
        }
    }

    private func replace(_ values: DeliveredValues) {
        do throws(ProcessHostFailure) {
            for tree in hub.trees { try tree.replaceValues(values) }
            attachable?.values = values
            mailbox.answer(.done)
        } catch { mailbox.answer(.failed(error)) }
    }

    private func startHook(_ request: StartRequest) {
        guard hook == nil else {
            mailbox.answer(.failed(.systemCall("hook", errorNumber: EBUSY)))
            return
        }
        do throws(ProcessHostFailure) {
            let tree = try start(request, request.values.take())
            hook = tree
            hub.trees.append(tree)
            mailbox.answer(.done)
        } catch { mailbox.answer(.failed(error)) }
    }

    private func startAttached(
        _ words: [RawText], _ streams: [Int32]
    ) throws(ProcessHostFailure) -> any ProgramTree {
        guard let (template, values) = attachable else {
            throw .systemCall("attach", errorNumber: ESRCH)
        }
        var launch = template
        launch.arguments = words
        let path = try ProgramSearch.resolve(launch)
        let request = StartRequest(
            launch: launch, path: path, values: HandedValues(values), streams: streams)
        let tree = try start(request, values)
        hub.trees.append(tree)
        return tree
    }

    private func endOthers() {
        endHook()
        attach?.end(hub)
    }

    /// The hook has ended, or the program has, and the hook with it.
    private func endHook() {
        guard let tree = hook else { return }
        hook = nil
        let isOver = tree.programEnd != nil
        if !isOver { kill(tree.program, SIGKILL) }
        while tree.programEnd == nil, hub.drainOne(for: tree) { continue }
        hub.trees.removeAll { $0 === tree }
        do throws(ProcessHostFailure) {
            mailbox.tell(.event(.hookEnded(try tree.finish())))
        } catch {
            options.report("the rotation hook failed: \(error)")
            mailbox.tell(.event(.hookEnded(.signalled(signal: SIGKILL))))
        }
    }
}
