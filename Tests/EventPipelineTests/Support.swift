// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import EventPipeline
import EventPorts
import Ports
import SecretMemory
import Synchronization

enum Sample {
    static func made<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure("the sample is not valid") }
        return value
    }

    static func moment(_ nanoseconds: UInt64 = 0) -> EnforcementEvent.Moment {
        let time = EventTime(nanoseconds: 1_790_000_000_000_000_000 + nanoseconds)
        return EnforcementEvent.Moment(
            occurred: time, detected: time, monotonicNanoseconds: nanoseconds)
    }

    static func event(_ number: UInt64 = 0, object: String = "/proc/812/mem") -> EnforcementEvent {
        var event = EnforcementEvent(.processMemoryRead, time: moment(number))
        event.verdict = .denied
        event.object = EventText(object, bytesMax: EventLimits.objectBytesMax)
        return event
    }

    static func chain() -> EventChain<OpenSSLEventHasher> {
        EventChain(
            segment: made(EventSegment([UInt8](repeating: 3, count: 16))), after: nil,
            hasher: OpenSSLEventHasher())
    }

    static func lines(_ count: Int) -> [EventLine] {
        var chain = chain()
        return (0..<count).map { chain.append(event(UInt64($0))) }
    }
}

/// A clock that only a test moves.
final class TestTime: TimeSource, Sendable {
    private let nanoseconds = Mutex<UInt64>(0)

    func monotonic() -> MonotonicTime {
        MonotonicTime(nanoseconds: nanoseconds.withLock { $0 })
    }

    func secondsSince1970() -> Int64 { 1_790_000_000 }

    func advance(_ duration: Duration) {
        let now = monotonic().advanced(by: duration).nanoseconds
        nanoseconds.withLock { $0 = now }
    }
}

/// SplitMix64.
struct TestEntropy: EntropySource, RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func draw(below bound: UInt64) throws(EntropyFailure) -> UInt64 { next() % bound }

    mutating func appendSecret(
        _ count: Int, to buffer: inout SecretBuffer
    ) throws(EntropyFailure) {
        throw .unavailable(errorNumber: 38)
    }
}

/// Takes what its script lets it take.
struct ScriptedSink: EventSink {
    let name: String
    var batchLinesMax = 7
    var batchBytesMax = 1 << 20
    /// What becomes of a batch; nil: all of it is taken.
    var script: ([EventLine]) -> EventDelivery?
    var received: [EventLine] = []

    init(name: String, script: @escaping ([EventLine]) -> EventDelivery? = { _ in nil }) {
        self.name = name
        self.script = script
    }

    mutating func deliver(_ lines: [EventLine]) -> EventDelivery {
        let delivery = script(lines) ?? EventDelivery(taken: lines.count)
        // Which ones of a partly refused batch are lost is the other side's choice: the first.
        received += lines.prefix(delivery.taken).dropFirst(delivery.lost)
        return delivery
    }
}

/// A signer that can be away, and can take its time.
struct TestSigner: CheckpointSigner {
    let key = Sample.made(CheckpointKey("test"))
    let isAway: @Sendable () -> Bool
    var isReady: @Sendable () -> Bool = { true }
    private var message: [UInt8]?

    init(isAway: @escaping @Sendable () -> Bool, isReady: @escaping @Sendable () -> Bool = { true })
    {
        self.isAway = isAway
        self.isReady = isReady
    }

    mutating func request(_ message: [UInt8]) {
        precondition(self.message == nil, "one request at a time")
        self.message = message
    }

    mutating func take(within duration: Duration) -> CheckpointAnswer? {
        guard let message, isReady() else { return nil }
        self.message = nil
        guard !isAway() else { return .failed(.unavailable(reason: "test")) }
        let hash = OpenSSLEventHasher().sha256(message).bytes
        return .signed(key, signature: hash + hash)
    }
}

struct TestSignatures: CheckpointVerifier {
    func isValid(_ signature: [UInt8], of message: [UInt8], key: CheckpointKey) -> Bool {
        let hash = OpenSSLEventHasher().sha256(message).bytes
        return key.text == "test" && signature == hash + hash
    }
}

func report(of lines: [EventLine], sink: String, linesMax: UInt64? = nil) -> EventChainReport {
    var verifier = EventChainVerifier(
        hasher: OpenSSLEventHasher(), signatures: TestSignatures(),
        policy: .init(sink: sink, checkpointLinesMax: linesMax))
    for line in lines { verifier.read(line.bytes) }
    return verifier.finish()
}
