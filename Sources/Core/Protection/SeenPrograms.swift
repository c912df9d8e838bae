// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// What an agent has seen of an enrolled wrapper's programs, from outside.
package struct SeenPrograms: Sendable, Equatable {
    /// Memory that is not written to swap, memfd_secret's among it (KiB).
    package let lockedKiB: Int
    /// nil: it cannot be told.
    package let isDumpable: Bool?
    package let hasNoNewPrivileges: Bool
    /// 0: none, 1: strict, 2: a filter.
    package let seccompMode: Int

    package init(
        lockedKiB: Int, isDumpable: Bool?, hasNoNewPrivileges: Bool, seccompMode: Int
    ) {
        self.lockedKiB = lockedKiB
        self.isDumpable = isDumpable
        self.hasNoNewPrivileges = hasNoNewPrivileges
        self.seccompMode = seccompMode
    }

    /// nil: an agent that has not looked, or says it in a way that is not known.
    init?(_ tree: JSONTree?) {
        guard let locked = tree?["lockedKiB"]?.wholeNumber, locked >= 0,
            let privileges = tree?["noNewPrivileges"]?.flag,
            let mode = tree?["seccomp"]?.wholeNumber
        else { return nil }
        self.init(
            lockedKiB: locked, isDumpable: tree?["dumpable"]?.flag,
            hasNoNewPrivileges: privileges, seccompMode: mode)
    }

    func least(_ other: SeenPrograms) -> SeenPrograms {
        let dumpable: Bool? =
            if isDumpable == true || other.isDumpable == true {
                true
            } else {
                isDumpable == false && other.isDumpable == false ? false : nil
            }
        return SeenPrograms(
            lockedKiB: min(lockedKiB, other.lockedKiB), isDumpable: dumpable,
            hasNoNewPrivileges: hasNoNewPrivileges && other.hasNoNewPrivileges,
            seccompMode: min(seccompMode, other.seccompMode))
    }
}

/// What an agent has seen of its node; what it cannot tell, or older ones do not say, is nil.
package struct SeenNode: Sendable, Equatable {
    package enum SecretMemory: String, Sendable, CaseIterable {
        case on
        /// The kernel has it, and was started without it.
        case off
        case missing
    }

    package enum Confidential: String, Sendable, CaseIterable {
        /// The machine does not say that it is one.
        case ordinary = "none"
        case sevSNP = "sev-snp"
        case tdx
    }

    private static let kernelBytesMax = 64
    private static let weaknessesMax = 64

    package let kernel: String?
    package let secretMemory: SecretMemory?
    /// Of the processors, that the kernel calls open.
    package let openWeaknesses: [String]?
    package let confidential: Confidential?

    package init(
        kernel: String? = nil, secretMemory: SecretMemory? = nil,
        openWeaknesses: [String]? = nil, confidential: Confidential? = nil
    ) {
        self.kernel = kernel
        self.secretMemory = secretMemory
        self.openWeaknesses = openWeaknesses
        self.confidential = confidential
    }

    init(_ tree: JSONTree?) {
        let open = tree?["openWeaknesses"]?.elements
        let names = open?.compactMap { $0.text.flatMap(Self.plain) }
        self.init(
            kernel: tree?["kernel"]?.text.flatMap(Self.plain),
            secretMemory: tree?["secretMemory"]?.text.flatMap(SecretMemory.init(rawValue:)),
            openWeaknesses: names.flatMap {
                $0.count == open?.count && $0.count <= Self.weaknessesMax ? $0.sorted() : nil
            },
            confidential: tree?["confidential"]?.text.flatMap(Confidential.init(rawValue:)))
    }

    /// What is printed and goes on into reports: whoever answers in an agent's place may say
    /// anything.
    private static func plain(_ text: String) -> String? {
        let isFine = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isFine && !text.isEmpty && text.utf8.count <= kernelBytesMax ? text : nil
    }
}
