// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventPorts
import EventSinks
import Foundation
import Synchronization
import Testing

@Suite struct `A signer on a thread of its own` {
    @Test func `waits for nothing while the key's owner takes its time`() throws {
        let gate = DispatchSemaphore(value: 0)
        let key = Sample.made(CheckpointKey("test"))
        var signer = try BackgroundSigner { message in
            gate.wait()
            return .signed(key, signature: message)
        }
        let clock = ContinuousClock()
        let spent = clock.measure {
            signer.request([1, 2])
            #expect(signer.take(within: .zero) == nil)
            #expect(signer.take(within: .milliseconds(20)) == nil)
        }
        #expect(spent < .seconds(2))
        gate.signal()
        #expect(signer.take(within: .seconds(30)) == .signed(key, signature: [1, 2]))
        #expect(signer.take(within: .zero) == nil, "an answer is given once")
        gate.signal()
        signer.request([3])
        #expect(signer.take(within: .seconds(30)) == .signed(key, signature: [3]))
    }
}
