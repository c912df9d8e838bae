// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// The line to the runner on the host: JSON lines out, one answer line per marker in. People read
/// the console instead.
struct Host {
    private static let devicePath = "/dev/ttyS1"

    private let descriptor: Int32

    /// Nil when the virtual machine has no second serial port.
    init?() {
        descriptor = open(Self.devicePath, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var settings = termios()
        tcgetattr(descriptor, &settings)
        cfmakeraw(&settings)
        tcsetattr(descriptor, TCSANOW, &settings)
    }

    /// Sends one JSON object.
    func send(_ members: [(String, JSONLine.Value)]) {
        let bytes = Array((JSONLine.object(members) + "\n").utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Waits until all that was sent has left the machine.
    func drain() { tcdrain(descriptor) }

    /// Says that the machine is in a state the host should look at, and waits until it has.
    func await(marker: String) {
        console("marker \(marker)")
        send([("type", .text("marker")), ("name", .text(marker))])
        var byte: UInt8 = 0
        while read(descriptor, &byte, 1) == 1 && byte != UInt8(ascii: "\n") {}
    }

    /// Reports one observed case of a catalogue id.
    func report(_ result: CaseResult) {
        console(
            "\(result.passed ? "pass" : "FAIL") \(result.id) \(result.name): "
                + "\(result.observation); control: \(result.control)")
        send([
            ("type", .text("case")), ("id", .text(result.id)), ("name", .text(result.name)),
            ("passed", .boolean(result.passed)), ("observation", .text(result.observation)),
            ("control", .text(result.control)), ("controlPassed", .boolean(result.controlPassed)),
        ])
    }

    /// A line for people on the first serial port.
    func console(_ line: String) {
        print(line)
        fflush(stdout)
    }
}

/// One case: what was expected and seen, and the same with the protection absent.
struct CaseResult {
    let id: String
    let name: String
    /// What was seen, in a few words.
    let observation: String
    let expected: Bool
    /// The positive control: what it is and what was seen.
    let control: String
    let controlPassed: Bool

    var passed: Bool { expected && controlPassed }
}
