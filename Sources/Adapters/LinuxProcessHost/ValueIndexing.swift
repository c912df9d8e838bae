// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import LeakIndex
internal import Ports
internal import SecretMemory

/// Puts leak indexes into the images of one host, one generation of values after the other.
struct ValueIndexing {
    /// Of every area of this run.
    let areaBase: UInt64
    /// Hashes of the values that programs may have by now.
    private var bitmap: [UInt8] = []

    /// - Parameter areaBase: nil: drawn.
    init(areaBase: UInt64?) throws(ProcessHostFailure) {
        if let areaBase { self.areaBase = areaBase } else { self.areaBase = try AreaPlace.draw() }
    }

    /// - Parameter current: what a running program has; nil: none runs. Its multiplier is kept and
    ///   its bits stay, so that images which go on with its values are scanned too.
    mutating func index(
        _ image: inout DeliveryImage, beside current: DeliveredValues?
    ) throws(ProcessHostFailure) -> ValueIndex {
        var multiplier: UInt64 = 0
        defer { withUnsafeMutableBytes(of: &multiplier) { SecretBytes.zero($0) } }
        var bits = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)
        if let known = current.flatMap({ LeakIndex.multiplier(of: $0.index) }) {
            multiplier = known
            bits = bitmap
        } else {
            try Self.draw(into: &multiplier)
        }
        let report: LeakIndex.Report
        do throws(DeliveryFailure) {
            report = try image.addLeakIndex(multiplier: multiplier, bitmap: &bits)
        } catch {
            if case .memory(let failure) = error { throw .memory(failure) }
            throw .systemCall("index", errorNumber: E2BIG)
        }
        bitmap = bits
        let names = image.entries.map(\.name)
        return ValueIndex(
            address: DeliveryArea.region(of: areaBase), byteCount: image.frontBytes, bitmap: bits,
            gaps: report.unscanned.map { ValueIndex.Gap($0, names) },
            droppedWindows: report.dropped)
    }

    /// The salt of the hashes, which exists in secret memory only.
    private static func draw(into multiplier: inout UInt64) throws(ProcessHostFailure) {
        let result = withUnsafeMutableBytes(of: &multiplier) {
            clinux_random($0.baseAddress, $0.count)
        }
        guard result == 0 else { throw .systemCall("getrandom", errorNumber: -result) }
        // An even one would lose bits.
        multiplier |= 1
    }
}

extension ValueIndex.Gap {
    fileprivate init(_ unscanned: LeakIndex.Report.Unscanned, _ names: [String]) {
        let reason: Reason =
            switch unscanned.reason {
            case .tooShort: .tooShort
            case .tooUniform: .tooUniform
            case .noRoom: .noRoom
            case .foundAs(let other): .foundAs(name: names[other])
            }
        self.init(name: names[unscanned.secret], reason: reason)
    }
}

/// Where the areas of a run lie: the index of the values has one address in every image.
enum AreaPlace {
    /// Drawn from here on, a page's multiple. Programs, their heaps and their libraries lie above
    /// (0x55…, 0x7f…) or far below.
    static let lowest: UInt64 = 0x3000_0000_0000
    static let end: UInt64 = 0x5000_0000_0000

    static func draw() throws(ProcessHostFailure) -> UInt64 {
        var number: UInt64 = 0
        let result = withUnsafeMutableBytes(of: &number) {
            clinux_random($0.baseAddress, $0.count)
        }
        guard result == 0 else { throw .systemCall("getrandom", errorNumber: -result) }
        // A power of two of pages: every one is as likely as every other.
        return lowest + number % (end - lowest) / DeliveryArea.pageBytes * DeliveryArea.pageBytes
    }
}
