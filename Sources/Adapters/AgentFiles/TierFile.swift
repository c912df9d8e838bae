// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import Enforcement
package import EnforcementEvents
import Glibc

/// The measured tiers in a file: a line for each vector, `AV-008 lsm`, in ascending order.
package struct TierFile: TierMemory {
    package static let bytesMax = 64 << 10
    private static let heading = "# cloudtaser-agent tiers v1\n"

    private let path: String

    /// - Parameter path: in a folder that is there.
    package init(path: String) { self.path = path }

    package func read() throws(TierMemoryFailure) -> [VectorNumber: EventTier] {
        guard let bytes = try bytes() else { return [:] }
        guard bytes.count <= Self.bytesMax else {
            throw failure("has more than \(Self.bytesMax) bytes")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasPrefix(Self.heading) else { throw failure("is no file of tiers") }
        var tiers: [VectorNumber: EventTier] = [:]
        for line in text.dropFirst(Self.heading.count).split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 2, let vector = VectorNumber(words[0]),
                let tier = EventTier(rawValue: String(words[1])), tiers[vector] == nil
            else { throw failure("holds a line that is none: \(line.prefix(40))") }
            tiers[vector] = tier
        }
        return tiers
    }

    package func write(_ tiers: [VectorNumber: EventTier]) throws(TierMemoryFailure) {
        let lines = tiers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.rawValue)\n" }
        let bytes = Array((Self.heading + lines.joined()).utf8)
        let new = path + ".new"
        unlink(new)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(error: errno) }
        var isWritten = Glibc.write(descriptor, bytes, bytes.count) == bytes.count
        if isWritten { isWritten = fsync(descriptor) == 0 }
        let number = errno
        close(descriptor)
        guard isWritten else {
            unlink(new)
            throw failure(error: number)
        }
        guard rename(new, path) == 0 else { throw failure(error: errno) }
    }

    /// nil: there is no such file.
    private func bytes() throws(TierMemoryFailure) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(error: errno)
        }
        defer { close(descriptor) }
        // One more than allowed: a longer file is refused.
        guard let bytes = SmallFile.contents(of: descriptor, bytesMax: Self.bytesMax + 1) else {
            throw failure(error: errno)
        }
        return bytes
    }

    private func failure(_ problem: String) -> TierMemoryFailure {
        TierMemoryFailure(text: "\(path) \(problem)")
    }

    private func failure(error number: Int32) -> TierMemoryFailure {
        TierMemoryFailure(text: "\(path): \(String(cString: strerror(number)))")
    }
}

enum SmallFile {
    /// The first bytes; nil with errno set when it cannot be read.
    static func contents(of descriptor: Int32, bytesMax: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress.map { $0 + count }, $0.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { return nil }
            guard got > 0 else { break }
            count += got
        }
        return Array(bytes.prefix(count))
    }

    static func contents(_ path: String, bytesMax: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return contents(of: descriptor, bytesMax: bytesMax)
    }
}
