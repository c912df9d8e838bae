// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import MemoryScan
import SecretMemory
import Testing

/// Bytes that are easy to tell from zeros and from the canary.
let pattern: [UInt8] = Array("do not look at me, I am a secret".utf8)

func makeBuffer(_ tier: MemoryTier, capacity: Int = 64) throws -> SecretBuffer {
    var buffer = try SecretBuffer(
        capacity: capacity, minimumTier: .ordinary, maximumTier: tier)
    try pattern.withUnsafeBytes { try buffer.append($0.bytes) }
    return buffer
}

func address(of buffer: borrowing SecretBuffer) -> UnsafeMutableRawPointer {
    buffer.withBytes { span in
        span.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { preconditionFailure("empty buffer") }
            return UnsafeMutableRawPointer(mutating: start)
        }
    }
}

func descriptorTargets() -> [String] {
    var targets: [String] = []
    for descriptor in 0..<256 {
        var target = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count - 1)
        if count > 0 {
            targets.append(
                String(decoding: target[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
    }
    return targets
}

@Suite("Secret buffers")
struct SecretBufferTests {
    @Test("Releasing a buffer zeroes its pages in every tier", arguments: MemoryTier.allCases)
    func zeroOnRelease(tier: MemoryTier) throws {
        func use(_ body: (UnsafeMutableRawPointer) throws -> Void) throws {
            let buffer = try makeBuffer(tier)
            try body(address(of: buffer))
            _ = consume buffer
        }
        var view: UnsafeMutableRawPointer?
        try use { payload in
            view = clinux_second_view(payload, 4096)
            // Control: the view shows the pages while they are held.
            let seen = try #require(view)
            #expect(memcmp(seen, pattern, pattern.count) == 0)
        }
        let seen = try #require(view)
        defer { munmap(seen, 4096) }
        let bytes = UnsafeRawBufferPointer(start: seen, count: 4096)
        #expect(bytes.allSatisfy { $0 == 0 })
    }

    @Test("zero and truncate overwrite what they forget", arguments: MemoryTier.allCases)
    func zeroInPlace(tier: MemoryTier) throws {
        var buffer = try makeBuffer(tier)
        let start = address(of: buffer)
        buffer.truncate(to: 4)
        #expect(memcmp(start, pattern, 4) == 0)
        let rest = UnsafeRawBufferPointer(start: start + 4, count: pattern.count - 4)
        #expect(rest.allSatisfy { $0 == 0 })
        buffer.zero()
        #expect(buffer.count == 0)
        #expect(UnsafeRawBufferPointer(start: start, count: 4).allSatisfy { $0 == 0 })
    }

    @Test("The kernel's list of mappings names the tier that the buffer reports")
    func mappingNamesTier() throws {
        for tier in MemoryTier.allCases {
            let buffer = try makeBuffer(tier)
            let start = UInt(bitPattern: address(of: buffer))
            let mapping = try #require(try ProcessMapping.containing(start))
            #expect(mapping.secretTierName == buffer.tier.name)
            #expect(mapping.flags.contains("dd"), "would be in a core dump")
            #expect(mapping.flags.contains("lo") == (buffer.tier >= .locked))
            let before = try #require(try ProcessMapping.containing(start - 1))
            let after = try #require(try ProcessMapping.containing(mapping.end))
            #expect(before.permissions == "---p" && after.permissions == "---p")
        }
    }

    /// In a process of its own: other tests hold such descriptors for moments.
    @Test("No descriptor of secret memory stays open")
    func noDescriptor() async {
        await #expect(processExitsWith: .success) {
            let buffer = try makeBuffer(.secret)
            if descriptorTargets().contains(where: { $0.contains("secretmem") }) { exit(1) }
            // Control: an open descriptor would be seen, where the kernel gives one.
            let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
            guard descriptor >= 0 else { exit(buffer.tier < .secret ? 0 : 2) }
            exit(descriptorTargets().contains(where: { $0.contains("secretmem") }) ? 0 : 3)
        }
    }

    @Test("process_vm_readv fails on memfd_secret pages and works on the lower tiers")
    func processReadRefused() throws {
        for tier in MemoryTier.allCases {
            let buffer = try makeBuffer(tier)
            var copy = [UInt8](repeating: 0, count: pattern.count)
            let got = clinux_process_vm_readv(
                getpid(), UInt64(UInt(bitPattern: address(of: buffer))), &copy, copy.count)
            // EPERM, ENOSYS: a container's filter refuses the call for any memory.
            let isCallRefused = got == -Int64(EPERM) || got == -Int64(ENOSYS)
            if buffer.tier == .secret {
                #expect(got == -Int64(EFAULT) || isCallRefused)
                #expect(copy != pattern)
            } else {
                #expect((got == Int64(pattern.count) && copy == pattern) || isCallRefused)
            }
        }
    }

    @Test("A buffer takes its capacity and not one byte more")
    func capacityLimit() throws {
        var buffer = try SecretBuffer(capacity: 2, minimumTier: .ordinary)
        try buffer.append(byte: 1)
        try buffer.append(byte: 2)
        #expect(throws: SecretMemoryFailure.capacityExceeded(capacityBytes: 2)) {
            try buffer.append(byte: 3)
        }
        #expect(throws: SecretMemoryFailure.capacityExceeded(capacityBytes: 2)) {
            try buffer.append(text: "xyz")
        }
        #expect(buffer.count == 2)
    }

    @Test("Capacities of zero and above the maximum are refused, the maximum is not")
    func sizeLimits() throws {
        let limit = SecretBuffer.capacityBytesMax
        for size in [0, -1, limit + 1] {
            #expect(
                throws: SecretMemoryFailure.sizeOutOfRange(
                    requestedBytes: size, limitBytes: limit)
            ) { _ = try SecretBuffer(capacity: size, minimumTier: .ordinary).count }
        }
        #expect(try SecretBuffer(capacity: limit, minimumTier: .ordinary).capacity == limit)
    }

    @Test("A tier below the one required is refused, never taken silently")
    func fallbackIsRefused() throws {
        for (required, offered) in [
            (MemoryTier.secret, MemoryTier.locked), (.secret, .ordinary), (.locked, .ordinary),
        ] {
            do {
                let buffer = try SecretBuffer(
                    capacity: 16, minimumTier: required, maximumTier: offered)
                Issue.record("got \(buffer.tier.name), required \(required.name)")
            } catch SecretMemoryFailure.tierUnavailable(let shortage) {
                #expect(shortage.required == required)
                #expect(shortage.best <= offered)
            }
        }
        // Control: the same sizes are granted when the tier is not required.
        #expect(try makeBuffer(.ordinary).tier == .ordinary)
    }

    @Test("MADV_DONTFORK is set exactly where children shall not have the pages")
    func forkPolicy() throws {
        for isInherited in [true, false] {
            let region = try SecretRegion(
                payloadBytes: 1, minimumTier: .ordinary, inheritedByChildren: isInherited)
            defer { region.release() }
            let mapping = try ProcessMapping.containing(UInt(bitPattern: region.payload))
            #expect(try #require(mapping).flags.contains("dc") == !isInherited)
        }
    }

    @Test("Printing, dumping and mirroring what wraps a secret shows none of its bytes")
    func nothingPrinted() throws {
        let arena = try SecretArena(bytes: 4096, minimumTier: .ordinary)
        let block = try #require(arena.allocate(pattern.count))
        pattern.withUnsafeBytes { block.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        var shown = String(describing: arena) + String(reflecting: arena)
        dump(arena, to: &shown)
        for child in Mirror(reflecting: arena).children { dump(child, to: &shown) }
        #expect(!shown.contains(String(decoding: pattern, as: UTF8.self)))
        // Control: the same calls show what an ordinary array holds.
        #expect(String(describing: pattern).contains("\(pattern[0]), \(pattern[1])"))
        arena.free(block)
    }
}

