// SPDX-License-Identifier: Apache-2.0
import AttackCatalogue
import Ports
import Simulation
import SimulationMatrix
import Testing

@Suite("The attack matrix")
struct AttackMatrixTests {
    private static let none = AttackCatalogue(common: [], vectors: [])

    @Test("a profile whose facts are not known is refused by name")
    func unknownFacts() {
        let profile = KernelProfile(name: "x", series: "x", parameters: [], facts: [:])
        #expect(throws: KernelFeatures.UnknownFact.self) {
            try AttackMatrix.build(catalogue: Self.none, profiles: [profile])
        }
    }
}
