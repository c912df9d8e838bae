// SPDX-License-Identifier: Apache-2.0

/// What happens to the program when its values have changed or are about to end.
package enum RotationStrategy: Sendable, Equatable {
    /// Nothing: leases are renewed as long as the vault allows it, and changes are not looked for.
    case none
    /// The program is stopped and started again with the new values.
    case restart
    /// What the program executes from now on gets the new values, and it is sent this signal.
    case signal(Int32)
    /// The same, and this command is run beside the program.
    case execHook([String])

    /// Signals by the names that may stand after `signal:` (signal(7), x86-64 and arm64), with
    /// or without `SIG`.
    package static let signals: [String: Int32] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "USR1": 10, "USR2": 12, "TERM": 15, "CONT": 18, "WINCH": 28,
    ]

    /// As it is configured.
    package var name: String {
        switch self {
        case .none: "none"
        case .restart: "restart"
        case .signal(let number):
            "signal:" + (Self.signals.first { $0.value == number }?.key ?? String(number))
        case .execHook: "exec-hook"
        }
    }
}

/// How long the wrapper tries, waits and keeps things alive.
package struct LifeSettings: Sendable, Equatable {
    package var rotation = RotationStrategy.none
    /// From the first try to log in to the last read, pauses included (seconds). 0: one try.
    package var fetchSecondsMax = 60
    /// Between two looks at a KV v2 secret's version (seconds).
    package var checkSeconds = 300
    /// From SIGTERM to SIGKILL when the program is restarted (seconds).
    package var stopSeconds = 30
    /// Gets one line that names the cause when the wrapper ends because of a failure; nil: none.
    package var terminationMessageFile: String? = LifeSettings.kubernetesTerminationMessageFile

    /// Kubernetes' default for a container's terminationMessagePath.
    package static let kubernetesTerminationMessageFile = "/dev/termination-log"
    /// Longest of the times above (seconds): a day.
    package static let secondsMax = 86_400
    /// Shortest time between two looks at a version (seconds).
    package static let checkSecondsMin = 5

    package init() {}
}
