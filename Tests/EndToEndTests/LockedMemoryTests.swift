// SPDX-License-Identifier: Apache-2.0
import CLinux
import Delivery
import Foundation
import Glibc
import TestKit
import Testing
import VaultListener
import WrapperConfiguration

/// RLIMIT_MEMLOCK, soft and hard, in KiB.
struct LockLimit: Sendable, CustomTestStringConvertible {
    var soft: Int
    var hard: Int

    init(_ soft: Int, _ hard: Int) { (self.soft, self.hard) = (soft, hard) }
    init(_ both: Int) { self.init(both, both) }

    var testDescription: String { "\(soft)/\(hard) KiB" }
}

extension WrapperProgram {
    /// Whether the kernel gives memfd_secret at all.
    static let hasSecretMemory: Bool = {
        let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }()

    /// Whether this test may set any limit up to this one (KiB).
    static func mayLock(_ kibibytes: Int) -> Bool {
        var limit = rlimit()
        guard geteuid() != 0, getrlimit(__rlimit_resource_t(8), &limit) == 0 else { return true }
        return limit.rlim_max / 1024 >= UInt(kibibytes)
    }

    /// Starts the wrapper under a limit that binds: not as root, whom CAP_IPC_LOCK frees of it, but
    /// as a user whose budget nobody else uses.
    func run(under limit: LockLimit, _ words: [String]) throws -> ProgramRun {
        var command = [ProgramRun.path(of: "cloudtaser-wrapper")] + words
        if geteuid() == 0 {
            let user = 2_000_000 + Int.random(in: 0..<1_000_000)
            command =
                ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups"]
                + command
        }
        let bytes = "--memlock=\(limit.soft * 1024):\(limit.hard * 1024)"
        return try ProgramRun(
            path: "/usr/bin/prlimit", [bytes] + command, environment: environment)
    }

    func run(under limit: LockLimit, script: String) throws -> ProgramRun {
        try run(under: limit, ["run", "--", "/bin/sh", "-c", script])
    }
}

@Suite(
    "Under a limit of locked memory the wrapper",
    .enabled(
        if: WrapperProgram.hasSecretMemory && WrapperProgram.mayLock(8192),
        "needs memfd_secret and a hard limit of 8 MiB"))
struct LockedMemoryTests {
    private static func wrapper(
        tier: String?, delivery: String, vault: String = ""
    ) throws -> WrapperProgram {
        let wrapper = try WrapperProgram(vault)
        wrapper.environment["CLOUDTASER_MINIMUM_TIER"] = tier
        wrapper.environment["CLOUDTASER_DELIVERY"] = delivery
        // The vault's folder is its user's.
        let authority = try String(contentsOfFile: wrapper.vault.authorityFile, encoding: .utf8)
        wrapper.environment["VAULT_CACERT"] = try wrapper.write("authority.pem", authority)
        // From a file: a credential in the environment is in secret memory before anything else.
        wrapper.environment["VAULT_TOKEN"] = nil
        wrapper.environment["VAULT_TOKEN_FILE"] = try wrapper.write("token", "t")
        return wrapper
    }

    private static let limits = """
        echo $(ulimit -S -l) $(ulimit -H -l)
        sed -n 's/^Max locked memory *//p' /proc/$PPID/limits
        """

    /// The values' page comes on top of what the program may lock itself; under `attached` a
    /// forked child holds two for a moment.
    @Test(arguments: [("environ", 0), ("file", 4), ("splice", 8)])
    func `raises its own soft limit and leaves the program the one it had`(
        _ delivery: String, _ share: Int
    ) throws {
        let run = try Self.wrapper(tier: nil, delivery: delivery)
            .run(under: LockLimit(64, 8192), script: Self.limits)
        let lines = run.output.split(separator: "\n")
        #expect(lines.first == "\(64 + share) 8192", "\(run)")
        #expect(lines.last?.hasPrefix("8388608 ") == true, "\(run)")
    }

