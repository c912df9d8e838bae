// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import AttackPrograms
import CLinux
@preconcurrency import Glibc
import SecretMemory

/// A place for a needle in a victim's memory.
enum RegionKind: String {
    /// SecretBuffer, in whatever tier the kernel gives.
    case secret
    /// An mlock(2)ed anonymous page, in core dumps: the control.
    case locked
    /// An ordinary anonymous page: the control for swap.
    case plain
    /// memfd_secret(2) with its descriptor left open: the mistake the product avoids.
    case held
    /// memfd_create(2), descriptor open: the control for descriptors.
    case memfd
}

/// The program the attacks are aimed at: `/init victim SEED KIND:NEEDLE…`. Prints one line per
/// region (`KIND ADDRESS TIER`), `ready`, then obeys one word per line on standard input.
enum VictimProgram {
    static func run(_ arguments: [String]) -> Never {
        guard let seed = arguments.first.flatMap({ UInt64($0, radix: 16) }) else { exit(64) }
        var secret: SecretBuffer?
        var plainPages: [UnsafeMutableRawPointer] = []
        for argument in arguments.dropFirst() {
            let parts = argument.split(separator: ":")
            guard parts.count == 2, let kind = RegionKind(rawValue: String(parts[0])),
                let index = UInt64(parts[1])
            else { exit(64) }
            let needle = Needle(seed: seed, index: index)
            if kind == .secret {
                secret = makeSecret(needle)
            } else {
                let page = makePage(kind, needle)
                if kind == .plain { plainPages.append(page) }
            }
        }
        print("ready")
        fflush(stdout)
        while let command = readLine() {
            switch command {
            case "write":
                print(secret?.withBytes { $0.withUnsafeBytes { send($0, splicing: false) } } ?? -1)
            case "vmsplice":
                print(secret?.withBytes { $0.withUnsafeBytes { send($0, splicing: true) } } ?? -1)
            case "pageout":
                for page in plainPages { clinux_page_out(page, pageBytes) }
                print(0)
            case "register":
                print(RegistrantProgram.say(Registration.request, to: AgentSuite.socketPath))
            case "exit":
                secret = nil
                exit(0)
            default: print(-1)
            }
            fflush(stdout)
        }
        exit(0)
    }

    static let pipePath = "/tmp/victim-pipe"
    private static let pageBytes = 4096

    private static func makeSecret(_ needle: Needle) -> SecretBuffer? {
        do throws(SecretMemoryFailure) {
            var buffer = try SecretBuffer(capacity: pageBytes / 2)
            var address: UInt = 0
            buffer.fill { rest in
                address = UInt(bitPattern: rest.baseAddress)
                if let base = rest.baseAddress { needle.unmask(into: base) }
                return needle.count
            }
            print("secret \(String(address, radix: 16)) \(buffer.tier.name)")
            return buffer
        } catch {
            print("secret 0 \(error)")
            return nil
        }
    }

    private static func makePage(
        _ kind: RegionKind, _ needle: Needle
    ) -> UnsafeMutableRawPointer {
        var descriptor: Int32 = -1
        if kind == .held { descriptor = clinux_memfd_secret(0) }
        if kind == .memfd { descriptor = clinux_memfd_create("control") }
        var flags = MAP_PRIVATE | MAP_ANONYMOUS
        if descriptor >= 0 {
            ftruncate(descriptor, pageBytes)
            flags = MAP_SHARED
        }
        guard let page = mmap(nil, pageBytes, PROT_READ | PROT_WRITE, flags, descriptor, 0),
            page != MAP_FAILED
        else { exit(70) }
        needle.unmask(into: page)
        if kind == .locked { mlock(page, pageBytes) }
        let tier = kind == .held && descriptor < 0 ? "ordinary" : kind.rawValue
        print("\(kind.rawValue) \(String(UInt(bitPattern: page), radix: 16)) \(tier)")
        return page
    }

    /// Sends the bytes into the pipe at `pipePath`: by write(2), which copies them through the
    /// process's own mapping, or by vmsplice(2), which takes the page itself.
    private static func send(_ bytes: UnsafeRawBufferPointer, splicing: Bool) -> Int {
        let pipe = open(pipePath, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        guard pipe >= 0 else { return -Int(errno) }
        defer { close(pipe) }
        if splicing { return Int(clinux_vmsplice(pipe, bytes.baseAddress, bytes.count)) }
        return write(pipe, bytes.baseAddress, bytes.count)
    }
}

/// A running victim, held by its pipes.
struct Victim {
    let process: ChildProcess
    let seed: UInt64
    /// Region address and tier by kind.
    let regions: [RegionKind: (address: UInt64, tier: String)]

    static let regionBytes: UInt64 = 4096 / 2

    /// Starts `/init victim`; `environment` is one more needle handed over the classic way.
    init?(seed: UInt64, _ layout: [(RegionKind, UInt64)], environment: UInt64? = nil) {
        let words =
            ["victim", String(seed, radix: 16)] + layout.map { "\($0.0.rawValue):\($0.1)" }
        let extra = environment.map { ("CANARY", Needle(seed: seed, index: $0)) }
        guard let child = ChildProcess(words, secretVariable: extra) else { return nil }
        process = child
        self.seed = seed
        var found: [RegionKind: (UInt64, String)] = [:]
        while let line = child.readLine(), line != "ready" {
            let parts = line.split(separator: " ", maxSplits: 2)
            if parts.count == 3, let kind = RegionKind(rawValue: String(parts[0])),
                let address = UInt64(parts[1], radix: 16)
            {
                found[kind] = (address, String(parts[2]))
            }
        }
        regions = found
        guard found.count == Set(layout.map(\.0)).count else { return nil }
    }

    var pid: pid_t { process.pid }
    var tier: String { regions[.secret]?.tier ?? "none" }

    /// An attack on the victim's region of `kind`, looking for needle `index`.
    func attack(_ vector: AttackVector, on kind: RegionKind?, needle index: UInt64) -> AttackReport
    {
        let range = kind.flatMap { regions[$0] }.map { $0.address..<$0.address + Self.regionBytes }
        let needle = Needle(seed: seed, index: index)
        return Attack(pid: pid, needle: needle, range: range).run(vector)
    }

    /// Sends a command word; the victim's answer.
    func command(_ word: String) -> String? {
        process.send(word)
        return process.readLine()
    }

    /// Lets the victim release its memory in order and reaps it.
    func end() {
        process.send("exit")
        process.reap()
    }

    /// SIGKILL: the kernel alone cleans up.
    func kill() {
        Glibc.kill(pid, SIGKILL)
        process.reap()
    }
}
