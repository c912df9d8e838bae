// SPDX-License-Identifier: Apache-2.0
//
// The application of the demonstration and of the VM tests: takes a password from its
// environment, uses it in place without copying it, and stays until it is told to end. Where the
// environment names a descriptor (delivery mode `file`), the password is in that file's pages.
// Usage: demo-application NAME
// Prints `ready LENGTH FINGERPRINT`, so that the observer knows that the right value arrived.

import DeliveredValue
import Glibc

/// FNV-1a, 64 bit: a fingerprint that shows equality, not a cryptographic hash.
func fingerprint(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { hash, byte in
        (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
}

// The Swift runtime's crash handler would keep the kernel from writing a core dump.
for number in [SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGTRAP, SIGFPE] { signal(number, SIG_DFL) }

guard CommandLine.arguments.count == 2, let value = DeliveredValue.find(CommandLine.arguments[1])
else {
    print("usage: NAME=value demo-application NAME")
    exit(64)
}
print("ready \(value.count) \(String(fingerprint(value), radix: 16))")
fflush(nil)
while true { pause() }
