// SPDX-License-Identifier: Apache-2.0

/// Tells what a secret's fields are called, for secrets whose fields nobody knows beforehand.
///
/// Contract: names in the order of the answer, each once; no value is handed over. What refuses a
/// `SecretStore.read` of the same path refuses this in the same way. More than `fieldNamesMax`
/// names are `responseMalformed`.
package protocol SecretFieldNames: ~Copyable {
    mutating func fieldNames(of path: String) throws(SecretStoreFailure) -> [String]
}

/// Most fields of one secret.
package let fieldNamesMax = 4096
