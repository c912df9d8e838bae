// SPDX-License-Identifier: Apache-2.0
import Glibc
import LinuxSystem
import WrapperConfiguration

/// Copies this program into a folder that a container shares with its init container: no shell and
/// no `cp` is needed in the image.
///
/// The copy appears under its name only when it is whole: it is written beside it, synchronised and
/// renamed.
enum Installation {
    static let name = "cloudtaser-wrapper"

    /// What went wrong, with the path and the error number.
    struct Failure: Error {
        let detail: String

        init(_ call: String, _ path: String, _ number: Int32 = errno) {
            detail = "\(call) \(path) (\(ErrorNumber.text(number)))"
        }
    }

    /// - Returns: the copy's path.
    static func copy(into folder: String) throws(Failure) -> String {
        let source = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw Failure("open", "/proc/self/exe") }
        defer { close(source) }
        let target = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
        let draft = "\(target).\(getpid()).new"
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let descriptor = open(draft, flags, 0o755)
        guard descriptor >= 0 else { throw Failure("create", draft) }
        do throws(Failure) {
            defer { close(descriptor) }
            try copy(from: source, to: descriptor, path: draft)
            // The file's mode, whatever the umask.
            guard fchmod(descriptor, 0o755) == 0 else { throw Failure("chmod", draft) }
            guard fsync(descriptor) == 0 else { throw Failure("fsync", draft) }
            guard rename(draft, target) == 0 else { throw Failure("rename to", target) }
        } catch {
            unlink(draft)
            throw error
        }
        return target
    }

    private static let chunkBytes = 65_536

    private static func copy(
        from source: Int32, to target: Int32, path: String
    ) throws(Failure) {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 16)
        defer { chunk.deallocate() }
        while true {
            let got = read(source, chunk.baseAddress, chunk.count)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Failure("read", "/proc/self/exe") }
            guard got > 0 else { return }
            let part = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(chunk)[..<got])
            let refusal = WholeWrite.write(part, to: target)
            guard refusal == 0 else { throw Failure("write", path, refusal) }
        }
    }
}
