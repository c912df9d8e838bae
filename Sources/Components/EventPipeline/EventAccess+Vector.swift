// SPDX-License-Identifier: Apache-2.0
internal import AgentPorts
internal import Enforcement
internal import EnforcementEvents

extension EventAccess {
    /// Which way bytes would have gone. nil: both ways, neither, or the hook cannot know, as with
    /// an attach or a copied descriptor.
    init?(_ record: EnforcementRecord) {
        switch record.vector.rawValue {
        // Memory by file, system call or program; filters of dumps; the core pattern; modules'
        // and probes' way into user memory.
        case 5, 9, 33, 49, 54: self = .write
        // One number for every file below task/: the mode that it was opened with tells.
        case 6: self = record.detail & Self.fileModeWrite == 0 ? .read : .write
        case 4, 8, 17, 25, 26, 27, 28, 29, 30, 31, 43, 44, 46, 47, 58, 76: self = .read
        default: return nil
        }
    }

    /// FMODE_WRITE (linux/fs.h).
    private static let fileModeWrite: UInt64 = 2
}
