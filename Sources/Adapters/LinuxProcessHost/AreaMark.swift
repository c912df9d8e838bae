// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
internal import Ports

/// Written at the start of each image's placeholders: a number drawn per run, the area's own
/// address, the length of its region and where each entry is in it. A forked child has it at the
/// same place, and an image of an earlier generation of values tells its own layout by it.
struct AreaMark: Equatable {
    private static let headWords = 4
    private let run: [UInt64]
    private let entryCount: Int

    init(entryCount: Int) throws(ProcessHostFailure) {
        var drawn: [UInt64] = [0, 0]
        let result = drawn.withUnsafeMutableBytes { clinux_random($0.baseAddress, $0.count) }
        guard result == 0 else { throw .systemCall("getrandom", errorNumber: -result) }
        run = drawn
        self.entryCount = entryCount
    }

    var byteCount: Int { (Self.headWords + entryCount) * 8 }

    func bytes(of area: DeliveryArea) -> [UInt8] {
        (run + [area.base, area.regionBytes] + area.offsets).withUnsafeBytes { Array($0) }
    }

    /// Finds the area of a task that nobody followed to where it is (notified): by the length
    /// of its scratch mapping, then by the mark.
    ///
    /// The program may write the mark; a false one misleads about its own memory only, and is
    /// refused where it does not fit the mapping.
    ///
    /// - Parameter shape: an area of this run at any base.
    func findArea(of tracee: Tracee, shape: DeliveryArea) -> DeliveryArea? {
        let scratchBytes = shape.temporary - shape.placeholders
        for mapping in ProcessMappings.read(tracee.task) where mapping.bytes == scratchBytes {
            var words = [UInt64](repeating: 0, count: Self.headWords + entryCount)
            let got = words.withUnsafeMutableBytes { tracee.read(mapping.start, into: $0) }
            guard got == byteCount, Array(words[0..<2]) == run else { continue }
            if let area = area(words, placeholders: mapping.start, shape) { return area }
        }
        return nil
    }

    private func area(
        _ words: [UInt64], placeholders: UInt64, _ shape: DeliveryArea
    ) -> DeliveryArea? {
        let (base, regionBytes) = (words[2], words[3])
        let offsets = Array(words[Self.headWords...])
        guard base % DeliveryArea.pageBytes == 0, base < placeholders,
            regionBytes < placeholders - base, offsets.allSatisfy({ $0 < regionBytes })
        else { return nil }
        let area = DeliveryArea(
            base: base, regionBytes: Int(regionBytes),
            placeholderBytes: Int(shape.placeholderBytes), offsets: offsets)
        return area.placeholders == placeholders ? area : nil
    }
}

/// Address ranges from /proc/PID/maps.
enum ProcessMappings {
    struct Mapping: Equatable {
        let start: UInt64
        let bytes: UInt64
    }

    /// Empty when the process is gone or may not be read.
    static func read(_ process: pid_t) -> [Mapping] {
        let descriptor = open("/proc/\(process)/maps", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while case let got = Glibc.read(descriptor, &chunk, chunk.count), got > 0 {
            text += chunk[0..<got]
        }
        return text.split(separator: UInt8(ascii: "\n")).compactMap(parse)
    }

    /// `start-end perms ...`, hexadecimal (proc_pid_maps(5)).
    static func parse(_ line: ArraySlice<UInt8>) -> Mapping? {
        var numbers: [UInt64] = [0]
        for byte in line {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                numbers[numbers.count - 1] =
                    numbers[numbers.count - 1] << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                numbers[numbers.count - 1] =
                    numbers[numbers.count - 1] << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "-"): numbers.append(0)
            default:
                guard numbers.count == 2, numbers[1] > numbers[0] else { return nil }
                return Mapping(start: numbers[0], bytes: numbers[1] - numbers[0])
            }
        }
        return nil
    }
}
