// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// `/init limited UID BYTES ERRORS PROGRAM ARGUMENTS...`: executes a program as an ordinary user
/// who may lock BYTES of memory, in a process group of its own; its standard error goes to the
/// file ERRORS.
enum LimitedProgram {
    /// RLIMIT_MEMLOCK (asm-generic/resource.h).
    private static let lockedMemory = __rlimit_resource_t(8)

    static func run(_ arguments: [String]) -> Never {
        guard arguments.count >= 4, let user = UInt32(arguments[0]),
            let bytes = UInt(arguments[1])
        else { exit(64) }
        let errors = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
        guard errors >= 0, dup2(errors, 2) == 2, setpgid(0, 0) == 0,
            setrlimit(lockedMemory, &limit) == 0,
            setgroups(0, nil) == 0, setgid(user) == 0, setuid(user) == 0
        else { exit(71) }
        var words = arguments.dropFirst(3).map { strdup($0) } + [nil]
        execv(arguments[3], &words)
        exit(127)
    }
}

/// `/init eater`: takes secret memory page by page until it is refused, prints how many pages
/// that were and the errno, and keeps them.
enum EaterProgram {
    private static let pageBytes = 4096
    /// More than the limit allows; keeps a machine without limits from being eaten up.
    private static let pagesMax = 256

    static func run() -> Never {
        var pages = 0
        var refusal: Int32 = 0
        while pages < pagesMax {
            refusal = takePage()
            guard refusal == 0 else { break }
            pages += 1
        }
        print("\(pages) \(refusal)")
        fflush(stdout)
        while true { pause() }
    }

    /// 0, or the errno of the call that refused.
    private static func takePage() -> Int32 {
        let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
        guard descriptor >= 0 else { return -descriptor }
        defer { close(descriptor) }
        guard ftruncate(descriptor, off_t(pageBytes)) == 0 else { return errno }
        let page = mmap(nil, pageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let page, page != MAP_FAILED else { return errno }
        return -clinux_touch_pages(page, pageBytes)
    }
}

/// `/init family COUNT NAME`: says `family`, and at the first line of its input starts COUNT
/// demo-applications at once. Each of them prints its own line, or this program prints how it
/// ended instead.
enum FamilyProgram {
    static func run(_ arguments: [String]) -> Never {
        guard arguments.count == 2, let count = Int(arguments[0]) else { exit(64) }
        say("family")
        _ = readLine()
        for _ in 0..<count { start(name: arguments[1]) }
        var status: Int32 = 0
        while wait(&status) > 0 || errno == EINTR {
            say(status & 0x7F == 0 ? "exited \(status >> 8 & 0xFF)" : "killed \(status & 0x7F)")
        }
        while true { pause() }
    }

    private static func start(name: String) {
        var words: [UnsafeMutablePointer<CChar>?] =
            [strdup(Application.programPath), strdup(name), nil]
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        let result = posix_spawn(
            &child, Application.programPath, nil, nil, &words, clinux_environment())
        if result != 0 { say("refused \(result)") }
    }

    private static func say(_ line: String) {
        print(line)
        fflush(stdout)
    }
}
