// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Static programs of a few instructions, written by the test, so that nothing - no dynamic
/// linker, no libc - runs before the instruction that leaves the marker.
enum TinyProgram {
    /// Its first act is mkdir(marker); then it exits with 42.
    case marksItsStart
    /// mkdir(marker) and exit 43 when CT_ALPHA is absent or empty in the environment it was
    /// started with, else exit 42.
    case marksAnUnfilledValue
    /// As `marksItsStart`, a 32-bit program.
    case marksItsStart32

    static let ordinaryExit: Int32 = 42

    /// Writes the program; it will create `marker`.
    func write(to path: String, marker: String) throws {
        var image = is32Bit ? header32 : header64
        image += code + Array(marker.utf8) + [0]
        try Stage.write(Data(image), to: path, mode: 0o755)
    }

    private var is32Bit: Bool { self == .marksItsStart32 }

    private var code: [UInt8] {
        switch self {
        case .marksItsStart:
            [
                0x48, 0x8d, 0x3d, 0x18, 0, 0, 0,  // lea path(%rip), %rdi
                0xbe, 0xed, 0x01, 0, 0,  // mov $0755, %esi
                0xb8, 0x53, 0, 0, 0, 0x0f, 0x05,  // mkdir
                0xbf, 0x2a, 0, 0, 0,  // mov $42, %edi
                0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05,  // exit_group
            ]
        case .marksAnUnfilledValue:
            [
                0x48, 0x8b, 0x04, 0x24,  // mov (%rsp), %rax: argc
                0x48, 0x8d, 0x5c, 0xc4, 0x10,  // lea 16(%rsp,%rax,8), %rbx: envp
                0x48, 0xb8, 0x43, 0x54, 0x5f, 0x41, 0x4c, 0x50, 0x48, 0x41,  // "CT_ALPHA"
                0x48, 0x8b, 0x3b,  // next: mov (%rbx), %rdi
                0x48, 0x85, 0xff, 0x74, 0x10,  // test %rdi, %rdi; je bad
                0x48, 0x83, 0xc3, 0x08,  // add $8, %rbx
                0x48, 0x39, 0x07, 0x75, 0xef,  // cmp %rax, (%rdi); jne next
                0x66, 0x83, 0x7f, 0x08, 0x3d, 0x75, 0x1a,  // cmpw "=\0", 8(%rdi); jne good
                0x48, 0x8d, 0x3d, 0x1f, 0, 0, 0,  // bad: lea path(%rip), %rdi
                0xbe, 0xed, 0x01, 0, 0, 0xb8, 0x53, 0, 0, 0, 0x0f, 0x05,  // mkdir
                0xbf, 0x2b, 0, 0, 0, 0xeb, 0x05,  // mov $43, %edi; jmp out
                0xbf, 0x2a, 0, 0, 0,  // good: mov $42, %edi
                0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05,  // out: exit_group
            ]
        case .marksItsStart32:
            [
                0xe8, 0, 0, 0, 0, 0x5b,  // call next; next: pop %ebx
                0x81, 0xc3, 0x1f, 0, 0, 0,  // add $(path - next), %ebx
                0xb9, 0xed, 0x01, 0, 0, 0xb8, 0x27, 0, 0, 0, 0xcd, 0x80,  // mkdir
                0xbb, 0x2a, 0, 0, 0, 0xb8, 0x01, 0, 0, 0, 0xcd, 0x80,  // exit(42)
            ]
        }
    }

    /// Maps the whole file at 4 MiB, readable and executable.
    private var header64: [UInt8] {
        let header = 64 + 56
        return [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + zeros(8) + half(2) + half(62) + word(1)
            + long(0x40_0000 + header) + long(64) + long(0) + word(0) + half(64) + half(56)
            + half(1) + half(0) + half(0) + half(0)
            + word(1) + word(5) + long(0) + long(0x40_0000) + long(0x40_0000) + long(4096)
            + long(4096) + long(4096)
    }

    private var header32: [UInt8] {
        let header = 52 + 32
        return [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0] + zeros(8) + half(2) + half(3) + word(1)
            + word(0x40_0000 + header) + word(52) + word(0) + word(0) + half(52) + half(32)
            + half(1) + half(0) + half(0) + half(0)
            + word(1) + word(0) + word(0x40_0000) + word(0x40_0000) + word(4096) + word(4096)
            + word(5) + word(4096)
    }

    private func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }
    private func half(_ value: Int) -> [UInt8] { bytes(value, 2) }
    private func word(_ value: Int) -> [UInt8] { bytes(value, 4) }
    private func long(_ value: Int) -> [UInt8] { bytes(value, 8) }
    private func bytes(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
