// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports
import Synchronization

/// What the caller's thread and the thread that owns the trees say to each other.
///
/// Each direction has an event descriptor that is readable while something waits there, so that
/// either side can wait for it together with its other descriptors.
final class HostMailbox: Sendable {
    /// Said by the caller.
    enum Command: Sendable {
        case start(StartRequest)
        /// The caller has given up its privileges: serve the program.
        case proceed
        /// It could not: no program may run.
        case abandon(ProcessHostFailure)
        case hook(StartRequest)
        case replace(DeliveredValues)
        case send(signal: Int32)
        case stop(killAt: MonotonicTime)
        /// The host is given up: the thread ends, and with it whatever still runs.
        case quit
    }

    /// The answer to a command that has one; the caller waits for it.
    enum Reply: Sendable {
        /// The child is forked and held: now is the time to give up privileges.
        case held
        case done
        case failed(ProcessHostFailure)
    }

    /// For `next`.
    enum News: Sendable {
        case event(HostEvent)
        case failed(ProcessHostFailure)

        var endsProgram: Bool {
            switch self {
            case .failed, .event(.programEnded): true
            case .event: false
            }
        }
    }

    private struct Contents {
        var commands: [Command] = []
        var replies: [Reply] = []
        var news: [News] = []
        var counters = SupervisorCounters()
    }

    private let contents = Mutex(Contents())
    /// Readable while a command waits.
    let commandDescriptor: Int32
    /// Readable while a reply waits.
    private let replyDescriptor: Int32
    /// Readable while news wait.
    let newsDescriptor: Int32
    /// Readable from the program's end until it was told.
    let endDescriptor: Int32

    init() throws(ProcessHostFailure) {
        var descriptors: [Int32] = []
        for _ in 0..<4 {
            let descriptor = clinux_event_descriptor()
            guard descriptor >= 0 else {
                for opened in descriptors { close(opened) }
                throw .systemCall("eventfd", errorNumber: -descriptor)
            }
            descriptors.append(descriptor)
        }
        commandDescriptor = descriptors[0]
        replyDescriptor = descriptors[1]
        newsDescriptor = descriptors[2]
        endDescriptor = descriptors[3]
    }

    deinit {
        for descriptor in [commandDescriptor, replyDescriptor, newsDescriptor, endDescriptor] {
            close(descriptor)
        }
    }

    var counters: SupervisorCounters {
        get { contents.withLock { $0.counters } }
        set { contents.withLock { $0.counters = newValue } }
    }

    func post(_ command: Command) {
        contents.withLock { contents in
            contents.commands.append(command)
            Self.raise(commandDescriptor)
        }
    }

    /// Nil when none waits.
    func takeCommand() -> Command? {
        contents.withLock { contents in
            guard !contents.commands.isEmpty else { return nil }
            let command = contents.commands.removeFirst()
            if contents.commands.isEmpty { Self.lower(commandDescriptor) }
            return command
        }
    }

    func awaitCommand() -> Command {
        while true {
            if let command = takeCommand() { return command }
            Self.wait(for: commandDescriptor)
        }
    }

    func answer(_ reply: Reply) {
        contents.withLock { contents in
            contents.replies.append(reply)
            Self.raise(replyDescriptor)
        }
    }

    func awaitReply() -> Reply {
        while true {
            let reply: Reply? = contents.withLock { contents in
                guard !contents.replies.isEmpty else { return nil }
                let reply = contents.replies.removeFirst()
                if contents.replies.isEmpty { Self.lower(replyDescriptor) }
                return reply
            }
            if let reply { return reply }
            Self.wait(for: replyDescriptor)
        }
    }

    func tell(_ news: News) {
        contents.withLock { contents in
            contents.news.append(news)
            if news.endsProgram { Self.raise(endDescriptor) }
            Self.raise(newsDescriptor)
        }
    }

    /// Most news that may wait when a failed delivery joins them: a tree can fail to start
    /// processes faster than they are told.
    static let waitingFailuresMax = 256

    /// False when too much waits already.
    func tell(_ failed: FailedDelivery) -> Bool {
        contents.withLock { contents in
            guard contents.news.count < Self.waitingFailuresMax else { return false }
            contents.news.append(.event(.deliveryFailed(failed)))
            Self.raise(newsDescriptor)
            return true
        }
    }

    /// Nil when there are none.
    func takeNews() -> News? {
        contents.withLock { contents in
            guard !contents.news.isEmpty else { return nil }
            let news = contents.news.removeFirst()
            if contents.news.isEmpty { Self.lower(newsDescriptor) }
            if news.endsProgram { Self.lower(endDescriptor) }
            return news
        }
    }

    /// eventfd(2): adding to the count makes it readable, reading it away ends that.
    private static func raise(_ descriptor: Int32) {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    private static func lower(_ descriptor: Int32) {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    private static func wait(for descriptor: Int32) {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, -1)
    }
}

/// One program to be started.
struct StartRequest: Sendable {
    let launch: Launch
    /// The program, found on PATH.
    let path: String
    let values: HandedValues
    /// Standard input, output and error; nil: as here. Three, if any.
    var streams: [Int32]?
}

/// Values on their way to the trees' thread. Whoever starts the program takes them, so that the
/// request, which lives as long as the program, does not keep a generation that was replaced.
final class HandedValues: Sendable {
    private let values: Mutex<DeliveredValues?>

    init(_ values: DeliveredValues) { self.values = Mutex(values) }

    func take() throws(ProcessHostFailure) -> DeliveredValues {
        let taken = values.withLock { values in
            defer { values = nil }
            return values
        }
        guard let taken else { throw .systemCall("start", errorNumber: EALREADY) }
        return taken
    }
}
