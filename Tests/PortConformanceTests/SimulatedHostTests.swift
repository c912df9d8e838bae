// SPDX-License-Identifier: Apache-2.0
import Delivery
import HostConformance
import Ports
import Simulation
import Testing

@Suite("ProcessHost: the simulated machine")
struct SimulatedHostTests {
    @Test("tells what the suite expects", arguments: HostCase.all)
    func conforms(_ one: HostCase) throws {
        let machine = SimulatedMachine(programs: Self.programs)
        var host = SimulatedProcessHost(machine: machine)
        let player = HostPlayer(time: MachineTime(machine: machine), delivery: .splice) {
            machine.deliver(signal: $0)
        }
        #expect(try player.play(one.steps, on: &host) == one.expected)
    }

    /// The scripts' models.
    private static let programs: [String: SimulatedProgram] = {
        var programs: [String: SimulatedProgram] = [:]
        for program in HostProgram.allCases {
            let command = program.arguments.map(\.description).joined(separator: " ")
            programs[command] = model(of: program)
        }
        return programs
    }()

    private static func model(of program: HostProgram) -> SimulatedProgram? {
        let soon = Duration.milliseconds(1)
        switch program {
        case .exits7: return SimulatedProgram(end: .init(after: soon, .exited(code: 7)))
        case .exits3: return SimulatedProgram(end: .init(after: soon, .exited(code: 3)))
        case .killsItself: return SimulatedProgram(end: .init(after: soon, .signalled(signal: 9)))
        case .runs: return SimulatedProgram()
        case .hookRuns: return SimulatedProgram(end: .init(after: .seconds(300), .exited(code: 0)))
        case .ignoresTermination: return SimulatedProgram(reactions: [15: .ignores])
        case .exits9AtUSR1:
            return SimulatedProgram(reactions: [10: .ends(.exited(code: 9), after: soon)])
        case .notExecutable: return SimulatedProgram(isExecutable: false)
        case .missing: return nil
        }
    }
}

/// The machine's own time.
private struct MachineTime: TimeSource {
    let machine: SimulatedMachine

    func monotonic() -> MonotonicTime { machine.now }
    func secondsSince1970() -> Int64 { 0 }
}
