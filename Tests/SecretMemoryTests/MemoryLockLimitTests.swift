// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import MemoryScan
import SecretMemory
import Testing

/// Puts this process under a limit of locked memory that binds, and returns it (bytes): what was
/// asked for, or the hard limit where that is lower. Root holds CAP_IPC_LOCK, which lifts the
/// limit, so root becomes another user first: one of its own, since some kernels (6.1.192, 7.2)
/// count the pages of all processes of a user. For exit tests only.
private func confine(toBytes bytes: UInt64) throws -> Int {
    let isRoot = getuid() == 0
    let hardBytes = try MemoryLockLimit.current().hardBytes
    let boundBytes = isRoot ? bytes : min(bytes, hardBytes)
    try MemoryLockLimit.set(softBytes: boundBytes, hardBytes: boundBytes)
    if isRoot {
        let identity = uid_t(1_000_000 + getpid())
        guard setgid(identity) == 0, setuid(identity) == 0 else { exit(99) }
    }
    return Int(boundBytes)
}

/// How many pages a limit gives. An ordinary user's other processes may have taken some already,
/// where the kernel counts by user.
private func isExpected(pages: Int, limitBytes: Int, isOwnUser: Bool) -> Bool {
    isOwnUser ? pages == limitBytes / 4096 : pages <= limitBytes / 4096
}

/// Takes one-page buffers until one is refused; returns how many were had at or above the tier.
private func pagesAvailable(_ tier: MemoryTier, atMost: Int) -> Int {
    var held: [SecretRegion] = []
    while held.count < atMost,
        let region = try? SecretRegion(
            payloadBytes: 1, minimumTier: tier, maximumTier: tier)
    {
        held.append(region)
    }
    for region in held { region.release() }
    return held.count
}

private func isSecretAvailable() -> Bool {
    let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
    if descriptor >= 0 { close(descriptor) }
    return descriptor >= 0
}

@Suite("Limits of locked memory", .serialized)
struct MemoryLockLimitTests {
    @Test("At 64 KiB, sixteen pages are to be had in each locked tier and the next is refused")
    func sixtyFourKiB() async {
        await #expect(processExitsWith: .success) {
            let isOwnUser = getuid() == 0
            let limit = try confine(toBytes: 64 << 10)
            let locked = pagesAvailable(.locked, atMost: 32)
            guard isExpected(pages: locked, limitBytes: limit, isOwnUser: isOwnUser)
            else { exit(1) }
            let secret = pagesAvailable(.secret, atMost: 32)
            let secretLimit = isSecretAvailable() ? limit : 0
            exit(
                isExpected(pages: secret, limitBytes: secretLimit, isOwnUser: isOwnUser) ? 0 : 2)
        }
    }

    @Test("Control: at 32 KiB there are half as many, so it is the limit that refuses")
    func control() async {
        await #expect(processExitsWith: .success) {
            let isOwnUser = getuid() == 0
            let limit = try confine(toBytes: 32 << 10)
            let locked = pagesAvailable(.locked, atMost: 32)
            exit(isExpected(pages: locked, limitBytes: limit, isOwnUser: isOwnUser) ? 0 : 1)
        }
    }

    @Test("With no locked memory at all, a buffer is refused or says that it is ordinary")
    func none() async {
        await #expect(processExitsWith: .success) {
            _ = try confine(toBytes: 0)
            do {
                _ = try SecretBuffer(capacity: 16, minimumTier: .locked).count
                exit(1)
            } catch SecretMemoryFailure.tierUnavailable(let shortage) {
                guard shortage.best == .ordinary, shortage.errorNumber != 0,
                    shortage.bytes == 4096, shortage.limitBytes == 0
                else { exit(2) }
            }
            exit(try SecretBuffer(capacity: 16, minimumTier: .ordinary).tier == .ordinary ? 0 : 3)
        }
    }

    @Test("An exhausted limit gives the lower tier visibly, and memory that can be written")
    func exhausted() async {
        await #expect(processExitsWith: .success) {
            let limit = try confine(toBytes: 64 << 10)
            var held: [SecretRegion] = []
            while let region = try? SecretRegion(payloadBytes: 1, minimumTier: .locked) {
                held.append(region)
            }
            guard held.count <= limit / 4096 else { exit(1) }
            var spare = try SecretBuffer(capacity: 8 << 10, minimumTier: .ordinary)
            guard spare.tier == .ordinary else { exit(2) }
            try spare.append(text: "still works")
            exit(spare.count == 11 ? 0 : 3)
        }
    }

    @Test("The soft limit is raised to the hard one, and no further")
    func raise() async {
        await #expect(processExitsWith: .success) {
            let hard = UInt64(try confine(toBytes: 64 << 10))
            let lowered = try MemoryLockLimit.set(softBytes: hard / 4, hardBytes: hard)
            guard lowered.softBytes == hard / 4 else { exit(1) }
            let raised = try MemoryLockLimit.raiseSoftToHard()
            guard raised == (try MemoryLockLimit.current()) else { exit(2) }
            exit(raised.softBytes == hard && raised.hardBytes == hard ? 0 : 3)
        }
    }

    @Test("A released buffer gives its pages back to the limit")
    func releaseGivesBack() async {
        await #expect(processExitsWith: .success) {
            _ = try confine(toBytes: 64 << 10)
            let before = pagesAvailable(.locked, atMost: 32)
            for _ in 0..<8 {
                guard pagesAvailable(.locked, atMost: 32) == before else { exit(1) }
            }
            exit(0)
        }
    }
}

/// A page past the end of a file: touching it raises SIGBUS, as touching memfd_secret pages does
/// on kernels that charge at first touch when the limit is exhausted.
private func makeFaultingPage() -> UnsafeMutableRawPointer? {
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(folder)/cloudtaser-fault-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    unlink(template)
    let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    return page == MAP_FAILED ? nil : page
}

@Suite("Touching pages under a guard")
struct TouchTests {
    @Test("Pages that cannot be charged are an error, more than once, and memory is touched else")
    func guarded() async {
        await #expect(processExitsWith: .success) {
            guard let page = makeFaultingPage() else { exit(1) }
            for _ in 0..<3 where clinux_touch_pages(page, 4096) != -EFAULT { exit(2) }
            let plain = mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            exit(clinux_touch_pages(plain, 8192) == 0 ? 0 : 3)
        }
    }

    @Test("Control: the same page ends a process that touches it without the guard, also after")
    func unguarded() async {
        await #expect(processExitsWith: .signal(SIGBUS)) {
            // The runtime's crash handler, if it is on, would end the process in its own way.
            signal(SIGBUS, SIG_DFL)
            guard let page = makeFaultingPage() else { exit(1) }
            guard clinux_touch_pages(page, 4096) == -EFAULT else { exit(2) }
            page.storeBytes(of: 1, as: UInt8.self)
        }
    }
}
