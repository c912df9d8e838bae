// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// The lists of Fixtures/metrics, to which alerts and documents are held.
package enum ExportedMetrics {
    /// - Parameter program: `agent`, `operator` or `s3-proxy`.
    package static func listed(_ program: String) throws -> Set<String> {
        let path = Checkout.root + "/Fixtures/metrics/\(program).txt"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return Set(text.split(separator: "\n").map(String.init))
    }

    /// Names of the families that a page of Prometheus' text format declares.
    package static func declared(in page: String) -> Set<String> {
        let types = page.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
        return Set(
            types.compactMap { $0.split(separator: " ").dropFirst(2).first.map(String.init) })
    }
}
