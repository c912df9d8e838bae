// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports
internal import SecretMemory

/// The values as files that a program inherits (delivery mode `file`): one for each, holding the
/// value's bytes and nothing else, under the number that its environment entry names.
///
/// A memfd_secret(2) file can be mapped and neither read nor opened by its path. A sealed memfd
/// can, and is ordinary memory.
struct PassedFiles {
    /// Number of the first value's descriptor in the program; above what shells (10, 63, 255 from
    /// the other end) and service managers (3 on) number theirs from.
    static let firstNumber: Int32 = 100

    let descriptors: [Int32]
    /// `NAME=/proc/self/fd/N`.
    let entries: [RawText]

    init(_ values: DeliveredValues, isReadable: Bool) throws(ProcessHostFailure) {
        var made: [Int32] = []
        do throws(ProcessHostFailure) {
            for entry in values.entries {
                let value = values.value(of: entry)
                let descriptor =
                    try isReadable ? Self.sealedFile(value) : Self.secretFile(value)
                made.append(try Self.moved(descriptor, above: values.entries.count))
            }
        } catch {
            for descriptor in made { Glibc.close(descriptor) }
            throw error
        }
        descriptors = made
        entries = values.entries.enumerated().map { index, entry in
            RawText(
                bytes: entry.placeholder + "/proc/self/fd/\(Int(Self.firstNumber) + index)".utf8)
        }
    }

    /// Locked memory that mapping each file once takes.
    static func mappedBytes(_ values: DeliveredValues) -> Int {
        let page = SecretBuffer.lockedBytes(forCapacity: 1)
        return values.entries.reduce(0) { sum, entry in
            sum + (values.value(of: entry).count + page - 1) / page * page
        }
    }

    /// The program has its own; each one open here could be stolen.
    func close() {
        for descriptor in descriptors { Glibc.close(descriptor) }
    }

    /// Out of the way of the numbers that the child copies to.
    private static func moved(
        _ descriptor: Int32, above count: Int
    ) throws(ProcessHostFailure) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, firstNumber + Int32(clamping: count))
        let number = errno
        Glibc.close(descriptor)
        guard copy >= 0 else { throw .systemCall("fcntl(F_DUPFD_CLOEXEC)", errorNumber: number) }
        return copy
    }

    private static func secretFile(
        _ value: UnsafeRawBufferPointer
    ) throws(ProcessHostFailure) -> Int32 {
        guard value.count > 0 else {
            // An empty file cannot be mapped, here or in the program.
            let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
            guard descriptor >= 0 else {
                throw .refused(call: "memfd_secret", errorNumber: -descriptor)
            }
            return descriptor
        }
        let made = DeliveryRegion.make(bytes: value.count) { target in
            if let base = value.baseAddress {
                target.copyMemory(from: base, byteCount: value.count)
            }
        }
        switch made {
        case .success(let region): return region.descriptor
        case .failure(let failure): throw failure.hostFailure(bytes: value.count)
        }
    }

    /// F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE (fcntl(2)).
    private static let seals: Int32 = 0xf
    private static let addSeals: Int32 = 1033

    private static func sealedFile(
        _ value: UnsafeRawBufferPointer
    ) throws(ProcessHostFailure) -> Int32 {
        let descriptor = clinux_sealable_memory_file("value")
        guard descriptor >= 0 else {
            throw .refused(call: "memfd_create", errorNumber: -descriptor)
        }
        var written = 0
        while written < value.count {
            let rest = UnsafeRawBufferPointer(rebasing: value[written...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, written)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return try give(up: descriptor, "write") }
            written += count
        }
        guard fcntl(descriptor, addSeals, seals) == 0 else {
            return try give(up: descriptor, "fcntl(F_ADD_SEALS)")
        }
        return descriptor
    }

    private static func give(
        up descriptor: Int32, _ call: String
    ) throws(ProcessHostFailure) -> Int32 {
        let number = errno
        Glibc.close(descriptor)
        throw .systemCall(call, errorNumber: number)
    }
}
