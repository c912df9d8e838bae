// SPDX-License-Identifier: Apache-2.0

/// `simulate --matrix`: every attack, kernel profile, delivery mode and enforcement mode.
enum SimulateMatrix {
    static func run(_ output: SimulateOutput) throws {
        throw OperationalError(description: "--matrix: no matrix is built into this program")
    }
}
