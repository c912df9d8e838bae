// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import Ports
import SecretMemory

/// What is done to a `ProcessHost`, one step after the other. The same steps are played on the
/// fake and on the kernel, and must tell the same.
package enum HostStep: Sendable {
    case start(HostProgram)
    case hook(HostProgram)
    /// Waits at most so long (milliseconds) and tells what came.
    case next(within: Int)
    case send(Int32)
    /// A signal from outside to the process above the program.
    case raise(Int32)
    case stop(within: Int)
    case replaceValues
    /// Indexes values, of the first or of a later generation, and starts with them or replaces.
    case indexAndStart(HostProgram)
    case indexAndReplace
}

extension HostStep {
    var indexes: Bool {
        switch self {
        case .indexAndStart, .indexAndReplace: true
        default: false
        }
    }
}

/// The programs of the suite: a shell script each, and its model.
package enum HostProgram: String, Sendable, CaseIterable {
    case exits7 = "exit 7"
    case exits3 = "exit 3"
    case runs = "while :; do sleep 0.02; done"
    case ignoresTermination = "trap '' TERM; while :; do sleep 0.02; done"
    case exits9AtUSR1 = "trap 'exit 9' USR1; while :; do sleep 0.02; done"
    case killsItself = "kill -KILL $$"
    /// In place of the shell: what a killed shell leaves would hold the test up.
    case hookRuns = "exec sleep 300"
    case missing = "/nonexistent/program"
    case notExecutable = "/etc/passwd"

    /// As it is launched.
    package var arguments: [RawText] {
        switch self {
        case .missing, .notExecutable: [RawText(rawValue)]
        default: ["/bin/sh", "-c", RawText(rawValue)]
        }
    }
}

/// One case of the suite.
package struct HostCase: Sendable, CustomStringConvertible {
    package let description: String
    package let steps: [HostStep]
    /// A line for each step that tells something.
    package let expected: [String]

    /// Long enough for a busy machine (milliseconds).
    private static let long = 60_000

    package static let all: [HostCase] = [
        HostCase(
            description: "a program's code is its end",
            steps: [.start(.exits7), .next(within: long)],
            expected: ["programEnded exited 7"]),
        HostCase(
            description: "a program's signal is its end",
            steps: [.start(.killsItself), .next(within: long)],
            expected: ["programEnded signalled 9"]),
        HostCase(
            description: "a deadline comes before a program that runs on",
            steps: [
                .start(.runs), .next(within: 200), .send(15), .next(within: long),
            ], expected: ["deadline", "programEnded signalled 15"]),
        HostCase(
            description: "a signal that is caught is the program's matter",
            steps: [
                .start(.exits9AtUSR1), .next(within: 1000), .send(10), .next(within: long),
            ], expected: ["deadline", "programEnded exited 9"]),
        HostCase(
            description: "stopping ends a program that lets itself be asked",
            steps: [
                .start(.runs), .next(within: 200), .stop(within: long), .next(within: long),
            ], expected: ["deadline", "programEnded signalled 15"]),
        HostCase(
            description: "stopping ends a program that does not, after the grace",
            steps: [
                .start(.ignoresTermination), .next(within: 1000), .stop(within: 300),
                .next(within: long),
            ], expected: ["deadline", "programEnded signalled 9"]),
        HostCase(
            description: "after the end another program may be started",
            steps: [
                .start(.exits7), .next(within: long), .start(.exits3), .next(within: long),
            ], expected: ["programEnded exited 7", "programEnded exited 3"]),
        HostCase(
            description: "what is not there is not found", steps: [.start(.missing)],
            expected: ["notFound"]),
        HostCase(
            description: "what is no program is not executable", steps: [.start(.notExecutable)],
            expected: ["notExecutable"]),
        HostCase(
            description: "after a failed start another may be tried",
            steps: [.start(.missing), .start(.exits3), .next(within: long)],
            expected: ["notFound", "programEnded exited 3"]),
        HostCase(
            description: "without a program a request to stop is told",
            steps: [.raise(15), .next(within: long), .next(within: 50)],
            expected: ["stopRequested 15", "deadline"]),
        HostCase(
            description: "without a program other signals are nothing",
            steps: [.raise(28), .next(within: 50)], expected: ["deadline"]),
        HostCase(
            description: "with a program a request to stop is the program's",
            steps: [
                .start(.runs), .next(within: 200), .raise(15), .next(within: long),
                .next(within: 50),
            ], expected: ["deadline", "programEnded signalled 15", "deadline"]),
        HostCase(
            description: "a request to stop while the program is being stopped is told",
            steps: [
                .start(.ignoresTermination), .next(within: 1000), .stop(within: 2000), .raise(15),
                .next(within: long), .next(within: long),
            ], expected: ["deadline", "stopRequested 15", "programEnded signalled 9"]),
        HostCase(
            description: "a hook runs beside the program",
            steps: [
                .start(.runs), .next(within: 200), .hook(.exits3), .next(within: long),
                .send(15), .next(within: long),
            ], expected: ["deadline", "hookEnded exited 3", "programEnded signalled 15"]),
        HostCase(
            description: "one hook at a time",
            steps: [
                .start(.runs), .hook(.hookRuns), .hook(.exits3), .send(15), .next(within: long),
                .next(within: long),
            ],
            expected: [
                "systemCall hook 16", "hookEnded signalled 9", "programEnded signalled 15",
            ]),
        HostCase(
            description: "values can be replaced under a running program",
            steps: [
                .start(.runs), .replaceValues, .hook(.exits3), .next(within: long), .send(15),
                .next(within: long),
            ], expected: ["hookEnded exited 3", "programEnded signalled 15"]),
        HostCase(
            description: "an index keeps its place and its bits while a program runs",
            steps: [
                .indexAndStart(.runs), .indexAndReplace, .hook(.exits3), .next(within: long),
                .indexAndReplace, .send(15), .next(within: long), .indexAndStart(.exits7),
                .next(within: long),
            ],
            expected: [
                "index of 3104 bytes, SHORT tooShort", "index at the same place, all bits kept",
                "hookEnded exited 3", "index at the same place, all bits kept",
                "programEnded signalled 15", "index at the same place, some bits gone",
                "programEnded exited 7",
            ]),
    ]
}

