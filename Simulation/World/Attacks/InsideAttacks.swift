// SPDX-License-Identifier: Apache-2.0
package import Ports

/// A task with the same memory and another process number.
package struct SharedMemoryTask: InsideAttack {
    package static let id = "AV-023"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let child = try kernel.child(.cloneSharingMemory, by: scene.attacker)
        return try kernel.search(scene, of: child, by: child) { .load($0) }
    }
}

/// Registers memory for faults, to change it while a program looks.
package struct UserFault: InsideAttack {
    package static let id = "AV-035"
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        kernel.features.userfaultfd ? nil : "userfaultfd does not exist"
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        var refusal = KernelFailure.invalidArgument
        for region in try kernel.regions(of: scene.target) where region.kind != .program {
            do throws(KernelFailure) {
                _ = try kernel.attempt(.registerUserFault(region.range), by: scene.attacker)
                return .setting
            } catch {
                refusal = error
            }
        }
        throw refusal
    }
}

/// Code in the application reads what the application may read.
package struct MaliciousDependency: InsideAttack {
    package static let id = "AV-120"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        try kernel.search(scene) { .load($0) }
    }
}

/// Makes a call by the 32-bit entry, past a filter that knows only the other.
package struct CompatibilityEntry: InsideAttack {
    package static let id = "AV-138"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.compatibilityCall, by: scene.attacker)
        return .control
    }
}
