// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

/// Runs declared commands beside the program, with its values and its environment, for whoever
/// asks at an `AttachListener`. Of the caller come the words, which must be a declared command, and
/// where the output goes; never environment, working directory or input.
///
/// Used on the trees' thread only, and waits for nobody.
final class AttachServer {
    /// Most callers at once; more wait in the listener's queue.
    static let guestCountMax = 8
    /// How long a caller may take to say what it wants.
    static let requestLimit = Duration.seconds(5)
    /// Most refusals that are told to the operator.
    private static let reportCountMax = 16

    private struct Guest {
        let connection: Int32
        let deadline: MonotonicTime
        var tree: (any ProgramTree)?
        var isOver = false
    }

    private let listener: AttachListener
    private let report: (String) -> Void
    private var guests: [Guest] = []
    private var reportCount = 0

    init(_ listener: AttachListener, report: @escaping (String) -> Void) {
        self.listener = listener
        self.report = report
    }

    deinit { for guest in guests { close(guest.connection) } }

    /// The listener first, then the guests in order.
    var polls: [pollfd] {
        let isFull = guests.count >= Self.guestCountMax
        return ([isFull ? -1 : listener.descriptor] + guests.map(\.connection)).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
    }

    /// When the first caller that has said nothing is sent away.
    var deadline: MonotonicTime? {
        guests.filter { $0.tree == nil }.map(\.deadline).min()
    }

    /// - Parameters:
    ///   - ready: `polls` after poll(2).
    ///   - start: starts a command with the streams.
    func serve(
        _ ready: ArraySlice<pollfd>,
        start: ([RawText], [Int32]) throws(ProcessHostFailure) -> any ProgramTree
    ) {
        let now = MonotonicClock.now()
        for (index, poll) in ready.dropFirst().enumerated() {
            if let tree = guests[index].tree {
                // It has nothing more to say; it has gone, and so goes what it wanted.
                if poll.revents != 0, tree.programEnd == nil { kill(tree.program, SIGKILL) }
            } else if poll.revents != 0 {
                receive(index, start)
            } else if guests[index].deadline <= now {
                guests[index].isOver = true
            }
        }
        if ready.first?.revents != 0 { accept(now) }
        removeEnded()
    }

    private func accept(_ now: MonotonicTime) {
        while guests.count < Self.guestCountMax {
            let connection = clinux_accept(listener.descriptor)
            guard connection >= 0 else { return }
            guests.append(
                Guest(connection: connection, deadline: now.advanced(by: Self.requestLimit)))
        }
    }

    private func receive(
        _ index: Int,
        _ start: ([RawText], [Int32]) throws(ProcessHostFailure) -> any ProgramTree
    ) {
        let connection = guests[index].connection
        var bytes = [UInt8](repeating: 0, count: AttachMessage.requestBytesMax)
        var descriptors: [Int32] = [-1, -1]
        let got = clinux_attach_receive(connection, &bytes, bytes.count, &descriptors)
        defer { for descriptor in descriptors where descriptor >= 0 { close(descriptor) } }
        if got == -Int(EAGAIN) || got == -Int(EINTR) { return }
        guard got > 0 else {
            guests[index].isOver = true
            return
        }
        if let refusal = AttachPlace.refusal(ofPeerOf: connection) {
            refuse(index, refusal)
        } else if let words = AttachMessage.words(of: bytes.prefix(got)),
            !descriptors.contains(-1)
        {
            guard listener.isDeclared(words) else {
                refuse(index, "the command is not one of CLOUDTASER_ATTACH")
                return
            }
            run(words, descriptors, for: index, start)
        } else {
            refuse(index, "the request is not understood")
        }
    }

    private func run(
        _ words: [RawText], _ output: [Int32], for index: Int,
        _ start: ([RawText], [Int32]) throws(ProcessHostFailure) -> any ProgramTree
    ) {
        let input = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard input >= 0 else {
            refuse(index, "/dev/null cannot be opened (errno \(errno))")
            return
        }
        defer { close(input) }
        do throws(ProcessHostFailure) {
            guests[index].tree = try start(words, [input] + output)
        } catch { answer(index, Self.answer(for: error)) }
    }

    private static func answer(for failure: ProcessHostFailure) -> AttachAnswer {
        switch failure {
        case .notFound(let program): .notFound(program)
        case .notExecutable(let program, let number):
            .notExecutable("\(program) (errno \(number))")
        case .memory: .refused("the memory for its values cannot be had")
        default: .refused("the command could not be started: \(failure)")
        }
    }

    private func refuse(_ index: Int, _ reason: String) {
        reportCount += 1
        if reportCount <= Self.reportCountMax { report("attach refused: \(reason)") }
        answer(index, .refused(reason))
    }

    private func answer(_ index: Int, _ answer: AttachAnswer) {
        let bytes = AttachMessage.bytes(of: answer)
        // A caller that has gone, or that takes nothing, has no need to know.
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        _ = send(guests[index].connection, bytes, bytes.count, flags)
        guests[index].isOver = true
    }

    /// Answers for the commands that have ended. True when there were some: other trees may wait
    /// to be drained.
    func reap(_ hub: TreeHub) -> Bool {
        var hasReaped = false
        for index in guests.indices {
            guard let tree = guests[index].tree, tree.programEnd != nil else { continue }
            finish(tree, for: index, hub)
            hasReaped = true
        }
        removeEnded()
        return hasReaped
    }

    private func finish(_ tree: any ProgramTree, for index: Int, _ hub: TreeHub) {
        hub.trees.removeAll { $0 === tree }
        do throws(ProcessHostFailure) {
            answer(index, .ended(try tree.finish().statusCode))
        } catch { answer(index, Self.answer(for: error)) }
    }

    /// The program has ended: so do all commands, and who waits is sent away.
    func end(_ hub: TreeHub) {
        for index in guests.indices {
            guard let tree = guests[index].tree else { continue }
            if tree.programEnd == nil { kill(tree.program, SIGKILL) }
            while tree.programEnd == nil, hub.drainOne(for: tree) { continue }
            finish(tree, for: index, hub)
        }
        for guest in guests { close(guest.connection) }
        guests = []
    }

    private func removeEnded() {
        for guest in guests where guest.isOver { close(guest.connection) }
        guests.removeAll(where: \.isOver)
    }
}
