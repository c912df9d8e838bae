// SPDX-License-Identifier: Apache-2.0
internal import KubernetesPorts

extension AsyncTimeSource {
    /// - Returns: nil when it takes longer, or when this task is cancelled.
    func within<Value: Sendable>(
        _ time: Duration, _ work: @escaping @Sendable () async -> Value
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await work() }
            group.addTask {
                await sleep(for: time)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
