// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Samples the target's stack and registers.
package struct SampledStack: SimulatedAttack {
    package static let id = "AV-025"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(
            from: try kernel.bytes(
                .openCounter(.stackAndRegisters, of: scene.target, seeing: scene.target),
                by: scene.attacker))
    }
}

/// Samples whatever runs, on all processors.
package struct SampledProcessors: SimulatedAttack {
    package static let id = "AV-026"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(
            from: try kernel.bytes(
                .openCounter(.stackAndRegisters, of: nil, seeing: scene.target), by: scene.attacker)
        )
    }
}

/// Stops at each use of the secret's address and looks at the registers.
package struct HardwareBreakpoint: SimulatedAttack {
    package static let id = "AV-027"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(
            from: try kernel.bytes(
                .openCounter(.breakpoint, of: scene.target, seeing: scene.target),
                by: scene.attacker))
    }
}

/// A user-space probe through perf.
package struct CounterProbe: SimulatedAttack {
    package static let id = "AV-028"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(
            from: try kernel.bytes(
                .openCounter(.probe, of: scene.target, seeing: scene.target), by: scene.attacker))
    }
}

/// A user-space probe with fetch arguments through tracefs.
package struct TraceUserProbe: SimulatedAttack {
    package static let id = "AV-029"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try kernel.search(scene) { .traceProbe(.uprobeEvents, against: scene.target, $0) }
    }
}

/// A kernel probe whose fetch arguments read user memory.
package struct TraceKernelProbe: SimulatedAttack {
    package static let id = "AV-030"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try kernel.search(scene) { .traceProbe(.kprobeEvents, against: scene.target, $0) }
    }
}

/// A BPF program that reads user memory where the victim runs.
package struct ProgramReadsUser: SimulatedAttack {
    package static let id = "AV-031"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try kernel.search(scene) { .loadProgram(.readsUserMemory, against: scene.target, $0) }
    }
}

/// A BPF program that copies from another task.
package struct ProgramCopiesFromTask: SimulatedAttack {
    package static let id = "AV-032"
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        kernel.features.copyFromUserTask ? nil : "the helper does not exist"
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try kernel.search(scene) { .loadProgram(.copiesFromTask, against: scene.target, $0) }
    }
}

/// A BPF program that changes what the victim reads from its own memory.
package struct ProgramWritesUser: SimulatedAttack {
    package static let id = "AV-033"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(
            .loadProgram(.writesUserMemory, against: scene.target, 0..<0), by: scene.attacker)
        return .control
    }
}

/// A BPF program that was loaded before anything guarded.
package struct EarlierProgram: SimulatedAttack {
    package static let id = "AV-034"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try kernel.search(scene) { .useEarlierProgram(.readsUserMemory, against: scene.target, $0) }
    }
}

/// A BPF program that reads the kernel's direct map.
package struct ProgramReadsKernel: SimulatedAttack {
    package static let id = "AV-076"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try kernel.search(scene) { .loadProgram(.readsKernelMemory, against: scene.target, $0) }
    }
}
