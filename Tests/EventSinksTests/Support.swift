// SPDX-License-Identifier: Apache-2.0
import Enforcement
import EnforcementEvents
import EventIntegrity
import EventSinks
import Foundation

enum Sample {
    static func made<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure("the sample is not valid") }
        return value
    }

    static func event(_ number: Int = 0, object: String = "/proc/812/mem") -> EnforcementEvent {
        let time = EventTime(nanoseconds: 1_790_000_000_123_456_789 + UInt64(number))
        var event = EnforcementEvent(
            .processMemoryRead,
            time: .init(occurred: time, detected: time, monotonicNanoseconds: UInt64(number)))
        event.verdict = .denied
        event.vector = VectorNumber(8)
        event.object = EventText(object, bytesMax: EventLimits.objectBytesMax)
        event.node = EventText("node-1", bytesMax: EventLimits.labelBytesMax)
        return event
    }

    static func chain() -> EventChain<OpenSSLEventHasher> {
        EventChain(
            segment: made(EventSegment([UInt8](repeating: 3, count: 16))), after: nil,
            hasher: OpenSSLEventHasher())
    }

    static func lines(_ count: Int, object: String = "/proc/812/mem") -> [EventLine] {
        var chain = chain()
        return (0..<count).map { chain.append(event($0, object: object)) }
    }
}

extension Sample {
    /// Lines that are longer than a page of a pipe.
    static func longLines(_ count: Int) -> [EventLine] {
        let path = [UInt8](repeating: 0x1b, count: EventLimits.pathBytesMax)
        var chain = chain()
        return (0..<count).map { number in
            var event = event(number, object: String(decoding: path, as: UTF8.self))
            event.actor = EventProcess(
                id: 1, groupID: 1, startNanoseconds: 1, name: path,
                executable: .init(
                    device: 1, inode: 1, path: EventText(path, bytesMax: EventLimits.pathBytesMax)),
                user: 0, capabilities: 0, cgroup: 0)
            return chain.append(event)
        }
    }
}

/// A folder that goes with the test.
final class TestFolder {
    let path: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "sink-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.path()
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func lines(_ name: String) throws -> [[UInt8]] {
        let data = try Data(contentsOf: URL(filePath: "\(path)/\(name)"))
        #if DEBUG
            precondition(data.isEmpty || data.last == UInt8(ascii: "\n"), "\(name) ends in a line")
        #endif
        return data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .dropLast().map { Array($0) }
    }

    func isThere(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(path)/\(name)")
    }
}
