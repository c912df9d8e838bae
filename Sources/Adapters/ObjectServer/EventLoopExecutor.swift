// SPDX-License-Identifier: Apache-2.0
internal import NIOCore

/// Runs tasks on an event loop: what a connection's task awaits of its own loop, or of another
/// connection on that loop, does not change threads. (SE-0417; NIO has none of its own.)
final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
