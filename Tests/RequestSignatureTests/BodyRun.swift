// SPDX-License-Identifier: Apache-2.0
import RequestSignature

/// What both of the body's state machines do.
protocol BodyMachine {
    mutating func received(
        _ slice: [UInt8], from offset: Int
    ) throws(BodyRefusal) -> ChunkedBodyStateMachine.Step
    mutating func ended() throws(BodyRefusal)
    mutating func takeReleased() -> [UInt8]
}

extension ChunkedBodyStateMachine: BodyMachine {}
extension PlainBodyStateMachine: BodyMachine {}

/// A body that was given to a machine, as a caller does it.
struct BodyRun {
    /// Everything released, the end included.
    private(set) var released: [UInt8] = []
    /// What was released before the end was checked.
    private(set) var beforeEnd = 0
    /// Length of each release.
    private(set) var pieces: [Int] = []
    /// nil: the body was accepted.
    private(set) var refusal: BodyRefusal?

    /// - Parameters:
    ///   - sizes: lengths of the slices, used in turn.
    ///   - ends: whether the end is told.
    init(
        _ machine: some BodyMachine, _ wire: [UInt8], sizes: [Int] = [.max], ends: Bool = true
    ) {
        var machine = machine
        do throws(BodyRefusal) {
            var rest = wire[...]
            var turn = 0
            while !rest.isEmpty {
                let slice = Array(rest.prefix(sizes[turn % sizes.count]))
                rest = rest.dropFirst(slice.count)
                turn += 1
                try give(slice, to: &machine)
            }
            guard ends else { return }
            beforeEnd = released.count
            try machine.ended()
            take(from: &machine)
        } catch {
            refusal = error
        }
    }

    private mutating func give(
        _ slice: [UInt8], to machine: inout some BodyMachine
    ) throws(BodyRefusal) {
        var offset = 0
        while true {
            let step = try machine.received(slice, from: offset)
            offset += step.consumed
            guard step.action == .release else { break }
            take(from: &machine)
        }
        precondition(offset == slice.count, "bytes were left though none are released")
    }

    private mutating func take(from machine: inout some BodyMachine) {
        let bytes = machine.takeReleased()
        pieces.append(bytes.count)
        released += bytes
    }
}
