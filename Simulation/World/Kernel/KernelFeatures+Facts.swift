// SPDX-License-Identifier: Apache-2.0
package import Ports

extension KernelFeatures {
    /// Facts of a profile under Fixtures/kernel-profiles that could not be understood.
    package struct UnknownFact: Error, Equatable, CustomStringConvertible {
        package let name: String
        package let value: String?

        package init(name: String, value: String?) {
            self.name = name
            self.value = value
        }

        package var description: String {
            "\(name): \(value.map { "'\($0)' is none of the known answers" } ?? "missing")"
        }
    }

    /// What a profile's facts decide, by the fact's name.
    package static var switches: [(name: String, feature: WritableKeyPath<KernelFeatures, Bool>)] {
        [
            ("memfdSecret", \.memfdSecret), ("bpfLSM", \.bpfLSM), ("btf", \.btf),
            ("kcore", \.kernelCore), ("devMemRead", \.physicalMemory), ("pidfdGetfd", \.pidfdGetfd),
            ("processMadvise", \.processMadvise), ("kcmp", \.kcmp), ("userfaultfd", \.userfaultfd),
            ("ioUring", \.ioUring), ("forcedMemoryWrites", \.forcedMemoryWrites),
            ("anonymousInodeHook", \.anonymousInodeHook), ("bpfLoop", \.bpfLoop),
            ("copyFromUserTask", \.copyFromUserTask), ("spliceCallsSendmsg", \.spliceCallsSendmsg),
            ("kexecLoad", \.kexecLoad), ("kexecFileLoad", \.kexecFileLoad), ("modules", \.modules),
            ("perfmonReadAccess", \.perfmonReads),
        ]
    }

    /// From the facts that the guest's init found: `available`, the name of an error number, or
    /// `none` for what does not exist; other values are contents of the kernel's own files.
    package init(facts: [String: String], parameters: [String]) throws(UnknownFact) {
        self.init()
        for (name, feature) in Self.switches {
            guard let value = facts[name] else { throw UnknownFact(name: name, value: nil) }
            let isRefusal = value == "none" || value.hasPrefix("E") || value.hasPrefix("errno ")
            guard value == "available" || isRefusal else {
                throw UnknownFact(name: name, value: value)
            }
            self[keyPath: feature] = value == "available"
        }
        hibernation = facts["hibernation"].map { $0 != "none" } ?? false
        isLockedDown = facts["lockdown"].map { !$0.contains("[none]") && $0 != "none" } ?? false
        zeroesFreedPages = parameters.contains("init_on_free=1")
        let scope = facts["yamaPtraceScope"] ?? "none"
        guard let number = scope == "none" ? 0 : Int(scope) else {
            throw UnknownFact(name: "yamaPtraceScope", value: scope)
        }
        yamaPtraceScope = number
    }
}
