// SPDX-License-Identifier: Apache-2.0

/// Prometheus' text format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/). Samples come out sorted.
package struct MetricsPage: Sendable {
    package enum Kind: String, Sendable { case counter, gauge }

    package struct HistogramSample: Sendable {
        package let labels: [String: String]
        /// For each bound, those above the bound before it.
        package let counts: [Int]
        package let count: Int
        package let sum: Double

        package init(labels: [String: String], counts: [Int], count: Int, sum: Double) {
            self.labels = labels
            self.counts = counts
            self.count = count
            self.sum = sum
        }
    }

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var text = ""

    package init() {}

    package mutating func family(
        _ name: String, _ kind: Kind, _ help: String, _ samples: [([String: String], Double)]
    ) {
        begin(name, kind.rawValue, help)
        let lines = samples.map { "\(name)\(Self.labels($0.0)) \(Self.number($0.1))\n" }
        text += lines.sorted().joined()
    }

    package mutating func histogram(
        _ name: String, _ help: String, bounds: [Double], _ samples: [HistogramSample]
    ) {
        begin(name, "histogram", help)
        for sample in samples.sorted(by: { Self.labels($0.labels) < Self.labels($1.labels) }) {
            var sum = 0
            for (bound, count) in zip(bounds, sample.counts) {
                sum += count
                bucket(name, sample, Self.number(bound), sum)
            }
            bucket(name, sample, "+Inf", sample.count)
            let labels = Self.labels(sample.labels)
            text += "\(name)_sum\(labels) \(Self.number(sample.sum))\n"
            text += "\(name)_count\(labels) \(sample.count)\n"
        }
    }

    private mutating func bucket(
        _ name: String, _ sample: HistogramSample, _ bound: String, _ count: Int
    ) {
        let labels = Self.labels(sample.labels.merging(["le": bound]) { $1 })
        text += "\(name)_bucket\(labels) \(count)\n"
    }

    private mutating func begin(_ name: String, _ kind: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    private static func labels(_ labels: [String: String]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.sorted { $0.key < $1.key }.map { label in
            let value = label.value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .replacing("\n", with: "\\n")
            return "\(label.key)=\"\(value)\""
        }
        return "{\(pairs.joined(separator: ","))}"
    }

    private static func number(_ value: Double) -> String {
        let whole = Int(exactly: value)
        return whole.map(String.init) ?? String(value)
    }
}
