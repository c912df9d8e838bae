// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Attach or seize, then have the victim write out its own memory.
package struct PtraceInjection: SimulatedAttack {
    package static let id = "AV-001"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        do throws(KernelFailure) {
            _ = try kernel.attempt(.trace(scene.target, seizing: false), by: scene.attacker)
        } catch {
            _ = try kernel.attempt(.trace(scene.target, seizing: true), by: scene.attacker)
        }
        return try kernel.search(scene) { .injectWrite(scene.target, $0) }
    }
}

/// Attach, then read words.
package struct PtracePeek: SimulatedAttack {
    package static let id = "AV-002"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.trace(scene.target, seizing: false), by: scene.attacker)
        return try kernel.search(scene) { .peek(scene.target, $0) }
    }
}

/// The target is started by a debugger.
package struct StartUnderDebugger: SimulatedAttack {
    package static let id = "AV-003"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.beTraced(by: scene.attacker), by: scene.target)
        return try kernel.search(scene) { .injectWrite(scene.target, $0) }
    }
}

/// A checkpoint tool: attach, parasite code, and the mappings' files.
package struct Checkpoint: SimulatedAttack {
    package static let id = "AV-038"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.trace(scene.target, seizing: true), by: scene.attacker)
        return try kernel.search(scene) { .injectWrite(scene.target, $0) }
    }
}

/// A debugger's core: seize, then copy the memory file.
package struct DebuggerCore: SimulatedAttack {
    package static let id = "AV-055"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.trace(scene.target, seizing: true), by: scene.attacker)
        return try readMemoryFile(scene, through: .plain, on: &kernel)
    }
}

/// Opens `/proc/PID/mem` and reads every mapping through it.
func readMemoryFile(
    _ scene: AttackScene, through path: ProcessFilePath, on kernel: inout some Kernel
) throws(KernelFailure) -> AttackGain {
    let file = try kernel.descriptor(
        .openProcessFile(.memory, of: scene.target, through: path, writing: false),
        by: scene.attacker)
    return try kernel.search(scene) { .read(file, $0) }
}

/// Opens a file under `/proc/PID` and reads it whole.
func readFile(
    _ file: ProcessFile, _ scene: AttackScene, through path: ProcessFilePath = .plain,
    by caller: ProcessID? = nil, on kernel: inout some Kernel
) throws(KernelFailure) -> [UInt8] {
    let reader = caller ?? scene.attacker
    let number = try kernel.descriptor(
        .openProcessFile(file, of: scene.target, through: path, writing: false), by: reader)
    return try kernel.bytes(.read(number, nil), by: reader)
}
