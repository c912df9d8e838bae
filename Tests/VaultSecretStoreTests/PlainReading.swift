// SPDX-License-Identifier: Apache-2.0
import Ports

extension SecretStore where Self: ~Copyable {
    /// For tests to which leases and versions are no matter.
    mutating func read(
        path: String, fields: [String],
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        _ = try read(
            SecretQuery(path: path), fields: fields, onLease: { _ in }, receive: receive)
    }
}
