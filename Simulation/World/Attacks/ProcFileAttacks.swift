// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Reads /proc/PID/environ.
package struct EnvironmentFile: SimulatedAttack {
    package static let id = "AV-044"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(from: try readFile(.environment, scene, on: &kernel))
    }
}

/// Reads /proc/PID/cmdline.
package struct CommandLineFile: SimulatedAttack {
    package static let id = "AV-045"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        scene.gain(from: try readFile(.commandLine, scene, on: &kernel))
    }
}

/// Reads maps, auxv, smaps and pagemap.
package struct LayoutFiles: SimulatedAttack {
    package static let id = "AV-046"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let shown = try readFile(.layout, scene, on: &kernel)
        return scene.isLeak(shown) ? .secret : .information
    }
}

/// Reads stack, syscall and wchan.
package struct ActivityFiles: SimulatedAttack {
    package static let id = "AV-047"
    package init() {}

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let shown = try readFile(.activity, scene, on: &kernel)
        return scene.isLeak(shown) ? .secret : .information
    }
}
