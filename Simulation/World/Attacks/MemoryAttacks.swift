// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Reads through /proc/PID/mem.
package struct MemoryFileRead: SimulatedAttack {
    package static let id = "AV-004"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try readMemoryFile(scene, through: .plain, on: &kernel)
    }
}

/// Writes code through /proc/PID/mem, or a return address where code cannot be changed.
package struct MemoryFileWrite: SimulatedAttack {
    package static let id = "AV-005"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let file = try kernel.descriptor(
            .openProcessFile(.memory, of: scene.target, through: .plain, writing: true),
            by: scene.attacker)
        return try overwrite(scene, on: &kernel) { .write(file, at: $0, [0xCC]) }
    }
}

/// Writes with process_vm_writev, which changes what the target may write itself.
package struct ProcessVMWrite: SimulatedAttack {
    package static let id = "AV-009"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try overwrite(scene, on: &kernel) { .writeMemory(scene.target, at: $0, [0xCC]) }
    }
}

/// Code first, then the stack: who writes either decides what the target does next.
private func overwrite(
    _ scene: AttackScene, on kernel: inout some Kernel, with call: (UInt64) -> SystemCall
) throws(KernelFailure) -> AttackGain {
    var refusal = KernelFailure.badAddress
    let regions = try kernel.regions(of: scene.target)
    for kind in [MemoryKind.program, .stack] {
        for region in regions where region.kind == kind {
            do throws(KernelFailure) {
                _ = try kernel.attempt(call(region.range.lowerBound), by: scene.attacker)
                return .control
            } catch {
                refusal = error
            }
        }
    }
    throw refusal
}

/// The same files by a thread's folder.
package struct TaskFolder: SimulatedAttack {
    package static let id = "AV-006"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try readBoth(scene, through: .task, on: &kernel)
    }
}

/// The same files by another mount of proc.
package struct SecondProcMount: SimulatedAttack {
    package static let id = "AV-007"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try readBoth(scene, through: .secondMount, on: &kernel)
    }
}

/// Environment and memory by an unusual path.
private func readBoth(
    _ scene: AttackScene, through path: ProcessFilePath, on kernel: inout some Kernel
) throws(KernelFailure) -> AttackGain {
    do throws(KernelFailure) {
        let shown = try readFile(.environment, scene, through: path, on: &kernel)
        if scene.isLeak(shown) { return .secret }
    } catch {
        return try readMemoryFile(scene, through: path, on: &kernel)
    }
    return try readMemoryFile(scene, through: path, on: &kernel)
}

/// Reads with process_vm_readv.
package struct ProcessVMRead: SimulatedAttack {
    package static let id = "AV-008"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try kernel.search(scene) { .readMemory(scene.target, $0) }
    }
}

/// Pushes the target's pages to swap and looks there.
package struct RemotePageOut: SimulatedAttack {
    package static let id = "AV-018"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        // The stack first: an attacker who is answered with a signal has one attempt.
        var refusal: KernelFailure?
        let regions = try kernel.regions(of: scene.target)
        for region in regions.filter({ $0.kind == .stack })
            + regions.filter({ $0.kind != .stack })
        {
            do throws(KernelFailure) {
                let found = try kernel.bytes(
                    .pageOut(scene.target, region.range), by: scene.attacker)
                if scene.isLeak(found) { return .secret }
            } catch {
                refusal = refusal ?? error
            }
        }
        if let refusal { throw refusal }
        return .nothing
    }
}

/// Waits for a child of the target and attacks that.
package struct ForkedChild: SimulatedAttack {
    package static let id = "AV-022"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let child = try kernel.child(.fork, by: scene.target)
        _ = try kernel.attempt(.trace(child, seizing: false), by: scene.attacker)
        return try kernel.search(scene, of: child) { .injectWrite(child, $0) }
    }
}

/// Root in another container that sees the process, without the capability to trace it.
package struct NeighbourContainer: SimulatedAttack {
    package static let id = "AV-039"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        do throws(KernelFailure) {
            let shown = try readFile(
                .environment, scene, by: scene.neighbour, on: &kernel)
            if scene.isLeak(shown) { return .secret }
        } catch {
            return try kernel.search(scene, by: scene.neighbour) {
                .readMemory(scene.target, $0)
            }
        }
        return try kernel.search(scene, by: scene.neighbour) { .readMemory(scene.target, $0) }
    }
}

/// Which descriptors of two processes are the same.
package struct CompareDescriptors: SimulatedAttack {
    package static let id = "AV-017"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(
            .compareDescriptors(scene.target, scene.attacker), by: scene.attacker)
        return .information
    }
}
