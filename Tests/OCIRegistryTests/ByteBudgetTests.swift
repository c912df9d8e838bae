// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import OCIRegistry

@Suite struct `A budget of bytes` {
    @Test func `is taken up to its end by all together`() {
        let budget = ByteBudget(10)
        #expect(budget.take(4) && budget.take(6))
        #expect(!budget.take(1) && budget.take(0))
        budget.giveBack(6)
        // What is refused is not taken.
        #expect(!budget.take(7) && budget.take(6))
    }
}