    @Test func `leaves the program a limit that is as high as it may be`() throws {
        let run = try Self.wrapper(tier: nil, delivery: "splice")
            .run(under: LockLimit(64), script: Self.limits)
        #expect(run.output.hasPrefix("64 64\n"), "\(run)")
    }

    @Test func `takes the credential to secret memory when only the hard limit allows it`() throws {
        let wrapper = try Self.wrapper(tier: nil, delivery: "splice")
        wrapper.environment["VAULT_TOKEN_FILE"] = nil
        wrapper.environment["VAULT_TOKEN"] = "t"
        let run = try wrapper.run(
            under: LockLimit(0, 8192), script: "echo $DB_PASSWORD; sh -c 'echo $DB_PASSWORD'")
        #expect(run.output == "hunter2-äöü\nhunter2-äöü\n" && run.errors.isEmpty, "\(run)")
    }

    @Test func `works within 64 KiB and has nothing to say`() throws {
        let run = try Self.wrapper(tier: nil, delivery: "splice")
            .run(under: LockLimit(64), script: "echo $DB_PASSWORD; sh -c 'echo $DB_PASSWORD'")
        #expect(run.output == "hunter2-äöü\nhunter2-äöü\n" && run.errors.isEmpty, "\(run)")
    }

    /// 44 KiB are the arena's size to the byte, 4 KiB one page of values.
    @Test(arguments: [("splice", 44), ("splice", 12), ("environ", 4)])
    func `gives secret memory to the values before the exchange gets any`(
        _ delivery: String, _ kibibytes: Int
    ) throws {
        let run = try Self.wrapper(tier: "ordinary", delivery: delivery)
            .run(under: LockLimit(kibibytes), script: "echo $DB_PASSWORD")
        #expect(run.output == "hunter2-äöü\n", "\(run)")
        #expect(run.errors.contains("ordinary memory holds the vault exchange"), "\(run)")
        #expect(!run.errors.contains("holds the values"), "\(run)")
    }

    @Test func `says that the values are in ordinary memory where there is no other`() throws {
        let run = try Self.wrapper(tier: "ordinary", delivery: "environ")
            .run(under: LockLimit(0), script: "echo $DB_PASSWORD")
        #expect(run.output == "hunter2-äöü\n", "\(run)")
        #expect(run.errors.contains("ordinary memory holds the values"), "\(run)")
    }

    @Test func `says so too when the values outgrow what may be locked`() throws {
        let wrapper = try Self.wrapper(
            tier: "ordinary", delivery: "environ", vault: "filled secret big long 20000")
        wrapper.environment["CLOUDTASER_SECRET_PATHS"] = "secret/big"
        wrapper.environment["CLOUDTASER_ENV_MAP"] = "long=LONG"
        let run = try wrapper.run(under: LockLimit(16), script: "echo ${#LONG}")
        #expect(run.output == "20000\n", "\(run)")
        #expect(run.errors.contains("ordinary memory holds the values"), "\(run)")
        let ample = try wrapper.run(under: LockLimit(8192), script: "echo ${#LONG}")
        #expect(!ample.errors.contains("ordinary memory"), "\(ample)")
    }

    /// One byte below what the arena, the page of values and the two pages of a start take; and one
    /// byte below the page of values.
    @Test(arguments: [(56, 45056), (4, 4096)])
    func `refuses what the policy forbids: bytes needed, bytes allowed and the remedy`(
        _ enough: Int, _ needed: Int
    ) throws {
        let wrapper = try Self.wrapper(tier: nil, delivery: "splice")
        let run = try wrapper.run(under: LockLimit(enough - 1), script: "echo ran")
        let exit = WrapperExit.secretMemoryUnavailable
        #expect(run.status == exit.rawValue && run.output.isEmpty, "\(run)")
        #expect(run.errors.contains("\(needed) bytes of memfd_secret memory"), "\(run)")
        let allowed = (enough - 1) * 1024
        #expect(run.errors.contains("RLIMIT_MEMLOCK allows \(allowed) bytes"), "\(run)")
        #expect(run.errors.contains(exit.remedy), "\(run)")
    }

