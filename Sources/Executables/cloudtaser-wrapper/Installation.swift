// SPDX-License-Identifier: Apache-2.0
import Glibc
import LinuxSystem
import WrapperConfiguration

/// Copies this program into a folder that a container shares with its init container: no shell and
/// no `cp` is needed in the image.
///
/// The copy appears under its name only when it is whole: it is written beside it, synchronised,
/// read back and renamed. One that is there already and is the same is left as it is.
enum Installation {
    static let name = "cloudtaser-wrapper"
    /// While it is written. Who is killed then leaves it, and the next one begins with removing it:
    /// in a container every start may have the same process number.
    static let draftName = ".cloudtaser-wrapper.new"
    static let mode: mode_t = 0o555

    /// What went wrong, with the path, the error number and the fix.
    struct Failure: Error {
        let detail: String

        init(_ call: String, _ path: String, _ number: Int32 = errno) {
            let fix = Self.fix(number).map { ": \($0)" } ?? ""
            detail = "\(call) \(path) (\(ErrorNumber.text(number)))\(fix)"
        }

        private static func fix(_ number: Int32) -> String? {
            switch number {
            case ENOENT: "make the folder, or mount the volume there"
            case ENOTDIR: "name a folder"
            case EACCES, EPERM:
                "let user \(geteuid()) write there, for a volume by the pod's fsGroup"
            case EROFS: "mount the volume without readOnly in this container"
            case ENOSPC, EDQUOT: "raise the volume's sizeLimit, or free space on the node"
            case EUCLEAN: "what was written reads differently: look at the node's disk"
            default: nil
            }
        }
    }

    /// - Returns: the copy's path.
    static func copy(into folder: String) throws(Failure) -> String {
        let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
        let source = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw Failure("open", "/proc/self/exe") }
        defer { close(source) }
        let place = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard place >= 0 else { throw Failure("open", folder) }
        defer { close(place) }
        // Two at once would take each other's draft away. Where a file system has no locks there
        // is the comparison before the rename.
        while flock(place, LOCK_EX) < 0, errno == EINTR { continue }
        guard try !isThere(source, in: place) else { return path }
        do throws(Failure) {
            try write(source, in: place, folder)
            guard renameat(place, draftName, place, name) == 0 else {
                throw Failure("rename to", path)
            }
        } catch {
            unlinkat(place, draftName, 0)
            throw error
        }
        // Some file systems cannot; the copy is whole in any case.
        fsync(place)
        return path
    }

    /// Whether the folder has this very program, ready to be used.
    private static func isThere(_ source: Int32, in place: Int32) throws(Failure) -> Bool {
        let there = openat(place, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        // Whatever else is there is replaced, or said to be in the way, by the rename.
        guard there >= 0 else { return false }
        defer { close(there) }
        var facts = stat()
        guard fstat(there, &facts) == 0, facts.st_mode == S_IFREG | mode else { return false }
        return try areEqual(source, there)
    }

    private static func write(
        _ source: Int32, in place: Int32, _ folder: String
    ) throws(Failure) {
        let path = "\(folder)/\(draftName)"
        guard unlinkat(place, draftName, 0) == 0 || errno == ENOENT else {
            throw Failure("remove", path)
        }
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let draft = openat(place, draftName, flags, mode)
        guard draft >= 0 else { throw Failure("create", path) }
        defer { close(draft) }
        try copy(from: source, to: draft, path)
        // The file's mode, whatever the umask.
        guard fchmod(draft, mode) == 0 else { throw Failure("chmod", path) }
        guard fsync(draft) == 0 else { throw Failure("fsync", path) }
        guard try areEqual(source, draft) else { throw Failure("compare", path, EUCLEAN) }
    }

    private static let chunkBytes = 65_536

    private static func copy(
        from source: Int32, to target: Int32, _ path: String
    ) throws(Failure) {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 16)
        defer { chunk.deallocate() }
        var offset = 0
        while true {
            let part = try fill(chunk, from: source, at: offset)
            guard !part.isEmpty else { return }
            let refusal = WholeWrite.write(part, to: target)
            guard refusal == 0 else { throw Failure("write", path, refusal) }
            offset += part.count
        }
    }

    /// Compares all bytes of two files.
    private static func areEqual(_ one: Int32, _ other: Int32) throws(Failure) -> Bool {
        let chunks = (0..<2).map { _ in
            UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 16)
        }
        defer { for chunk in chunks { chunk.deallocate() } }
        var offset = 0
        while true {
            let left = try fill(chunks[0], from: one, at: offset)
            let right = try fill(chunks[1], from: other, at: offset)
            guard left.count == right.count else { return false }
            guard !left.isEmpty, let start = left.baseAddress, let other = right.baseAddress
            else { return true }
            guard memcmp(start, other, left.count) == 0 else { return false }
            offset += left.count
        }
    }

    /// Reads until the chunk is full or the file ends.
    private static func fill(
        _ chunk: UnsafeMutableRawBufferPointer, from file: Int32, at offset: Int
    ) throws(Failure) -> UnsafeRawBufferPointer {
        var count = 0
        while count < chunk.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: chunk[count...])
            let got = pread(file, rest.baseAddress, rest.count, off_t(offset + count))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Failure("read", "the program or its copy") }
            if got == 0 { break }
            count += got
        }
        return UnsafeRawBufferPointer(rebasing: chunk[..<count])
    }
}
