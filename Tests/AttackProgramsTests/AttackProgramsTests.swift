// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import Glibc
import SecretMemory
import Testing

/// A page that holds a needle, ordinary or secret.
private func range(of pointer: UnsafeRawPointer, count: Int) -> Range<UInt64> {
    let start = UInt64(UInt(bitPattern: pointer))
    return start..<start + UInt64(count)
}

@Suite("Attack programs")
struct AttackProgramsTests {
    private static let seed: UInt64 = 0x0123_4567_89AB_CDEF

    @Test("a seed's needle is the one that machine_checks.py derives")
    func derivedAlikeOnBothSides() {
        let needle = Needle(seed: Self.seed, index: 2)
        let expected = Array("Dyk3UXUZ-57_vKAuc2kW1ffJAqsDVrGBjLPSv0N7".utf8)
        var plain = [UInt8](repeating: 0, count: needle.count)
        plain.withUnsafeMutableBytes { needle.unmask(into: $0.baseAddress!) }
        #expect(plain == expected)
    }

    @Test("a needle is found whole and in parts, and not where it is not")
    func occurrences() {
        let needle = Needle(seed: Self.seed, index: 3)
        let other = Needle(seed: Self.seed, index: 4)
        var page = [UInt8](repeating: 0x41, count: 4096)
        #expect(page.withUnsafeBytes { needle.occurrences(in: $0) } == 0)
        page.withUnsafeMutableBytes { needle.unmask(into: $0.baseAddress! + 1001) }
        #expect(page.withUnsafeBytes { needle.occurrences(in: $0) } == needle.count / 8)
        #expect(page.withUnsafeBytes { other.occurrences(in: $0) } == 0)
        let part = Array(page[1001 + 8..<1001 + 16])
        #expect(part.withUnsafeBytes { needle.occurrences(in: $0) } == 1)
    }

    @Test("a needle is kept masked, and one that is found by chance is refused")
    func masked() {
        let plain = Array("0123456789".utf8)
        let needle = plain.withUnsafeBytes { Needle(masking: $0) }
        #expect(plain.withUnsafeBytes { needle?.occurrences(in: $0) } == 1)
        #expect(plain.prefix(7).withUnsafeBytes { Needle(masking: $0) } == nil)
    }

    @Test("a report is one line of JSON whatever its text holds")
    func jsonLine() {
        let report = AttackReport(
            .memory, .refused, errorNumber: EIO, detail: "a \"quote\", a \\ and\na break")
        #expect(
            report.jsonLine == #"{"vector":"mem","outcome":"refused","errno":5,"bytes":0,"#
                + #""detail":"a \"quote\", a \\ and a break"}"#)
    }

    @Test("a process's own memory file shows an ordinary page; secret memory it shows not")
    func ownMemory() throws {
        let needle = Needle(seed: Self.seed, index: 5)
        let page = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { page.deallocate() }
        needle.unmask(into: page)
        let control = Attack(pid: getpid(), needle: needle, range: range(of: page, count: 4096))
        #expect(control.run(.memory).outcome == .leaked)

        let hidden = Needle(seed: Self.seed, index: 6)
        var buffer = try SecretBuffer(capacity: 1024)
        var place = 0..<UInt64(1)
        buffer.fill { rest in
            hidden.unmask(into: rest.baseAddress!)
            place = range(of: rest.baseAddress!, count: 1024)
            return hidden.count
        }
        let seen = Attack(pid: getpid(), needle: hidden, range: place).run(.memory)
        if buffer.tier == .secret {
            #expect(seen.outcome == .refused && seen.errorNumber == EIO)
        } else {
            #expect(seen.outcome == .leaked, "tier \(buffer.tier.name) hides nothing")
        }
        #expect(buffer.count == hidden.count)
    }

    @Test("a value in a process's environment is found there, one that is not is absent")
    func environment() throws {
        let needle = Needle(seed: Self.seed, index: 7)
        var plain = [UInt8](repeating: 0, count: needle.count)
        plain.withUnsafeMutableBytes { needle.unmask(into: $0.baseAddress!) }
        let entry = strdup("CANARY=" + String(decoding: plain, as: UTF8.self))
        let program = strdup("sleep")
        let seconds = strdup("60")
        defer { for text in [entry, program, seconds] { free(text) } }
        var child: pid_t = 0
        var arguments = [program, seconds, nil]
        var variables = [entry, nil]
        try #require(posix_spawn(&child, "/bin/sleep", nil, nil, &arguments, &variables) == 0)
        defer {
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
        }
        // posix_spawn(3) returns when the child has left our memory, a moment before the kernel has
        // set up the new image's environment.
        while TargetProcess.text("/proc/\(child)/environ")?.isEmpty ?? true { sched_yield() }
        #expect(Attack(pid: child, needle: needle).run(.environ).outcome == .leaked)
        let other = Needle(seed: Self.seed, index: 8)
        #expect(Attack(pid: child, needle: other).run(.environ).outcome == .absent)
    }

    @Test("an attack on a process that is not there is unavailable")
    func noProcess() {
        let attack = Attack(pid: pid_t.max, needle: Needle(seed: Self.seed, index: 9))
        for vector in [AttackVector.environ, .memory, .processVMReadv, .ptracePeek, .coreDump] {
            #expect(attack.run(vector).outcome == .unavailable, "\(vector)")
        }
    }

    @Test("from inside: what leaks here leaks by a copy, and a secret is not found by chance")
    func insideAttacks() {
        let value = Array("0123456789abcdefghijABCDEFGHIJ".utf8)
        value.withUnsafeBytes { secret in
            let attack = InsideAttack(secret: secret)
            // Channels that no filter of a test host closes.
            for vector in [InsideVector.fileWrite, .streamSend, .sharedMemory, .ownMemory] {
                #expect(attack.run(vector).outcome == .leaked, "\(vector.rawValue)")
            }
            let short = InsideAttack(secret: UnsafeRawBufferPointer(rebasing: secret.prefix(4)))
            #expect(short.run(.fileWrite).outcome == .absent)
        }
    }
}
