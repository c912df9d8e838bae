// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import EnforcementEvents
import Glibc
package import Ports

/// Places by `/proc/PID/cgroup`, remembered by the number of the cgroup where cgroup 2 tells the
/// place, else by the process.
package struct ProcessPlaces: PlaceDirectory {
    /// Places that are remembered; the oldest go first.
    package static let rememberedMax = 4096
    /// Processes that are looked up in one second: a flood of short ones must not keep the agent.
    package static let lookUpsPerSecondMax = 1000

    private enum Key: Hashable {
        case cgroup(UInt64)
        /// With its cgroup: it may move into a container's.
        case process(Int32, started: UInt64, cgroup: UInt64)
    }

    private let proc: String
    private let now: @Sendable () -> UInt64
    /// nil as a value: it runs in no container.
    private var places: [Key: ContainerPlace?] = [:]
    private var order: [Key] = []
    private var next = 0
    private var second: UInt64 = 0
    private var lookUps = 0
    /// Processes that were not looked up because of the limit.
    package private(set) var passedOver: UInt64 = 0

    /// - Parameters:
    ///   - proc: where the process file system is mounted.
    ///   - now: nanoseconds of a clock that does not go back.
    package init(proc: String = "/proc", now: @escaping @Sendable () -> UInt64) {
        self.proc = proc
        self.now = now
    }

    package mutating func place(of process: EnforcementProcess) -> ContainerPlace? {
        let own = Key.process(
            process.group, started: process.started, cgroup: process.cgroup)
        // Number 1 is the root of cgroup 2: where only version 1 is in use, everything is in it.
        let cgroup = process.cgroup > 1 ? Key.cgroup(process.cgroup) : own
        if let known = places[cgroup] ?? places[own] { return known }
        guard mayLookUp() else {
            passedOver += 1
            return nil
        }
        guard let text = text(of: process) else { return nil }
        let place = ContainerPlace(cgroups: text)
        // A place that another hierarchy tells holds for this process alone.
        remember(place, as: place?.isUnified == true ? cgroup : own)
        return place
    }

    /// Not remembered, and not counted: a registration costs more than this.
    package mutating func place(ofGroup process: ProcessID) -> ContainerPlace? {
        guard process > 0,
            let bytes = SmallFile.contents(
                "\(proc)/\(process)/cgroup", bytesMax: ContainerPlace.textBytesMax)
        else { return nil }
        return ContainerPlace(cgroups: String(decoding: bytes, as: UTF8.self))
    }

    /// nil: it has ended, and its number may be another's.
    private func text(of process: EnforcementProcess) -> String? {
        let folder = "\(proc)/\(process.group)"
        guard Self.started(folder) == Self.ticks(process.started) else { return nil }
        let bytes = SmallFile.contents(
            folder + "/cgroup", bytesMax: ContainerPlace.textBytesMax)
        // The number still stands for the same process behind the read.
        guard let bytes, Self.started(folder) == Self.ticks(process.started) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// proc(5) has the time in clock ticks, which are 10 ms to user space.
    private static func ticks(_ nanoseconds: UInt64) -> UInt64 { nanoseconds / 10_000_000 }

    /// Field 22 of /proc/PID/stat; the name in field 2 may hold anything, closing brackets too.
    private static func started(_ folder: String) -> UInt64? {
        guard let bytes = SmallFile.contents(folder + "/stat", bytesMax: statBytesMax) else {
            return nil
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let bracket = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }

    private static let statBytesMax = 4096

    private mutating func mayLookUp() -> Bool {
        let current = now() / 1_000_000_000
        if current != second {
            second = current
            lookUps = 0
        }
        lookUps += 1
        return lookUps <= Self.lookUpsPerSecondMax
    }

    private mutating func remember(_ place: ContainerPlace?, as key: Key) {
        guard places.updateValue(place, forKey: key) == nil else { return }
        if order.count < Self.rememberedMax {
            order.append(key)
        } else {
            places[order[next]] = nil
            order[next] = key
            next = (next + 1) % Self.rememberedMax
        }
    }
}
