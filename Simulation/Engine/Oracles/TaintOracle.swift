// SPDX-License-Identifier: Apache-2.0

/// A secret exists from now on: a value, a token, a key.
package struct SecretRegistered: SimulationFact {
    /// Names it in findings and allow rules; not secret itself.
    package let name: String
    package let bytes: [UInt8]

    package init(_ name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    package var summary: String? { "\(name): \(bytes.count) bytes" }
}

/// No run of eight bytes of a secret reaches a sink that may not see it, in any usual encoding,
/// even when it is split over several writes to one stream.
///
/// A secret of fewer than eight bytes is not watched: such a run is everywhere.
package final class TaintOracle: Oracle {
    /// Shortest part of a secret that counts as a leak (bytes).
    package static let runBytes = 8

    /// Who may see which secret where; nil means any.
    package struct Rule: Sendable, Equatable {
        package var secret: String?
        package var sink: Sink
        package var principal: String?

        package init(secret: String? = nil, sink: Sink, principal: String? = nil) {
            self.secret = secret
            self.sink = sink
            self.principal = principal
        }
    }

    private struct Stream: Hashable {
        let sink: Sink
        let name: String
        let principal: String
    }

    private struct Leak: Hashable {
        let stream: Stream
        let secret: Int
        let encoding: TaintEncoding
    }

    package let name = "taint"
    private var rules: [Rule] = []
    /// By pattern index; a name may have several values (rotation).
    private var secrets: [String] = []
    private var known: [String: Set<[UInt8]>] = [:]
    private var patterns = TaintPatterns()
    private var carried: [Stream: [UInt8]] = [:]
    private var reported: Set<Leak> = []

    package init() {}

    package func allow(_ rule: Rule) { rules.append(rule) }

    package func subscribe(to registry: OracleRegistry) {
        registry.on(SecretRegistered.self) { [self] in register($0) }
        registry.on(SinkWritten.self) { [self, unowned registry] in judge($0, registry) }
    }

    package func finish() {}

    private func register(_ secret: SecretRegistered) {
        guard secret.bytes.count >= Self.runBytes,
            known[secret.name]?.contains(secret.bytes) != true
        else { return }
        known[secret.name, default: []].insert(secret.bytes)
        let index = secrets.count
        secrets.append(secret.name)
        for encoding in TaintEncoding.allCases {
            for form in encoding.forms(of: secret.bytes, runBytes: Self.runBytes) {
                patterns.add(form, meaning: .init(secret: index, encoding: encoding))
            }
        }
    }

    private func judge(_ write: SinkWritten, _ registry: OracleRegistry) {
        guard !patterns.isEmpty else { return }
        let stream = Stream(sink: write.sink, name: write.stream, principal: write.principal)
        let before = carried[stream] ?? []
        let text = before + write.bytes
        patterns.matches(in: text, from: before.count) { meaning in
            let leak = Leak(stream: stream, secret: meaning.secret, encoding: meaning.encoding)
            guard !isAllowed(secrets[meaning.secret], stream), reported.insert(leak).inserted
            else { return }
            let place = write.stream.isEmpty ? "\(write.sink)" : "\(write.sink) \(write.stream)"
            registry.report(
                name,
                "\(Self.runBytes) bytes of \(secrets[meaning.secret]) as "
                    + "\(meaning.encoding.rawValue) in \(place) of \(write.principal)")
        }
        let kept = patterns.prefixBytesMax + TaintPatterns.keyBytes - 1
        carried[stream] = Array(text.suffix(kept))
    }

    private func isAllowed(_ secret: String, _ stream: Stream) -> Bool {
        rules.contains { rule in
            rule.sink == stream.sink && rule.secret ?? secret == secret
                && rule.principal ?? stream.principal == stream.principal
        }
    }
}