    @Test func `refuses to splice before the vault is asked where a start has no room`() throws {
        let wrapper = try Self.wrapper(tier: "ordinary", delivery: "splice")
        wrapper.environment["VAULT_ADDR"] = "https://127.0.0.1:1"
        let run = try wrapper.run(under: LockLimit(11), script: "echo ran")
        #expect(run.status == WrapperExit.secretMemoryUnavailable.rawValue, "\(run)")
        #expect(run.errors.contains("8192 bytes of memfd_secret memory"), "\(run)")
        #expect(run.errors.contains("RLIMIT_MEMLOCK allows 11264 bytes"), "\(run)")
        // Control: with the room, the vault is asked.
        let asked = try wrapper.run(under: LockLimit(12), script: "echo ran")
        #expect(asked.status == WrapperExit.vaultUnreachable.rawValue, "\(asked)")
    }

    /// A login that is kept holds the arena, the token and the answer's page as long as the program
    /// runs.
    @Test func `keeps a login within 64 KiB and still has room for the program`() throws {
        let wrapper = try Self.wrapper(tier: nil, delivery: "splice")
        wrapper.environment["CLOUDTASER_ROTATION"] = "signal:SIGHUP"
        let script = "echo $DB_PASSWORD; sh -c 'echo $DB_PASSWORD'"
        let run = try wrapper.run(under: LockLimit(64), script: script)
        #expect(run.output == "hunter2-äöü\nhunter2-äöü\n" && run.errors.isEmpty, "\(run)")
    }

    /// A credential from the environment, kept for the next login, is one page more.
    @Test func `needs 68 KiB when it also keeps a credential, and says so below`() throws {
        let wrapper = try Self.wrapper(tier: nil, delivery: "splice", vault: "approle r sid")
        wrapper.environment["VAULT_TOKEN_FILE"] = nil
        wrapper.environment["VAULT_AUTH_METHOD"] = "approle"
        wrapper.environment["VAULT_AUTH_ROLE"] = "r"
        wrapper.environment["VAULT_SECRET_ID"] = "sid"
        wrapper.environment["CLOUDTASER_ROTATION"] = "signal:SIGHUP"
        let run = try wrapper.run(under: LockLimit(68), script: "echo $DB_PASSWORD")
        #expect(run.output == "hunter2-äöü\n" && run.errors.isEmpty, "\(run)")
        let below = try wrapper.run(under: LockLimit(67), script: "echo $DB_PASSWORD")
        let exit = WrapperExit.secretMemoryUnavailable
        #expect(below.status == exit.rawValue && below.output.isEmpty, "\(below)")
        #expect(below.errors.contains("RLIMIT_MEMLOCK allows 68608 bytes"), "\(below)")
    }

    @Test(arguments: FollowStrategy.allCases.filter { $0 != .none })
    func `ends a process that cannot get its values, and says why`(
        _ follow: FollowStrategy
    ) throws {
        let wrapper = try Self.wrapper(tier: nil, delivery: "splice")
        wrapper.environment["CLOUDTASER_FOLLOW"] = follow.rawValue
        // The shell gives its budget up; what it starts has none.
        let script = """
            sh -c 'echo "$DB_PASSWORD"'; ulimit -S -l 0; sh -c 'echo ran'; echo "ended $?"
            """
        let run = try wrapper.run(under: LockLimit(64), script: script)
        #expect(run.output == "hunter2-äöü\nended 137\n", "\(run)")
        let message = /delivery to process \d+ failed at step (fork-)?map-region \(errno 11, .*/
        #expect(run.errors.contains(message), "\(run)")
        #expect(run.errors.contains("RLIMIT_MEMLOCK is used up"), "\(run)")
    }
}