@Suite("Overruns of secret memory end the process")
struct OverrunTests {
    @Test("Writing past the last page hits the guard page")
    func guardAfter() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let buffer = try SecretBuffer(capacity: 4096 - 8, minimumTier: .ordinary)
            address(of: buffer).storeBytes(of: 1, toByteOffset: 4096, as: UInt8.self)
        }
    }

    @Test("Writing before the first page hits the guard page")
    func guardBefore() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let buffer = try SecretBuffer(capacity: 64, minimumTier: .ordinary)
            address(of: buffer).storeBytes(of: 1, toByteOffset: -1, as: UInt8.self)
        }
    }

    @Test("An overrun by one byte, or far into the last page, is seen on release")
    func canary() async {
        await #expect(processExitsWith: .failure) {
            let buffer = try SecretBuffer(capacity: 64, minimumTier: .ordinary)
            address(of: buffer).storeBytes(of: 0, toByteOffset: 64, as: UInt8.self)
        }
        await #expect(processExitsWith: .failure) {
            let buffer = try SecretBuffer(capacity: 64, minimumTier: .ordinary)
            address(of: buffer).storeBytes(of: 0, toByteOffset: 4095, as: UInt8.self)
        }
    }

    @Test("Control: filling a buffer to its last byte ends nothing")
    func control() async {
        await #expect(processExitsWith: .success) {
            var buffer = try SecretBuffer(capacity: 4096 - 8, minimumTier: .ordinary)
            buffer.fill { rest in
                rest.initializeMemory(as: UInt8.self, repeating: 0)
                return rest.count
            }
            exit(buffer.count == 4096 - 8 ? 0 : 1)
        }
    }

    @Test("Freeing a block of an arena twice ends the process")
    func doubleFree() async {
        await #expect(processExitsWith: .failure) {
            let arena = try SecretArena(bytes: 4096, minimumTier: .ordinary)
            guard let block = arena.allocate(16) else { exit(0) }
            arena.free(block)
            arena.free(block)
            exit(0)
        }
    }
}
