// SPDX-License-Identifier: Apache-2.0
import CLinux
package import Delivery
import Glibc
package import Ports
import SecretMemory

/// Starts programs on Linux and delivers values to them and to what they execute.
///
/// Everything runs on the calling thread, which owns the tree until `run` returns: ptrace is
/// per thread, so the caller may not wait for children elsewhere.
package struct LinuxProcessHost: LegacyProcessHost {
    /// What a caller may set; the defaults are the production's.
    package struct Options: Sendable {
        /// Faults to inject, for tests.
        package var faults: [DeliveryFault] = []
        /// Give up what a waiting wrapper has no use for once the program is started.
        package var givesUpOwnPrivileges = true
        /// Gets one line per event that an operator should see; never holds a value.
        package var report: @Sendable (String) -> Void = { _ in }

        package init() {}
    }

    package var options: Options
    /// What the last run cost.
    package private(set) var counters = SupervisorCounters()

    package init(options: Options = Options()) { self.options = options }

    package mutating func run(
        _ launch: Launch, image: borrowing DeliveryImage
    ) throws(ProcessHostFailure) -> ChildExit {
        let path = try Self.resolve(launch)
        // What only the fetch needed, a TLS library above all, need not stay resident while the
        // program runs.
        _ = clinux_release_code()
        let signals = try SignalSet.block()
        defer { signals.restore() }
        // Orphans of the tree become ours to reap.
        _ = clinux_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        switch launch.delivery {
        case .environ:
            return try runClassic(launch, path: path, image: image, signals: signals)
        case .splice:
            return try runSpliced(launch, path: path, image: image, signals: signals)
        }
    }

    private static func resolve(_ launch: Launch) throws(ProcessHostFailure) -> String {
        let program = launch.programName
        let path = launch.environment.first { $0.name == "PATH" }?.description.dropFirst(5)
        return try ProgramSearch.resolve(program, path: path.map(String.init)) { candidate in
            var status = stat()
            guard stat(candidate, &status) == 0 else {
                return errno == ENOENT || errno == ENOTDIR ? .absent : .refused(errno)
            }
            guard status.st_mode & S_IFMT != S_IFDIR else { return .refused(EACCES) }
            return access(candidate, X_OK) == 0 ? .executable : .refused(errno)
        }
    }

    private mutating func runSpliced(
        _ launch: Launch, path: String, image: borrowing DeliveryImage, signals: SignalSet
    ) throws(ProcessHostFailure) -> ChildExit {
        let entries = image.entries
        var run = SplicedRun(launch: launch, path: path, options: options)
        defer { counters = run.counters }
        return try image.withBytes { span throws(ProcessHostFailure) in
            try span.withUnsafeBytes { bytes throws(ProcessHostFailure) in
                try run.perform(DeliveredValues(entries: entries, bytes: bytes), signals)
            }
        }
    }

    private mutating func runClassic(
        _ launch: Launch, path: String, image: borrowing DeliveryImage, signals: SignalSet
    ) throws(ProcessHostFailure) -> ChildExit {
        let entries = image.entries
        let run = ClassicRun(launch: launch, path: path, options: options)
        return try image.withBytes { span throws(ProcessHostFailure) in
            try span.withUnsafeBytes { bytes throws(ProcessHostFailure) in
                try run.perform(entries, bytes, signals)
            }
        }
    }
}