/// Plays steps on a host.
package struct HostPlayer<Time: TimeSource> {
    private let time: Time
    private let delivery: DeliveryMode
    private let raise: (Int32) -> Void

    package init(time: Time, delivery: DeliveryMode, raise: @escaping (Int32) -> Void) {
        self.time = time
        self.delivery = delivery
        self.raise = raise
    }

    /// What was told, a line each.
    package func play<Host: ProcessHost & ~Copyable>(
        _ steps: [HostStep], on host: inout Host
    ) throws(DeliveryFailure) -> [String] {
        var lines: [String] = []
        var indexes: [ValueIndex] = []
        for (number, step) in steps.enumerated() {
            var image = try Self.image(number)
            do throws(ProcessHostFailure) {
                if step.indexes {
                    let index = try host.indexValues(of: &image)
                    lines.append(Self.line(index, after: indexes.last))
                    indexes.append(index)
                }
                if let line = try perform(step, image, on: &host) { lines.append(line) }
            } catch { lines.append(Self.line(error)) }
        }
        return lines
    }

    private static func line(_ index: ValueIndex, after former: ValueIndex?) -> String {
        guard let former else {
            let gaps = index.gaps.map { "\($0.name) \($0.reason)" }.joined(separator: ", ")
            return "index of \(index.byteCount) bytes, \(gaps)"
        }
        let isSame = former.address == index.address && former.byteCount == index.byteCount
        let isKept = zip(former.bitmap, index.bitmap).allSatisfy { $0 & $1 == $0 }
        return "index at \(isSame ? "the same" : "another") place,"
            + " \(isKept ? "all bits kept" : "some bits gone")"
    }

    private func perform<Host: ProcessHost & ~Copyable>(
        _ step: HostStep, _ image: consuming DeliveryImage, on host: inout Host
    ) throws(ProcessHostFailure) -> String? {
        switch step {
        case .start(let program), .indexAndStart(let program):
            try host.start(launch(program), image: image)
        case .hook(let program): try host.runHook(launch(program))
        case .replaceValues, .indexAndReplace: try host.replaceValues(image)
        case .send(let signal): host.send(signal: signal)
        case .raise(let signal): raise(signal)
        case .stop(let milliseconds): host.stop(within: .milliseconds(milliseconds))
        case .next(let milliseconds):
            let deadline = time.monotonic().advanced(by: .milliseconds(milliseconds))
            return Self.line(try host.next(until: deadline))
        }
        return nil
    }

    private func launch(_ program: HostProgram) -> Launch {
        var launch = Launch(
            arguments: program.arguments, environment: ["PATH=/usr/bin:/bin"],
            delivery: delivery, follow: .attached)
        launch.mayStartAgain = true
        return launch
    }

    /// - Parameter number: of its generation.
    private static func image(_ number: Int) throws(DeliveryFailure) -> DeliveryImage {
        var image = try DeliveryImage(minimumTier: .ordinary)
        for (name, text) in [
            ("SHORT", "a value"), ("VALUE", "the value \(number) of some length"),
            ("OTHER", "a value that stays the same"),
        ] {
            let value: [UInt8] = Array(text.utf8)
            try image.append(name: name, value: value.span.bytes)
        }
        return image
    }

    private static func line(_ event: HostEvent) -> String {
        switch event {
        case .programEnded(let exit): "programEnded \(line(exit))"
        case .hookEnded(let exit): "hookEnded \(line(exit))"
        case .stopRequested(let signal): "stopRequested \(signal)"
        case .deliveryFailed(let failed): "deliveryFailed \(failed.step)"
        case .deadline: "deadline"
        }
    }

    private static func line(_ exit: ChildExit) -> String {
        switch exit {
        case .exited(let code): "exited \(code)"
        case .signalled(let signal): "signalled \(signal)"
        }
    }

    private static func line(_ failure: ProcessHostFailure) -> String {
        switch failure {
        case .notFound: "notFound"
        case .notExecutable: "notExecutable"
        case .argumentsTooLarge: "argumentsTooLarge"
        case .refused(let call, let number): "refused \(call) \(number)"
        case .deliveryFailed(let step, let number): "deliveryFailed \(step) \(number)"
        case .memory: "memory"
        case .systemCall(let call, let number): "systemCall \(call) \(number)"
        }
    }
}
