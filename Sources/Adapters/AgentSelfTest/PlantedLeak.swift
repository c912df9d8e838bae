// SPDX-License-Identifier: Apache-2.0
internal import AgentProtocol
import CLinux
import Glibc
import LeakIndex

/// A number of no use to anybody, and a leak index that finds it, for the victim to inherit at the
/// same address.
final class PlantedLeak {
    static let needleBytes = 32
    private static let regionBytes = 4096

    let request: ScanRequest
    private let page: UnsafeMutableRawPointer

    var needle: UnsafeRawPointer { UnsafeRawPointer(page) }

    /// Nil when there is no memory or no randomness to be had.
    init?() {
        guard
            let page = mmap(
                nil, Self.regionBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            page != MAP_FAILED
        else { return nil }
        let region = UnsafeMutableRawBufferPointer(start: page, count: Self.regionBytes)
        guard clinux_random(page, Self.needleBytes + MemoryLayout<UInt64>.size) == 0,
            let request = Self.request(in: region)
        else {
            munmap(page, Self.regionBytes)
            return nil
        }
        self.page = page
        self.request = request
    }

    deinit { munmap(page, Self.regionBytes) }

    private static func request(in region: UnsafeMutableRawBufferPointer) -> ScanRequest? {
        let multiplier = region.load(fromByteOffset: needleBytes, as: UInt64.self) | 1
        let index = UnsafeMutableRawBufferPointer(
            rebasing: region[(needleBytes + LeakIndex.alignmentBytes)...])
        let needle = UnsafeRawBufferPointer(rebasing: region[..<needleBytes])
        var bitmap = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)
        let report = LeakIndex.build(
            [needle], multiplier: multiplier, into: index, bitmap: &bitmap)
        guard report.unscanned.isEmpty, let start = index.baseAddress else { return nil }
        do throws(ScanRequest.Refusal) {
            return try ScanRequest(
                address: UInt64(UInt(bitPattern: start)),
                length: LeakIndex.byteCount(slots: report.slots), rules: [], bitmap: bitmap)
        } catch { return nil }
    }
}
