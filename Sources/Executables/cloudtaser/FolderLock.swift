// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Lets one program at a time write to a folder.
enum FolderLock {
    /// Runs `body` while nobody else who asks here may. A file system without locks does not
    /// keep others off.
    static func holding<Value>(_ folder: String, _ body: () throws -> Value) throws -> Value {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw OperationalError(description: "\(folder): cannot be opened (error \(errno))")
        }
        // Closing it lets the next one in, also when the program is killed.
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
        return try body()
    }
}
