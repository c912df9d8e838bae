// SPDX-License-Identifier: Apache-2.0
// Goes away as soon as stores, hosts and the wrapper have moved to the ports of step 2.
package import Delivery

package protocol LegacySecretStore: ~Copyable {
    mutating func logIn() throws(SecretStoreFailure) -> Grant
    mutating func read(
        path: String, fields: [String],
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure)
    mutating func forget()
}

package protocol LegacyProcessHost {
    mutating func run(
        _ launch: Launch, image: borrowing DeliveryImage
    ) throws(ProcessHostFailure) -> ChildExit
}
