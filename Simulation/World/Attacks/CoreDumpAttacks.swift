// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Forces a core by a signal and leaves limits and pattern as they are.
package struct SignalForCore: SimulatedAttack {
    package static let id = "AV-043"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(from: try kernel.bytes(.killForCore(scene.target), by: scene.attacker))
    }
}

/// Widens the dump, lifts the limit, forces a core.
package struct CoreDumpFilter: SimulatedAttack {
    package static let id = "AV-049"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let file = try kernel.descriptor(
            .openProcessFile(.coreDumpFilter, of: scene.target, through: .plain, writing: true),
            by: scene.attacker)
        _ = try kernel.attempt(.write(file, at: 0, Array("0xff".utf8)), by: scene.attacker)
        _ = try kernel.attempt(.raiseCoreLimit(scene.target), by: scene.attacker)
        return scene.gain(from: try kernel.bytes(.killForCore(scene.target), by: scene.attacker))
    }
}

/// Lifts the limit, names a file for the core, forces it.
package struct CoreToFile: SimulatedAttack {
    package static let id = "AV-051"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.raiseCoreLimit(scene.target), by: scene.attacker)
        try writeCorePattern("/tmp/core", scene, on: &kernel)
        return scene.gain(from: try kernel.bytes(.killForCore(scene.target), by: scene.attacker))
    }
}

/// Has the core piped to a program: no limit stops that.
package struct CoreToPipe: SimulatedAttack {
    package static let id = "AV-052"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try writeCorePattern("|/tmp/take", scene, on: &kernel)
        return scene.gain(from: try kernel.bytes(.killForCore(scene.target), by: scene.attacker))
    }
}

/// Changes where cores go.
package struct CorePattern: SimulatedAttack {
    package static let id = "AV-054"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try writeCorePattern("/tmp/core", scene, on: &kernel)
        return .setting
    }
}

/// Lifts RLIMIT_CORE of the target.
package struct CoreLimit: SimulatedAttack {
    package static let id = "AV-056"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.raiseCoreLimit(scene.target), by: scene.attacker)
        return .setting
    }
}

private func writeCorePattern(
    _ text: String, _ scene: AttackScene, on kernel: inout some Kernel
) throws(KernelFailure) {
    let file = try kernel.descriptor(
        .openKernelFile(.corePattern, writing: true), by: scene.attacker)
    _ = try kernel.attempt(.write(file, at: 0, Array(text.utf8)), by: scene.attacker)
}
