// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import Synchronization

/// One object server that several clients talk to, and that outlives them.
package final class SimulatedStorage: Sendable {
    private let state: Mutex<SimulatedObjectServer>

    package init(_ server: SimulatedObjectServer = SimulatedObjectServer()) {
        state = Mutex(server)
    }

    package func withServer<Result: Sendable>(
        _ body: (inout SimulatedObjectServer) -> sending Result
    ) -> Result {
        state.withLock { body(&$0) }
    }

    /// As `withServer`, with failures.
    func attempt<Result: Sendable>(
        _ body: (inout SimulatedObjectServer) throws(ObjectStoreFailure) -> Result
    ) throws(ObjectStoreFailure) -> Result {
        let outcome = state.withLock { server -> Swift.Result<Result, ObjectStoreFailure> in
            do throws(ObjectStoreFailure) {
                return .success(try body(&server))
            } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}
