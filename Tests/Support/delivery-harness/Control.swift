// SPDX-License-Identifier: Apache-2.0
import Delivery
import Glibc
import LinuxProcessHost
import Ports

/// What the wrapper does beside a running program, told line by line through a FIFO:
/// `replace FILE`, `send SIGNAL`, `stop MILLISECONDS`, `hook SCRIPT`. Each is answered on standard
/// error by `control: LINE: done`, or the failure.
struct Control {
    private let descriptor: Int32
    private let indexFile: String?
    private var text = ""

    init(path: String, indexFile: String?) {
        self.indexFile = indexFile
        // Also for writing: else the end of its first writer would be its own.
        descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { stop("\(path): errno \(errno)", HarnessExit.systemCall) }
    }

    mutating func obey(_ host: inout LinuxProcessHost, _ launch: Launch) {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        if count > 0 { text += String(decoding: bytes.prefix(count), as: UTF8.self) }
        while let end = text.firstIndex(of: "\n") {
            let line = String(text[..<end])
            text = String(text[text.index(after: end)...])
            say("control: \(line): \(answer(line, &host, launch))")
        }
    }

    private func answer(
        _ line: String, _ host: inout LinuxProcessHost, _ launch: Launch
    ) -> String {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let word = words.count > 1 ? words[1] : ""
        do {
            switch words.first {
            case "replace":
                var image = try readImage(word)
                try addIndex(to: &image, &host, indexFile)
                try host.replaceValues(image)
            case "send": host.send(signal: Int32(word) ?? 0)
            case "stop": host.stop(within: .milliseconds(Int(word) ?? 0))
            case "hook":
                var hook = launch
                hook.arguments = ["/bin/sh", "-c", RawText(word)]
                try host.runHook(hook)
            default: return "unknown"
            }
            return "done"
        } catch { return "\(error)" }
    }
}

/// CLOCK_MONOTONIC, later by so much.
func monotonicTime(in duration: Duration) -> MonotonicTime {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return MonotonicTime(
        nanoseconds: UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    ).advanced(by: duration)
}
