// SPDX-License-Identifier: Apache-2.0
import Foundation
import LinuxSystem
import Ports
import SecretMemory
import Testing

@Suite struct `The kernel's clocks` {
    @Test func `the monotonic one moves on and the other one tells the date`() {
        let time = LinuxTimeSource()
        let before = time.monotonic()
        while time.monotonic() == before {}
        #expect(before < time.monotonic())
        #expect(abs(time.secondsSince1970() - Int64(Date().timeIntervalSince1970)) <= 1)
    }
}

@Suite struct `A point in time` {
    @Test func `is moved on by a duration and stops at the end of time`() {
        let time = MonotonicTime(nanoseconds: 5)
        #expect(time.advanced(by: .nanoseconds(7)).nanoseconds == 12)
        #expect(time.advanced(by: .seconds(-1)) == time)
        #expect(time.advanced(by: .seconds(Int64.max)).nanoseconds == .max)
        #expect(time.duration(to: time.advanced(by: .seconds(3))) == .seconds(3))
        #expect(time.advanced(by: .seconds(3)).duration(to: time) == .zero)
    }
}

@Suite struct `The kernel's randomness` {
    @Test func `draws every number below the bound, and no other`() throws {
        var entropy = LinuxEntropySource()
        var seen: Set<UInt64> = []
        for _ in 0..<400 { seen.insert(try entropy.draw(below: 7)) }
        #expect(seen == Set(0..<7))
        #expect(try entropy.draw(below: 1) == 0)
        _ = try entropy.draw(below: .max)
    }

    @Test func `fills secret memory with bytes that do not come again`() throws {
        var entropy = LinuxEntropySource()
        var blocks: Set<[UInt8]> = []
        for _ in 0..<20 {
            var buffer = try SecretBuffer(capacity: 33, minimumTier: .ordinary)
            try buffer.append(byte: 1)
            try entropy.appendSecret(32, to: &buffer)
            #expect(buffer.count == 33)
            buffer.withBytes { span in
                let bytes = span.withUnsafeBytes { Array($0) }
                #expect(bytes[0] == 1)
                blocks.insert(Array(bytes[1...]))
            }
        }
        #expect(blocks.count == 20)
    }
}

@Suite struct `The termination message` {
    private func written(_ message: String, make: Bool = true) throws -> String? {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "message-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        if make { try Data("before".utf8).write(to: file) }
        var telemetry = StandardErrorTelemetry(program: "p", messageFile: file.path())
        try telemetry.terminate(message)
        return try? String(contentsOf: file, encoding: .utf8)
    }

    @Test func `replaces what the runtime's file holds`() throws {
        #expect(try written("the vault is sealed") == "the vault is sealed")
    }

    @Test func `makes no file`() throws { #expect(try written("x", make: false) == nil) }

    @Test func `is cut at what Kubernetes keeps, between characters`() throws {
        let limit = terminationMessageBytesMax
        #expect(try written(String(repeating: "a", count: limit))?.utf8.count == limit)
        #expect(try written(String(repeating: "a", count: limit + 1))?.utf8.count == limit)
        #expect(try written("a" + String(repeating: "é", count: limit))?.utf8.count == limit - 1)
    }

    @Test func `is not written through a link, nor to what is no file`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let target = folder.appending(path: "target")
        try Data("kept".utf8).write(to: target)
        let link = folder.appending(path: "link")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: target)
        for path in [link.path(), folder.path()] {
            var telemetry = StandardErrorTelemetry(program: "p", messageFile: path)
            #expect(throws: TelemetryFailure.self) { try telemetry.terminate("x") }
        }
        #expect(try String(contentsOf: target, encoding: .utf8) == "kept")
        var none = StandardErrorTelemetry(program: "p", messageFile: nil)
        try none.terminate("x")
    }
}

@Suite("Writing everything") struct WholeWriteTests {
    /// More than a pipe holds (64 KiB): the kernel takes it in parts.
    @Test func `more than is taken at once arrives whole`() throws {
        let channel = Pipe()
        let sent = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let writer = Thread {
            let target = channel.fileHandleForWriting
            let result = sent.withUnsafeBytes {
                WholeWrite.write($0, to: target.fileDescriptor)
            }
            if result == 0 { try? target.close() }
        }
        writer.start()
        let received = try #require(try channel.fileHandleForReading.readToEnd())
        #expect(received == Data(sent))
    }

    @Test func `what stops it is told`() {
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        defer { close(full) }
        #expect(WholeWrite.write("text", to: full) == ENOSPC)
        #expect(WholeWrite.write("text", to: -1) == EBADF)
        // Control: nothing to write is no failure.
        #expect(WholeWrite.write("", to: full) == 0)
    }
}
