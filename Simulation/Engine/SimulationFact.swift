// SPDX-License-Identifier: Apache-2.0

/// Something that is so, reported by a fake or a scenario for the oracles to judge. Any value type
/// can be one: an oracle subscribes to the types that it knows.
package protocol SimulationFact {
    /// For the trace; nil: no line (the hash changes all the same). Never holds a secret.
    var summary: String? { get }
}

extension SimulationFact {
    package var summary: String? { "\(self)" }
}

/// Where bytes can end up.
package struct Sink: Sendable, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ name: String) { description = name }

    /// What a component logs: standard error, a collector.
    package static let log = Sink("log")
    package static let terminationMessage = Sink("termination-message")
    package static let arguments = Sink("arguments")
    package static let environment = Sink("environment")
    /// What a file system keeps.
    package static let disk = Sink("disk")
    package static let metrics = Sink("metrics")
    package static let event = Sink("event")
    /// Bytes to a peer whose identity is the write's principal.
    package static let network = Sink("network")
    /// What the program gets in its memory.
    package static let delivery = Sink("delivery")
    package static let coreDump = Sink("core-dump")
    package static let commandOutput = Sink("command-output")
    /// What an attacker got.
    package static let attacker = Sink("attacker")

    /// Every sink that this file names. Others may be made; the canaries cover these.
    package static let named: [Sink] = [
        .log, .terminationMessage, .arguments, .environment, .disk, .metrics, .event, .network,
        .delivery, .coreDump, .commandOutput, .attacker,
    ]
}

/// Bytes went somewhere.
package struct SinkWritten: SimulationFact {
    package let sink: Sink
    /// Which file, connection or log within the sink: writes to one stream are read as one text.
    package let stream: String
    /// Who gets to see it.
    package let principal: String
    package let bytes: [UInt8]

    package init(_ sink: Sink, stream: String = "", principal: String, bytes: [UInt8]) {
        self.sink = sink
        self.stream = stream
        self.principal = principal
        self.bytes = bytes
    }

    package init(_ sink: Sink, stream: String = "", principal: String, text: String) {
        self.init(sink, stream: stream, principal: principal, bytes: Array(text.utf8))
    }

    package var summary: String? {
        // A short hash, not the bytes: a trace is no place for what the oracle looks for.
        var hash = RollingHash()
        for byte in bytes { hash.add(UInt64(byte)) }
        let place = stream.isEmpty ? "\(sink)" : "\(sink) \(stream)"
        return "\(place) of \(principal): \(bytes.count) bytes \(hash.description.prefix(8))"
    }
}

/// Faults have ended; what is broken has to mend itself now.
package struct FaultsHealed: SimulationFact {
    package init() {}
    package var summary: String? { nil }
}

/// An incarnation of a component begins. Reported by the engine.
package struct ComponentStarted: SimulationFact {
    package let component: String
    package let incarnation: Int

    /// The trace has a line for it already.
    package var summary: String? { nil }
}

/// A component crashed. Reported by the engine.
package struct ComponentCrashed: SimulationFact {
    package let component: String

    package var summary: String? { nil }
}
