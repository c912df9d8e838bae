// SPDX-License-Identifier: Apache-2.0
package import Delivery
internal import LeakIndex
package import Ports

/// `ProcessHost` on a `SimulatedMachine`. `next` lets the machine's time pass itself; a scheduler
/// that has its own time uses the machine instead.
package struct SimulatedProcessHost: ProcessHost, ~Copyable {
    package let machine: SimulatedMachine
    private var bitmap: [UInt8] = []

    /// A real host draws one for each run.
    package static let multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15
    package static let indexAddress: UInt64 = 0x4000_0000_1000

    package init(machine: SimulatedMachine) { self.machine = machine }

    package mutating func indexValues(
        of image: inout DeliveryImage
    ) throws(ProcessHostFailure) -> ValueIndex {
        var bits =
            machine.program == nil || bitmap.isEmpty
            ? [UInt8](repeating: 0, count: LeakIndex.bitmapBytes) : bitmap
        let report: LeakIndex.Report
        do throws(DeliveryFailure) {
            report = try image.addLeakIndex(multiplier: Self.multiplier, bitmap: &bits)
        } catch { throw .systemCall("index", errorNumber: 12) }
        bitmap = bits
        let names = image.entries.map(\.name)
        let gaps = report.unscanned.map { unscanned in
            let reason: ValueIndex.Gap.Reason =
                switch unscanned.reason {
                case .tooShort: .tooShort
                case .tooUniform: .tooUniform
                case .noRoom: .noRoom
                case .foundAs(let other): .foundAs(name: names[other])
                }
            return ValueIndex.Gap(name: names[unscanned.secret], reason: reason)
        }
        return ValueIndex(
            address: Self.indexAddress, byteCount: image.frontBytes, bitmap: bits, gaps: gaps,
            droppedWindows: report.dropped)
    }

    package mutating func start(
        _ launch: Launch, image: consuming DeliveryImage
    ) throws(ProcessHostFailure) {
        try machine.start(launch, values: Self.values(of: image))
    }

    package mutating func next(
        until deadline: MonotonicTime?
    ) throws(ProcessHostFailure) -> HostEvent {
        if let event = machine.takeEvent() { return event }
        let time = machine.nextEventTime
        guard let until = [time, deadline].compactMap({ $0 }).min() else {
            // Nothing will ever happen: a real host would wait for ever.
            throw .systemCall("wait", errorNumber: 35)
        }
        machine.advance(to: until)
        return machine.takeEvent() ?? .deadline
    }

    package mutating func replaceValues(
        _ image: consuming DeliveryImage
    ) throws(ProcessHostFailure) {
        try machine.replaceValues(Self.values(of: image))
    }

    package mutating func send(signal: Int32) { machine.send(signal: signal) }

    package mutating func runHook(_ launch: Launch) throws(ProcessHostFailure) {
        try machine.runHook(launch)
    }

    package mutating func stop(within grace: Duration) { machine.stop(within: grace) }

    private static func values(of image: borrowing DeliveryImage) -> [String: [UInt8]] {
        let entries = image.entries
        return image.withBytes { span in
            span.withUnsafeBytes { bytes in
                var values: [String: [UInt8]] = [:]
                for entry in entries {
                    let start = entry.offset + entry.name.utf8.count + 1
                    let end = entry.offset + entry.byteCount
                    values[entry.name] = Array(bytes[start..<end])
                }
                return values
            }
        }
    }
}
