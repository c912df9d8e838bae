// SPDX-License-Identifier: Apache-2.0
package import EventPorts
import Glibc
import Synchronization

/// Signs on a thread of its own: for keys that are behind a network.
package struct BackgroundSigner: CheckpointSigner, ~Copyable {
    private let desk: Desk
    private let worker: WorkerThread

    /// What both threads see.
    private final class Desk: Sendable {
        let message = Mutex<[UInt8]?>(nil)
        let answer = Mutex<CheckpointAnswer?>(nil)
    }

    /// - Parameter sign: may block as long as it takes; called on the thread, which is not waited
    ///   for at the end.
    package init(
        sign: @escaping @Sendable ([UInt8]) -> CheckpointAnswer
    ) throws(WorkerFailure) {
        let desk = Desk()
        let worker = try WorkerThread()
        try worker.start {
            guard let message = desk.message.withLock({ $0.take() }) else { return .untilWoken }
            let answer = sign(message)
            desk.answer.withLock { $0 = answer }
            return .none
        }
        self.desk = desk
        self.worker = worker
    }

    package mutating func request(_ message: [UInt8]) {
        desk.message.withLock { $0 = message }
        worker.wake()
    }

    package mutating func take(within duration: Duration) -> CheckpointAnswer? {
        let end = ContinuousClock.now.advanced(by: duration)
        while true {
            if let answer = desk.answer.withLock({ $0.take() }) { return answer }
            guard ContinuousClock.now < end else { return nil }
            usleep(Self.pauseMicroseconds)
        }
    }

    private static let pauseMicroseconds: UInt32 = 5_000
}
