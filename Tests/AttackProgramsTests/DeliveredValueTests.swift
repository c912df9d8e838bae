// SPDX-License-Identifier: Apache-2.0
import DeliveredValue
import Glibc
import Testing

/// A program's own variables, which `setenv` changes: names that no other test uses.
@Suite("A delivered value is found in place", .serialized)
struct DeliveredValueTests {
    private static let value = "canary-of-the-delivered-value"

    private func found(_ name: String) -> String? {
        DeliveredValue.find(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Descriptor of a nameless file with these bytes.
    private func file(_ text: String) throws -> Int32 {
        var path = Array("/tmp/cloudtaser-delivered-XXXXXX\0".utf8CString)
        let descriptor = mkstemp(&path)
        try #require(descriptor >= 0)
        unlink(path)
        let bytes = Array(text.utf8)
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
        return descriptor
    }

    @Test("Text of the environment is found where it is")
    func text() throws {
        setenv("CT_FOUND_TEXT", Self.value, 1)
        #expect(found("CT_FOUND_TEXT") == Self.value)
        let start = try #require(DeliveredValue.find("CT_FOUND_TEXT")?.baseAddress)
        #expect(start == UnsafeRawPointer(getenv("CT_FOUND_TEXT")))
        #expect(found("CT_FOUND_NOTHING") == nil)
        #expect(DeliveredValue.descriptor(of: "CT_FOUND_TEXT") == nil)
    }

    @Test("A descriptor's pages are mapped, and are the file's own")
    func mapped() throws {
        let descriptor = try file(Self.value)
        setenv("CT_FOUND_FILE", "/proc/self/fd/\(descriptor)", 1)
        #expect(found("CT_FOUND_FILE") == Self.value)
        let bytes = try #require(DeliveredValue.find("CT_FOUND_FILE"))
        try #require(pwrite(descriptor, "C", 1, 0) == 1)
        #expect(bytes.first == UInt8(ascii: "C"))
        #expect(DeliveredValue.descriptor(of: "CT_FOUND_FILE") == descriptor)
        close(descriptor)
        #expect(found("CT_FOUND_FILE") == nil)
    }

    @Test("An empty file is no value")
    func empty() throws {
        let descriptor = try file("")
        defer { close(descriptor) }
        setenv("CT_FOUND_EMPTY", "/proc/self/fd/\(descriptor)", 1)
        #expect(found("CT_FOUND_EMPTY") == nil)
    }

    @Test(
        "A path that is no descriptor's is a text",
        arguments: ["/proc/self/fd/", "/proc/self/fd/x"])
    func otherPath(path: String) {
        setenv("CT_FOUND_PATH", path, 1)
        #expect(found("CT_FOUND_PATH") == path)
    }
}
