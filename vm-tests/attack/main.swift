// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
import DeliveredValue
@preconcurrency import Glibc

let usage = """
    usage: attack VECTOR PID --needle-file FILE [--address HEX --length BYTES]
    VECTOR: all, \(AttackVector.allCases.map(\.rawValue).joined(separator: ", "))
    Prints one JSON line per attack. core-dump kills PID; `all` runs it last.
    attack inside NAME: is the application, and takes the value of its variable NAME out.

    """

func fail(_ reason: String) -> Never {
    fputs("attack: \(reason)\n\(usage)", stderr)
    exit(64)
}

/// Reads the needle straight into locked pages and keeps only its masked form. One line break at
/// the end of the file is not part of it.
func readNeedle(_ path: String) -> Needle {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { fail("needle file \(path): \(SystemError(errno).name)") }
    defer { close(descriptor) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer {
        clinux_zero(buffer.baseAddress, buffer.count)
        buffer.deallocate()
    }
    var count = read(descriptor, buffer.baseAddress, buffer.count)
    if count > 0 && buffer[count - 1] == UInt8(ascii: "\n") { count -= 1 }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[0..<max(count, 0)])
    guard let needle = Needle(masking: bytes) else {
        fail("needle file \(path): at least \(Needle.bytesMin) bytes are needed")
    }
    return needle
}

func hexadecimal(_ text: String) -> UInt64? {
    UInt64(text.hasPrefix("0x") ? String(text.dropFirst(2)) : text, radix: 16)
}

/// `attack inside NAME`: prints `ID OUTCOME ERROR-NUMBER` per vector.
func attackFromInside(_ name: String) -> Never {
    guard let secret = DeliveredValue.find(name), secret.count >= Needle.bytesMin else {
        fail("no value in \(name)")
    }
    let attack = InsideAttack(secret: secret, descriptor: DeliveredValue.descriptor(of: name))
    for vector in InsideVector.allCases {
        let result = attack.run(vector)
        print("\(vector.rawValue) \(result.outcome.rawValue) \(result.errorNumber)")
    }
    fflush(stdout)
    exit(0)
}

var arguments = Array(CommandLine.arguments.dropFirst())
// What `attack inside` executes.
if arguments.count == 2, let number = Int32(arguments[1]) {
    if arguments[0] == "map" { InsideAttack.show(number) }
    if arguments[0] == "receive" { InsideAttack.receive(from: number) }
}
if arguments.count == 2, arguments[0] == "wait" { InsideAttack.waitForEnd() }
if arguments.count == 2, arguments[0] == "inside" { attackFromInside(arguments[1]) }
var options: [String: String] = [:]
var words: [String] = []
while let word = arguments.first {
    arguments.removeFirst()
    guard word.hasPrefix("--") else {
        words.append(word)
        continue
    }
    guard ["--needle-file", "--address", "--length"].contains(word), !arguments.isEmpty else {
        fail("\(word): unknown option or no value")
    }
    options[word] = arguments.removeFirst()
}
guard words.count == 2, let pid = pid_t(words[1]), pid > 0 else { fail("VECTOR and PID expected") }
guard let needleFile = options["--needle-file"] else { fail("--needle-file is missing") }
var range: Range<UInt64>?
if options["--address"] != nil || options["--length"] != nil {
    guard let address = options["--address"].flatMap(hexadecimal),
        let length = options["--length"].flatMap({ UInt64($0) }), length > 0
    else { fail("--address HEX and --length BYTES belong together") }
    range = address..<address + length
}
let attack = Attack(pid: pid, needle: readNeedle(needleFile), range: range)
if words[0] == "all" {
    attack.runAll {
        print($0.jsonLine)
        fflush(stdout)
    }
} else if let vector = AttackVector(rawValue: words[0]) {
    print(attack.run(vector).jsonLine)
} else {
    fail("unknown attack \(words[0])")
}
