// SPDX-License-Identifier: Apache-2.0

/// A quantity that has a named limit: a queue's length, retries in a row, open leases.
package struct QuantityObserved: SimulationFact {
    package let quantity: String
    package let value: Int
    package let limit: Int

    package init(_ quantity: String, value: Int, limit: Int) {
        self.quantity = quantity
        self.value = value
        self.limit = limit
    }

    /// Too many for lines of their own.
    package var summary: String? { nil }
}

/// Every quantity stays within its limit.
package final class BoundsOracle: Oracle {
    package let name = "bounds"
    private var exceeded: Set<String> = []

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(QuantityObserved.self) { [self, unowned registry] seen in
            guard seen.value > seen.limit, exceeded.insert(seen.quantity).inserted else { return }
            registry.report(name, "\(seen.quantity) is \(seen.value), above \(seen.limit)")
        }
    }

    package func finish() {}
}
