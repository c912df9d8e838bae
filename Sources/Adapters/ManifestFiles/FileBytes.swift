// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Reads what a path leads to, up to a limit: a pipe or `/dev/zero` has no size of its own.
enum FileBytes {
    /// A pipe that nobody writes to would be waited for without an end.
    static let writerMilliseconds: Int32 = 10_000
    private static let chunkBytes = 1 << 20

    /// - Parameter limit: bytes; more are refused.
    static func read(_ path: String, limit: Int) throws(Manifests.Failure) -> [UInt8] {
        // Without O_NONBLOCK this would wait for somebody to open a pipe for writing.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw failure(path) }
        let kind = facts.st_mode & S_IFMT
        guard kind == S_IFREG || kind == S_IFIFO || kind == S_IFCHR else {
            throw .unreadable(path: path, reason: "is no file")
        }
        if kind == S_IFREG, facts.st_size > limit { throw .tooLarge(path: path) }
        if kind == S_IFIFO {
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wanted, 1, writerMilliseconds) > 0 else {
                throw .unreadable(path: path, reason: "is a pipe that nobody writes to")
            }
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        return try all(of: descriptor, path, limit: limit, expected: Int(facts.st_size))
    }

    /// - Parameter expected: bytes; 0 when it is not known.
    static func all(
        of descriptor: Int32, _ path: String, limit: Int, expected: Int = 0
    ) throws(Manifests.Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(max(expected, 0), limit))
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        while true {
            let count = chunk.withUnsafeMutableBytes {
                Foundation.read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0 {
                guard errno == EINTR else { throw failure(path) }
                continue
            }
            guard count > 0 else { return bytes }
            guard bytes.count + count <= limit else { throw .tooLarge(path: path) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    private static func failure(_ path: String) -> Manifests.Failure {
        let text = String(cString: strerror(errno))
        return .unreadable(path: path, reason: text.lowercased())
    }
}

/// Files of a folder and the folders in it, each once: links may lead in a circle.
struct FolderFiles {
    static let depthMax = 64

    /// By name, depth first.
    private(set) var files: [String] = []
    /// What has a manifest's name and is no file, with the reason.
    private(set) var others: [(path: String, reason: String)] = []

    private struct Identity: Hashable {
        let device: UInt64
        let number: UInt64
    }

    private var seen: Set<Identity> = []
    private let endings: [String]

    init(_ folder: String, endings: [String]) throws(Manifests.Failure) {
        self.endings = endings
        try walk(folder, depth: 0)
    }

    private mutating func walk(_ folder: String, depth: Int) throws(Manifests.Failure) {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
            throw .unreadable(path: folder, reason: (error as NSError).localizedDescription)
        }
        var facts = stat()
        if stat(folder, &facts) == 0 { seen.insert(Self.identity(facts)) }
        for name in names.sorted() {
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            let isManifest = endings.contains { name.hasSuffix($0) }
            guard stat(path, &facts) == 0 else {
                if isManifest { others.append((path, "is a link that leads nowhere")) }
                continue
            }
            let kind = facts.st_mode & S_IFMT
            guard kind == S_IFDIR || isManifest else { continue }
            guard kind == S_IFDIR || kind == S_IFREG else {
                others.append((path, "is no file"))
                continue
            }
            guard seen.insert(Self.identity(facts)).inserted else { continue }
            if kind == S_IFREG {
                files.append(path)
            } else if depth < Self.depthMax {
                try walk(path, depth: depth + 1)
            } else {
                others.append((path, "is more than \(Self.depthMax) folders deep"))
            }
        }
    }

    private static func identity(_ facts: stat) -> Identity {
        Identity(device: UInt64(facts.st_dev), number: UInt64(facts.st_ino))
    }
}
