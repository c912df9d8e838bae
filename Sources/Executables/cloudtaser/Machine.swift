// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inspector
import SecretMemory
import Validation

/// Looks at the machine that this runs on.
enum Machine {
    static var facts: MachineFacts {
        MachineFacts(
            release: text("/proc/sys/kernel/osrelease") ?? "", secretMemory: secretMemory,
            securityModules: text("/sys/kernel/security/lsm"),
            hasTypeFormat: FileManager.default.fileExists(atPath: "/sys/kernel/btf/vmlinux"),
            lockedBytesMax: MemoryLockLimit.bindingBytes)
    }

    private static func text(_ path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return text.split(whereSeparator: \.isNewline).first.map(String.init)
    }

    private static var secretMemory: MachineFacts.SecretMemory {
        do throws(SecretMemoryFailure) {
            try SecretRegion(payloadBytes: 1, minimumTier: .secret).release()
            return .available
        } catch { return .refused(reason(error)) }
    }

    private static func reason(_ failure: SecretMemoryFailure) -> String {
        switch failure {
        case .tierUnavailable(let shortage): "refused: \(words(shortage.errorNumber))"
        case .systemCall(let call, let number): "\(call): \(words(number))"
        default: "\(failure)"
        }
    }

    private static func words(_ number: Int32) -> String { String(cString: strerror(number)) }
}

/// What a scan would not be able to read, as lines of `doctor`.
enum ClusterRights {
    static func checks(_ answers: [ReadingRights.Answer]) -> [Check] {
        let failed = answers.filter { $0.failure != nil }
        let listed = answers.count - failed.count
        let all = Check(
            "rights", failed.isEmpty ? .ok : .fails,
            "\(listed) of \(answers.count) kinds may be listed")
        return [all]
            + failed.map { answer in
                Check(
                    "list \(answer.name)", .fails, answer.failure?.text ?? "",
                    fix: "a ClusterRole with get and list: docs/how-to/find-what-is-exposed.md")
            }
    }
}
