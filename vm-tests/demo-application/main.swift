// SPDX-License-Identifier: Apache-2.0
//
// The application of the demonstration and of the VM tests: takes a password from its
// environment, uses it in place without copying it, and stays until it is told to end.
// Usage: demo-application NAME
// Prints `ready LENGTH FINGERPRINT`, so that the observer knows that the right value arrived.

import Glibc

/// FNV-1a, 64 bit: a fingerprint that shows equality, not a cryptographic hash.
func fingerprint(_ bytes: UnsafePointer<CChar>, count: Int) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for index in 0..<count {
        hash = (hash ^ UInt64(UInt8(bitPattern: bytes[index]))) &* 0x0000_0100_0000_01b3
    }
    return hash
}

// The Swift runtime's crash handler would keep the kernel from writing a core dump.
for number in [SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGTRAP, SIGFPE] { signal(number, SIG_DFL) }

guard CommandLine.arguments.count == 2, let value = getenv(CommandLine.arguments[1]) else {
    print("usage: NAME=value demo-application NAME")
    exit(64)
}
let count = strlen(value)
print("ready \(count) \(String(fingerprint(value, count: count), radix: 16))")
fflush(nil)
while true { pause() }
