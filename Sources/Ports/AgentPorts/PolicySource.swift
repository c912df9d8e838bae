// SPDX-License-Identifier: Apache-2.0
package import Enforcement

/// Where the operator's policy is read from, again at each SIGHUP.
///
/// Contract:
/// - `read` gives a policy that `PolicySettings.policy()` accepts, or throws and changes nothing.
package protocol PolicySource: ~Copyable {
    mutating func read() throws(PolicySourceFailure) -> PolicySettings
}

package struct PolicySourceFailure: Error, Sendable, Equatable {
    /// What is wrong, and what would be right.
    package let text: String

    package init(text: String) { self.text = text }
}
