// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// Process 1 of the test guests. In other roles it is the victims the tests start.
enum Guest {
    private static let mounts = [
        ("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"),
        ("securityfs", "/sys/kernel/security"), ("bpf", "/sys/fs/bpf"), ("tmpfs", "/tmp"),
    ]

    static func boot() {
        for (type, target) in mounts {
            mkdir(target, 0o755)
            _ = clinux_mount(type, target, type)
        }
        let console = open("/dev/console", O_RDWR)
        if console >= 0 {
            for number in 0..<Int32(3) { dup2(console, number) }
            if console > 2 { close(console) }
        }
        _ = clinux_loopback_up()
    }

    /// Value of `name=` on the kernel command line, or nil.
    static func parameter(_ name: String) -> String? {
        let words = (TargetProcess.text("/proc/cmdline") ?? "").split(separator: " ")
        return words.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    static func run() {
        boot()
        guard let host = Host() else {
            print("guest-init: no second serial port")
            return
        }
        host.console("guest-init: started")
        host.send([("type", .text("started"))])
        guard let seed = parameter("ct.seed").flatMap({ UInt64($0, radix: 16) }) else {
            return host.console("guest-init: ct.seed is missing on the kernel command line")
        }
        if CrashSuite.isCrashKernel { return CrashSuite(host: host, seed: seed).judgeDump() }
        let profile = KernelProfile()
        profile.report(to: host)
        let memory = MemorySuite(host: host, seed: seed, profile: profile)
        let machine = MachineSuite(host: host, seed: seed, profile: profile)
        let wrapper = WrapperSuite(host: host, seed: seed, profile: profile)
        let vectors = VectorSuite(host: host, seed: seed, profile: profile)
        let enforcement = EnforcementSuite(host: host, seed: seed, profile: profile)
        let agent = AgentSuite(host: host, lettingReadersPass: profile.perfmonReads)
        let budget = BudgetSuite(host: host, seed: seed, profile: profile)
        for suite in (parameter("ct.suites") ?? "").split(separator: ",") {
            host.console("suite \(suite)")
            switch suite {
            case "tier": memory.tierOnly()
            case "hibernation": machine.hibernation()
            case "images": machine.images()
            case "memory": memory.run()
            case "core": machine.coreDump()
            case "wrapper": wrapper.run()
            case "budget": budget.run()
            case "copies": wrapper.copies()
            case "vectors": vectors.run()
            case "enforcement": enforcement.run()
            case "paths": PathSuite(host: host, seed: seed, profile: profile).run()
            case "agent": agent.run(hasSecretMemory: profile.hasSecretMemory, seed: seed)
            case "replacement": agent.replaced(seed: seed)
            case "leaks": LeakSuite(host: host, seed: seed, profile: profile).run()
            case "neighbours": NeighbourSuite(host: host).run()
            case "neighbours-denied": NeighbourSuite(host: host).run(denyingAll: true)
            case "calls": CallSuite(host: host, seed: seed).run()
            case "signal":
                SignalSuite(
                    host: host, seed: seed, hasSecretMemory: profile.hasSecretMemory
                ).run()
            case "filters": CallFilters(host: host, seed: seed).run()
            case "guard": GuardSuite(host: host, seed: seed).run()
            case "interruption":
                InterruptionSuite(host: host, hasBPFLSM: profile.hasBPFLSM).run()
            case "module": ModuleSuite(host: host, seed: seed).run()
            case CrashSuite.name: CrashSuite(host: host, seed: seed).run()
            case "costs": CostSuite(host: host).run()
            case "demo": wrapper.demonstration()
            case "swap": machine.swap()
            default: host.console("guest-init: unknown suite \(suite)")
            }
            host.send([("type", .text("suite")), ("name", .text(String(suite)))])
        }
        host.send([("type", .text("finished"))])
    }
}

// A container's first process is a registrant; the kernel hands its own words to the machine's.
if getpid() == 1, CommandLine.arguments.dropFirst().first != "registrant" {
    Guest.run()
    let failure = clinux_power_off()
    print("guest-init: power off: \(SystemError.name(of: -failure))")
    while true { pause() }
}
if CommandLine.arguments.first == ModprobeProgram.path { ModprobeProgram.run() }
switch CommandLine.arguments.dropFirst().first {
case "hostage": HostageProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "attacker": AttackerProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "courier": CourierProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "take-core": CoreTakerProgram.run()
case "victim": VictimProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "vault": VaultProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "registrant": RegistrantProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "leaker": LeakProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "reader": ReaderProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "flooder": FlooderProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "pressure": PressureProgram.run()
case "probe-wait": WaitProbe.run()
case "probe-seccomp": SeccompProbe.run()
case "limited": LimitedProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "eater": EaterProgram.run()
case "family": FamilyProgram.run(Array(CommandLine.arguments.dropFirst(2)))
case "costs": CostProgram.run()
default:
    fputs("guest-init: process 1 of the VM tests; see docs/reference/vm-tests.md\n", stderr)
    exit(64)
}
