// SPDX-License-Identifier: Apache-2.0
import Delivery
import Testing

@Suite("How execs are followed")
struct FollowStrategyTests {
    @Test("The default is the one that docs/adr/0002-follow-strategy.md decides")
    func standard() {
        #expect(FollowStrategy.standard == .attached)
    }

    @Test("The words of CLOUDTASER_FOLLOW name the strategies")
    func words() {
        #expect(FollowStrategy.allCases.map(\.rawValue) == ["attached", "notified", "none"])
        #expect(FollowStrategy(rawValue: "sometimes") == nil)
    }
}
