// SPDX-License-Identifier: Apache-2.0

extension SimulatedKernel {
    /// The model's rules, each of which a test switches off to see that a cell of the attack
    /// matrix hangs on it.
    package struct Rules: Sendable, Equatable, CaseIterable {
        /// Another user's process is out of reach without CAP_SYS_PTRACE.
        package var checksCredentials = true
        /// A process that is not dumpable leaves no core, and is out of its own user's reach.
        package var checksDumpable = true
        /// Loaded programs are asked and obeyed.
        package var consultsHooks = true
        /// get_user_pages does not take secret pages.
        package var refusesToPinSecretPages = true
        /// Secret pages are not in the direct map.
        package var keepsSecretPagesOutOfDirectMap = true
        /// A task has at most one tracer.
        package var allowsOneTracer = true
        /// Secret pages are zeros in a core.
        package var leavesSecretPagesOutOfCores = true
        /// Secret pages are not evicted.
        package var keepsSecretPagesFromSwap = true
        /// Locked pages are not evicted.
        package var keepsLockedPagesFromSwap = true
        /// A memfd_secret file has no open method.
        package var refusesToReopenSecretFiles = true
        /// seccomp filters are obeyed.
        package var obeysFilters = true
        /// A filter sees calls by the 32-bit entry.
        package var filtersForeignEntries = true
        /// No hibernation while secret memory is in use.
        package var refusesHibernationWithSecretPages = true
        /// Secret pages are zeroed when they are freed.
        package var zeroesFreedSecretPages = true
        /// init_on_free is obeyed.
        package var obeysInitOnFree = true
        /// A child is protected as its parent is.
        package var inheritsProtection = true
        /// Programs know a file under /proc by its inode, whatever path led there.
        package var knowsProcessFilesByInode = true
        /// RLIMIT_CORE 0 leaves no core file.
        package var obeysCoreLimit = true
        /// /dev/mem does not give RAM (CONFIG_STRICT_DEVMEM).
        package var refusesPhysicalMemory = true
        /// Programs compare what a process sends with what was delivered to it.
        package var scansContent = true

        package init() {}

        private static var all: [WritableKeyPath<Rules, Bool>] {
            [
                \.checksCredentials, \.checksDumpable, \.consultsHooks, \.refusesToPinSecretPages,
                \.keepsSecretPagesOutOfDirectMap, \.allowsOneTracer, \.leavesSecretPagesOutOfCores,
                \.keepsSecretPagesFromSwap, \.keepsLockedPagesFromSwap,
                \.refusesToReopenSecretFiles,
                \.obeysFilters, \.filtersForeignEntries, \.refusesHibernationWithSecretPages,
                \.zeroesFreedSecretPages, \.obeysInitOnFree, \.inheritsProtection,
                \.knowsProcessFilesByInode, \.obeysCoreLimit, \.refusesPhysicalMemory,
                \.scansContent,
            ]
        }

        /// One copy for each rule, with that rule off.
        package static var allCases: [Rules] {
            all.map { rule in
                var rules = Rules()
                rules[keyPath: rule] = false
                return rules
            }
        }
    }
}
