// SPDX-License-Identifier: Apache-2.0
import CLinux
import Delivery
import Glibc
import Ports
import SecretMemory
import Testing

@testable import LinuxProcessHost

private func hasSecretMemory() -> Bool {
    let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
    if descriptor >= 0 { close(descriptor) }
    return descriptor >= 0
}

@Suite("Values that were replaced", .enabled(if: hasSecretMemory(), "needs memfd_secret"))
struct RetiredValuesTests {
    private func values(_ value: String) throws -> DeliveredValues {
        var image = try DeliveryImage(minimumTier: .ordinary)
        try image.append(name: "NAME", value: Array(value.utf8).span.bytes)
        return try DeliveredValues(image)
    }

    private func knows(_ retired: RetiredValues, _ value: String) -> Bool {
        let text = Array("NAME=\(value)".utf8) + [0]
        return text.withUnsafeBytes { bytes in
            retired.contains(entry: 0) { position, count in
                let end = min(count, bytes.count)
                guard position < end else { return nil }
                return UnsafeRawBufferPointer(rebasing: bytes[position..<end])
            }
        }
    }

    @Test("As many as the limit are remembered; with one more the oldest is forgotten")
    func limit() throws {
        let retired = try RetiredValues()
        for number in 0..<RetiredValues.countMax { retired.add(try values("value-\(number)")) }
        for number in 0..<RetiredValues.countMax { #expect(knows(retired, "value-\(number)")) }
        #expect(!knows(retired, "value-\(RetiredValues.countMax)"))
        retired.add(try values("value-\(RetiredValues.countMax)"))
        #expect(!knows(retired, "value-0"))
        for number in 1...RetiredValues.countMax { #expect(knows(retired, "value-\(number)")) }
    }

    @Test("A prefix, a longer value and an empty one are not taken for a value")
    func others() throws {
        let retired = try RetiredValues()
        retired.add(try values("value"))
        retired.add(try values(""))
        #expect(knows(retired, "value"))
        for other in ["valu", "values", ""] { #expect(!knows(retired, other)) }
    }
}
