// SPDX-License-Identifier: Apache-2.0
internal import AgentPorts
import Glibc

extension ProcessFiles {
    /// Weaknesses that are looked at; Linux 6.18 lists fewer than 20.
    package static let weaknessesMax = 64
    private static let lineBytesMax = 512
    private static let kernelBytesMax = 64

    /// Text that goes into a document as it is: nil for one that is not of these characters.
    private static func plain(_ text: Substring, _ isFine: (UInt8) -> Bool) -> String? {
        text.isEmpty || text.utf8.count > kernelBytesMax || !text.utf8.allSatisfy(isFine)
            ? nil : String(text)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
    }

    func kernel(under proc: String) -> String? {
        guard let line = Self.firstLine("\(proc)/sys/kernel/osrelease") else { return nil }
        return Self.plain(line[...]) { byte in
            Self.isAlphanumeric(byte) || (0x41...0x5A).contains(byte)
                || ".-_+~".utf8.contains(byte)
        }
    }

    /// By the parameter of the kernel's own module `secretmem`.
    var secretMemory: NodeObservation.SecretMemory? {
        switch Self.firstLine("\(sys)/module/secretmem/parameters/enable") {
        case "Y": .on
        case "N": .off
        case nil:
            access("\(sys)/module/secretmem", F_OK) != 0 && access("\(sys)/module", R_OK) == 0
                ? .missing : nil
        default: nil
        }
    }

    /// What the kernel says of each: `Not affected`, `Mitigation: …`, `Vulnerable…`; also a part of
    /// it, as in `; SMT vulnerable`. nil: one says `Unknown`, and none is known to be open.
    var openWeaknesses: [String]? {
        let folder = "\(sys)/devices/system/cpu/vulnerabilities"
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0,
            let names = Self.names(closing: descriptor, atMost: Self.weaknessesMax), !names.isEmpty
        else { return nil }
        var open: [String] = []
        var isKnown = true
        for name in names {
            let plain = Self.plain(name[...]) { Self.isAlphanumeric($0) || $0 == 0x5F }
            guard let plain, let line = Self.firstLine("\(folder)/\(name)") else {
                isKnown = false
                continue
            }
            if line.lowercased().contains("vulnerable") {
                open.append(plain)
            } else if line.hasPrefix("Unknown") {
                isKnown = false
            }
        }
        return open.isEmpty && !isKnown ? nil : open.sorted()
    }

    /// By the devices through which a guest asks for a report (drivers/virt/coco).
    var confidential: NodeObservation.Confidential? {
        let folder = "\(sys)/class/misc"
        if access("\(folder)/sev-guest", F_OK) == 0 { return .sevSNP }
        if access("\(folder)/tdx_guest", F_OK) == 0 { return .tdx }
        return access(folder, R_OK) == 0 ? NodeObservation.Confidential.none : nil
    }

    private static func firstLine(_ path: String) -> String? {
        guard let bytes = SmallFile.contents(path, bytesMax: lineBytesMax) else { return nil }
        return String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
    }
}
