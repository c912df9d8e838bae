// SPDX-License-Identifier: Apache-2.0

/// Why a program cannot run: what happened, to what, and what to do.
package struct StartFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package let text: String

    package init(text: String) { self.text = text }

    package var description: String { text }
}
