// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Takes the secret's descriptor with pidfd_getfd and maps it; every number up to a bound is
/// tried, for a closed descriptor answers too.
package struct DescriptorTheft: SimulatedAttack {
    package static let id = "AV-010"
    package init() {}

    private static let numbersMax: Int32 = 16

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        var refusal = KernelFailure.badDescriptor
        for number in 0..<Self.numbersMax {
            do throws(KernelFailure) {
                let copy = try kernel.descriptor(
                    .takeDescriptor(scene.target, number), by: scene.attacker)
                let shown = try kernel.bytes(.mapAndRead(copy), by: scene.attacker)
                if scene.isLeak(shown) { return .secret }
            } catch {
                refusal = error
            }
        }
        throw refusal
    }
}

/// Takes a socket or pipe and speaks in the application's place.
package struct ConnectionTheft: SimulatedAttack {
    package static let id = "AV-011"
    package static let targets = [AttackTarget.application]
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        let others = kernel.record(scene.target)?.otherDescriptors ?? []
        return others.isEmpty ? "it has no connection" : nil
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        for number in kernel.record(scene.target)?.otherDescriptors ?? [] {
            _ = try kernel.attempt(.takeDescriptor(scene.target, number), by: scene.attacker)
            return .control
        }
        return .nothing
    }
}

private let noOpenDescriptor = "no descriptor of secret memory is open"

/// The application's own code passes the descriptor to a helper outside.
package struct DescriptorPassing: InsideAttack {
    package static let id = "AV-012"
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        let open = kernel.record(scene.target)?.secretDescriptors ?? []
        return open.isEmpty ? noOpenDescriptor : nil
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        var gain = AttackGain.nothing
        for number in kernel.record(scene.target)?.secretDescriptors ?? [] {
            let received = try kernel.descriptor(
                .passDescriptor(number, to: scene.neighbour), by: scene.attacker)
            gain = scene.gain(
                from: try kernel.bytes(.mapAndRead(received), by: scene.neighbour))
        }
        return gain
    }
}

/// Opens /proc/PID/fd/N anew.
package struct DescriptorReopening: SimulatedAttack {
    package static let id = "AV-013"
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        let open = kernel.record(scene.target)?.secretDescriptors ?? []
        return open.isEmpty ? noOpenDescriptor : nil
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        var gain = AttackGain.nothing
        for number in kernel.record(scene.target)?.secretDescriptors ?? [] {
            let copy = try kernel.descriptor(
                .openProcessFile(
                    .descriptor(number), of: scene.target, through: .plain, writing: false),
                by: scene.attacker)
            gain = scene.gain(from: try kernel.bytes(.mapAndRead(copy), by: scene.attacker))
        }
        return gain
    }
}

/// Opens /proc/PID/map_files/….
package struct MappedFileOpening: SimulatedAttack {
    package static let id = "AV-014"
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        secretRanges(scene, kernel).isEmpty ? "no mapping stands for a file of memory" : nil
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        var gain = AttackGain.nothing
        for range in secretRanges(scene, kernel) {
            let copy = try kernel.descriptor(
                .openProcessFile(
                    .mappedFile(range), of: scene.target, through: .plain, writing: false),
                by: scene.attacker)
            gain = scene.gain(from: try kernel.bytes(.mapAndRead(copy), by: scene.attacker))
        }
        return gain
    }

    private func secretRanges(_ scene: AttackScene, _ kernel: some Kernel) -> [Range<UInt64>] {
        do throws(KernelFailure) {
            return try kernel.regions(of: scene.target).filter { $0.kind == .secret }.map(\.range)
        } catch {
            return []
        }
    }
}

/// A program that the application executes inherits the descriptor.
package struct InheritedDescriptor: InsideAttack {
    package static let id = "AV-024"
    package init() {}

    package func obstacle(_ scene: AttackScene, on kernel: some Kernel) -> String? {
        let open = kernel.record(scene.target)?.secretDescriptors ?? []
        return open.isEmpty ? noOpenDescriptor : nil
    }

    package func run(
        _ scene: AttackScene, on kernel: inout some Kernel
    ) throws(KernelFailure) -> AttackGain {
        let numbers = kernel.record(scene.target)?.secretDescriptors ?? []
        let child = try kernel.child(.spawnProgram, by: scene.attacker)
        for number in numbers {
            let shown = try kernel.bytes(.mapAndRead(number), by: child)
            if scene.isLeak(shown) { return .secret }
        }
        return .nothing
    }
}
