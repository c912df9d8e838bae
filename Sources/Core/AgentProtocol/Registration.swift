// SPDX-License-Identifier: Apache-2.0

/// What a wrapper and the agent say to each other over the agent's socket: one line each.
///
///     register 2\n
///     enrolled 2 17 lsm scan\n     number of the enrolment, tier that guards it, and whether this
///                                  node can `scan` what is written and sent, or is `blind`
///     refused 2 traced\n           why, one word
///
/// Words are separated by one space; a line is at most `lineBytesMax` bytes with its line feed.
package enum Registration {
    package static let version = 2
    package static let lineBytesMax = 128

    /// Where the agent listens, if nothing else is said.
    package static let socketPath = "/run/cloudtaser/agent.sock"

    package static let request = "register \(version)\n"

    /// Why the agent does not enrol a process.
    package enum Refusal: String, Sendable, CaseIterable, Error {
        /// The line is none that this agent knows.
        case malformed
        /// The wrapper speaks a version that this agent does not.
        case version
        /// Somebody traces the process already.
        case traced
        /// The process is not in the agent's process namespace: the agent needs hostPID.
        case invisible
        /// It is part of an enrolled workload already.
        case enrolled
        /// The process has ended, or another one answers to its number.
        case gone
        /// Tables of the programs are full.
        case full
        /// Nothing is denied on this node: no tier works.
        case unguarded
        /// Who asks for a scan has not registered, or is not who did.
        case unregistered
        /// A scan is asked for and this node cannot do it.
        case blind
        /// The kernel failed in a way that the agent's log describes.
        case failed
    }

    package struct Answer: Sendable, Equatable {
        package let enrolment: UInt32
        /// `lsm`, `fmod_ret`: what the self-test showed to deny.
        package let tier: String
        /// Whether the node can scan what the workload writes and sends.
        package let canScan: Bool

        package init(enrolment: UInt32, tier: String, canScan: Bool) {
            self.enrolment = enrolment
            self.tier = tier
            self.canScan = canScan
        }
    }

    /// Reads a request; the line has no line feed any more.
    package static func accept(_ line: String) -> Refusal? {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 2, words[0] == "register", let number = Int(words[1]),
            String(number) == words[1]
        else { return .malformed }
        return number == version ? nil : .version
    }

    package static func line(_ answer: Result<Answer, Refusal>) -> String {
        switch answer {
        case .success(let answer):
            "enrolled \(version) \(answer.enrolment) \(answer.tier)"
                + " \(answer.canScan ? sighted : blind)\n"
        case .failure(let refusal): refused(refusal)
        }
    }

    /// The answer to a request to scan.
    ///
    /// - Parameter answer: the number of the enrolment.
    package static func line(scanning answer: Result<UInt32, Refusal>) -> String {
        switch answer {
        case .success(let enrolment): "scanning \(version) \(enrolment)\n"
        case .failure(let refusal): refused(refusal)
        }
    }

    private static let sighted = "scan"
    private static let blind = "blind"

    private static func refused(_ refusal: Refusal) -> String {
        "refused \(version) \(refusal.rawValue)\n"
    }

    /// Reads an answer; nil for a line that no agent says.
    package static func answer(_ line: String) -> Result<Answer, Refusal>? {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.first == "enrolled" else { return refusal(words).map { .failure($0) } }
        guard words.count == 5, let number = enrolment(words), !words[3].isEmpty,
            [sighted, blind].contains(words[4])
        else { return nil }
        return .success(
            Answer(enrolment: number, tier: words[3], canScan: words[4] == sighted))
    }

    /// Reads the answer to a request to scan: the number of the enrolment.
    package static func scanAnswer(_ line: String) -> Result<UInt32, Refusal>? {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.first == "scanning" else { return refusal(words).map { .failure($0) } }
        guard words.count == 3, let number = enrolment(words) else { return nil }
        return .success(number)
    }

    private static func enrolment(_ words: [String]) -> UInt32? {
        guard words[1] == String(version), let number = UInt32(words[2]),
            String(number) == words[2]
        else { return nil }
        return number
    }

    private static func refusal(_ words: [String]) -> Refusal? {
        guard words.count == 3, words[0] == "refused", Int(words[1]) != nil, !words[2].isEmpty
        else { return nil }
        // A later agent may know more reasons.
        return Refusal(rawValue: words[2]) ?? .failed
    }
}
