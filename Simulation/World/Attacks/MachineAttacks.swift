// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Reads the direct map through /proc/kcore.
package struct KernelCore: SimulatedAttack {
    package static let id = "AV-058"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let file = try kernel.descriptor(
            .openKernelFile(.kernelCore, writing: false), by: scene.attacker)
        return scene.gain(from: try kernel.bytes(.read(file, nil), by: scene.attacker))
    }
}

/// Reads RAM through /dev/mem.
package struct PhysicalMemory: SimulatedAttack {
    package static let id = "AV-059"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let file = try kernel.descriptor(
            .openKernelFile(.physicalMemory, writing: false), by: scene.attacker)
        return scene.gain(from: try kernel.bytes(.read(file, nil), by: scene.attacker))
    }
}

/// Loads a module.
package struct ModuleLoad: SimulatedAttack {
    package static let id = "AV-064"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        kernel.features.modules ? nil : "the kernel takes no modules"
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.loadModule, by: scene.attacker)
        return .control
    }
}

/// Replaces kernel functions: a module too.
package struct LivePatch: SimulatedAttack {
    package static let id = "AV-067"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        kernel.features.modules ? nil : "the kernel takes no modules"
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.loadModule, by: scene.attacker)
        return .control
    }
}

/// Loads another kernel from memory.
package struct KernelImageLoad: SimulatedAttack {
    package static let id = "AV-068"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        kernel.features.kexecLoad ? nil : "kexec_load does not exist"
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.loadKernelImage(fromFile: false), by: scene.attacker)
        return .control
    }
}

/// Loads another kernel from a file.
package struct KernelImageFileLoad: SimulatedAttack {
    package static let id = "AV-069"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        kernel.features.kexecFileLoad ? nil : "kexec_file_load does not exist"
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.loadKernelImage(fromFile: true), by: scene.attacker)
        return .control
    }
}

/// Sends the machine to sleep and reads the image.
package struct Hibernation: SimulatedAttack {
    package static let id = "AV-071"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        kernel.features.hibernation ? nil : "hibernation is not compiled in"
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(from: try kernel.bytes(.hibernate, by: scene.attacker))
    }
}

/// Makes memory scarce and reads the swap device.
package struct SwapDevice: SimulatedAttack {
    package static let id = "AV-072"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(from: try kernel.bytes(.readSwap, by: scene.attacker))
    }
}

/// The machine's host takes an image of its memory.
package struct HostImage: SimulatedAttack {
    package static let id = "AV-080"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(from: try kernel.bytes(.readHostImage, by: scene.attacker))
    }
}

/// Looks at the pages of a process that has ended.
package struct FreedPages: SimulatedAttack {
    package static let id = "AV-083"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        _ = try kernel.attempt(.exit, by: scene.target)
        return scene.gain(from: try kernel.bytes(.readFreedPages, by: scene.attacker))
    }
}
