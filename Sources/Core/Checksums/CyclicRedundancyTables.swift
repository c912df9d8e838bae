// SPDX-License-Identifier: Apache-2.0

/// What a cyclic redundancy check goes by, for two ways over its bytes.
///
/// Short ones go sixteen bytes a step by tables: table k holds the effect of a byte that k more
/// bytes follow (Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC
/// Generation", 2008). 16 KiB for 32 bits, 32 KiB for 64.
///
/// Long ones are folded first, without tables. Where T(x), a sum of few powers of x, is a multiple
/// of the polynomial, so is T(x^64), which is T(x) squared six times. A word of 64 bits can then be
/// taken out when it is added, by exclusive or, to a few words further on: as far as T's highest
/// power is above each of the others. (The idea of sparse multiples is that of Russell's "Chorba:
/// A novel CRC32 implementation", 2024.) What is left is as many words as T's degree.
package struct CyclicRedundancyTables<
    Register: FixedWidthInteger & UnsignedInteger & Sendable
>: Sendable {
    private static var stepBytes: Int { 16 }
    private static var wordBytes: Int { 8 }
    /// Words of a step of folding, eight at once. No distance may be shorter.
    private static var foldWords: Int { 8 }
    /// Words folded between two moves of those that others still depend on.
    private static var blockWords: Int { 1024 }

    private let entries: [Register]
    /// How far behind a word those are that are added to it, in words.
    private let distances: [Int]
    /// T's degree: the longest distance.
    private let degree: Int

    /// - Parameters:
    ///   - polynomial: bits reflected, without the highest.
    ///   - sparse: powers of x, ascending from 0, whose sum is a multiple of the polynomial; the
    ///     highest is at least `foldWords` above the others.
    fileprivate init(polynomial: Register, sparse: [Int]) {
        var entries = [Register](repeating: 0, count: Self.stepBytes * 256)
        for byte in 0..<256 {
            var value = Register(byte)
            for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 1 ? polynomial : 0) }
            entries[byte] = value
        }
        for index in 256..<entries.count {
            let before = entries[index - 256]
            entries[index] = before >> 8 ^ entries[Int(before & 255)]
        }
        self.entries = entries
        let degree = sparse.last ?? 0
        distances = sparse.dropLast().map { degree - $0 }
        self.degree = degree
        precondition(
            distances.allSatisfy { $0 >= Self.foldWords }, "a step would depend on itself")
    }

    /// Below this, folding is not worth what is left of it.
    package var foldedBytesMin: Int { (degree + 128) * Self.wordBytes }

    func advanced(_ start: Register, by bytes: UnsafeRawBufferPointer) -> Register {
        entries.withUnsafeBufferPointer { entries in
            guard let table = entries.baseAddress else { return start }
            guard bytes.count >= foldedBytesMin else { return Self.walk(start, bytes, table) }
            let steps = (bytes.count / Self.wordBytes - degree) / Self.foldWords
            let count = (degree + steps * Self.foldWords) * Self.wordBytes
            let register = folded(start, UnsafeRawBufferPointer(rebasing: bytes[..<count]), table)
            return Self.walk(register, UnsafeRawBufferPointer(rebasing: bytes[count...]), table)
        }
    }

    // MARK: - Folding

    /// Folds all but the last `degree` words into those, and goes over what becomes of them.
    ///
    /// - Parameter bytes: `degree` words and a number of whole steps.
    private func folded(
        _ start: Register, _ bytes: UnsafeRawBufferPointer, _ table: UnsafePointer<Register>
    ) -> Register {
        let capacity = (degree + Self.blockWords) * Self.wordBytes
        return withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 64) { place in
            guard let first = bytes.baseAddress, let scratch = place.baseAddress else {
                return start
            }
            // The words before the first one are zeros.
            scratch.initializeMemory(
                as: UInt8.self, repeating: 0, count: degree * Self.wordBytes)
            var folded = 0
            let total = bytes.count / Self.wordBytes - degree
            var carried = UInt64(truncatingIfNeeded: start).littleEndian
            while folded < total {
                let count = min(Self.blockWords, total - folded)
                fold(count, of: first + folded * Self.wordBytes, in: scratch, carried)
                carried = 0
                folded += count
                scratch.copyMemory(
                    from: scratch + count * Self.wordBytes, byteCount: degree * Self.wordBytes)
            }
            addRest(first + folded * Self.wordBytes, in: scratch)
            let rest = UnsafeRawBufferPointer(
                start: scratch + degree * Self.wordBytes, count: degree * Self.wordBytes)
            return Self.walk(0, rest, table)
        }
    }

    /// Puts `count` words behind the `degree` ones in `scratch`, each with those that it depends
    /// on added.
    ///
    /// - Parameter carried: added to the first word.
    private func fold(
        _ count: Int, of words: UnsafeRawPointer, in scratch: UnsafeMutableRawPointer,
        _ carried: UInt64
    ) {
        distances.withUnsafeBufferPointer { distances in
            var carry = SIMD8<UInt64>(carried, 0, 0, 0, 0, 0, 0, 0)
            var offset = 0
            while offset < count &* Self.wordBytes {
                let place = scratch + (degree &* Self.wordBytes &+ offset)
                var sum =
                    (words + offset).loadUnaligned(as: SIMD8<UInt64>.self) ^ carry
                carry = .zero
                for distance in distances {
                    sum ^= (place - distance &* Self.wordBytes)
                        .loadUnaligned(as: SIMD8<UInt64>.self)
                }
                place.storeBytes(of: sum, as: SIMD8<UInt64>.self)
                offset &+= Self.foldWords &* Self.wordBytes
            }
        }
    }

    /// Puts the last `degree` words behind the `degree` ones in `scratch`, and adds what depends
    /// on words that were taken out.
    private func addRest(_ words: UnsafeRawPointer, in scratch: UnsafeMutableRawPointer) {
        for index in 0..<degree {
            var sum = words.loadUnaligned(
                fromByteOffset: index * Self.wordBytes, as: UInt64.self)
            for distance in distances where index < distance {
                sum ^= scratch.loadUnaligned(
                    fromByteOffset: (degree + index - distance) * Self.wordBytes, as: UInt64.self)
            }
            scratch.storeBytes(
                of: sum, toByteOffset: (degree + index) * Self.wordBytes, as: UInt64.self)
        }
    }

    // MARK: - Tables

    private static func walk(
        _ start: Register, _ bytes: UnsafeRawBufferPointer, _ table: UnsafePointer<Register>
    ) -> Register {
        guard let first = bytes.baseAddress else { return start }
        var register = start
        var offset = 0
        while offset &+ stepBytes <= bytes.count {
            register = step(register, first + offset, table)
            offset &+= stepBytes
        }
        while offset < bytes.count {
            let place = Int((register ^ Register(bytes[offset])) & 255)
            register = register >> 8 ^ table[place]
            offset &+= 1
        }
        return register
    }

    /// Sixteen bytes further. The register is at most eight bytes wide.
    @inline(__always)
    private static func step(
        _ register: Register, _ bytes: UnsafeRawPointer, _ table: UnsafePointer<Register>
    ) -> Register {
        let low =
            UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
            ^ UInt64(truncatingIfNeeded: register)
        let high = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        return eight(low, table + 8 * 256) ^ eight(high, table)
    }

    /// The effect of eight bytes; `table` is that of the last of them.
    @inline(__always)
    private static func eight(_ bytes: UInt64, _ table: UnsafePointer<Register>) -> Register {
        @inline(__always) func effect(_ index: Int) -> Register {
            let byte = Int(truncatingIfNeeded: bytes &>> (8 &* UInt64(index)) & 255)
            return table[(7 &- index) &* 256 &+ byte]
        }
        let first = effect(0) ^ effect(1) ^ (effect(2) ^ effect(3))
        let second = effect(4) ^ effect(5) ^ (effect(6) ^ effect(7))
        return first ^ second
    }
}

extension CyclicRedundancyTables<UInt32> {
    /// CRC-32/ISO-HDLC: 0x04C11DB7, of "123456789" 0xCBF43926.
    package static let crc32 = CyclicRedundancyTables(
        polynomial: 0xEDB8_8320, sparse: [0, 8, 29, 70, 80, 84, 137])
    /// CRC-32/ISCSI: 0x1EDC6F41, of "123456789" 0xE3069283 (RFC 3720, appendix B.4).
    package static let crc32c = CyclicRedundancyTables(
        polynomial: 0x82F6_3B78, sparse: [0, 14, 39, 54, 144, 209])
}

extension CyclicRedundancyTables<UInt64> {
    /// CRC-64/NVME: 0xAD93D23594C93659, of "123456789" 0xAE8B14860A799888
    /// (NVM Command Set Specification 1.0d, section 5.2.1.3.4).
    package static let crc64nvme = CyclicRedundancyTables(
        polynomial: 0x9A6C_9329_AC4B_C9B5,
        sparse: [0, 39, 54, 78, 124, 132, 164, 205, 231, 238, 376, 420])
}
