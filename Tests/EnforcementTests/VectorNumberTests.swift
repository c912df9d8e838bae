// SPDX-License-Identifier: Apache-2.0
import Enforcement
import Foundation
import TestKit
import Testing

@Suite struct `A vector's number` {
    @Test func `is 1 to 999, and nothing at the edges beyond`() {
        #expect(VectorNumber(0 as UInt16) == nil)
        #expect(VectorNumber(1 as UInt16)?.rawValue == 1)
        #expect(VectorNumber(VectorNumber.max)?.rawValue == 999)
        #expect(VectorNumber(VectorNumber.max + 1) == nil)
        #expect(VectorNumber(UInt16.max) == nil)
    }

    @Test func `is written with three digits and read back`() throws {
        for number in 1...VectorNumber.max {
            let vector = try #require(VectorNumber(number))
            #expect(vector.description.utf8.count == 6)
            #expect(VectorNumber(vector.description) == vector)
        }
        #expect(VectorNumber(8 as UInt16)?.description == "AV-008")
        #expect(VectorNumber("AV-008"[...])?.rawValue == 8)
    }

    @Test(arguments: [
        "", "AV-", "AV-8", "AV-08", "AV-0008", "AV-000", "AV-+08", "AV--08", "AV- 08", "av-008",
        "AV-008 ", " AV-008", "AV-1000", "AV-65536", "AV-0x8", "AV-00a", "AV_008", "AV-٠٠٨", "008",
    ])
    func `is not read from anything else`(_ text: String) {
        #expect(VectorNumber(text) == nil)
    }

    @Test func `orders as numbers do`() throws {
        let numbers = try [9, 10, 100].map { try #require(VectorNumber(UInt16($0))) }
        #expect(numbers.shuffled().sorted() == numbers)
    }
}

@Suite struct `The enforced vectors` {
    private static let catalogued: Set<String> = {
        let data = FileManager.default.contents(
            atPath: Checkout.root + "Fixtures/attack-vectors.json")
        let root = data.flatMap { try? JSONSerialization.jsonObject(with: $0) } as? [String: Any]
        let vectors = root?["vectors"] as? [[String: Any]] ?? []
        return Set(vectors.compactMap { $0["id"] as? String })
    }()

    @Test func `are all in the catalogue but one, each once and in order`() {
        #expect(Self.catalogued.count > 100)
        let numbers = EnforcedVector.all.map(\.number)
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
        let foreign = numbers.map(\.description).filter { !Self.catalogued.contains($0) }
        #expect(foreign == [VectorNumber.harmlessLoad.description])
    }

    @Test func `are found by their numbers`() throws {
        for vector in EnforcedVector.all { #expect(EnforcedVector.of(vector.number) == vector) }
        #expect(EnforcedVector.of(try #require(VectorNumber(2 as UInt16))) == nil)
    }

    @Test func `know what is aimed at the machine`() throws {
        let machine = EnforcedVector.all.filter(\.isOnMachine).map(\.number.rawValue)
        #expect(machine.contains(64) && machine.contains(121) && machine.contains(58))
        #expect(!machine.contains(8) && !machine.contains(44) && !machine.contains(1))
    }

    @Test func `are usually denied or reported, never let through in silence`() {
        // Each look-up of a resolver is a sendmmsg(2): an operator asks for it.
        let exception = "AV-090"
        #expect(
            EnforcedVector.all.filter { $0.usual == .allow }.map { "\($0.number)" } == [exception])
        for vector in EnforcedVector.all where vector.number.description != exception {
            #expect(vector.usual == .deny || vector.usual == .detect, "\(vector.number)")
        }
        #expect(EnforcedVector.of(.moduleLoad)?.usual == .detect)
        #expect(EnforcedVector.of(.harmlessLoad)?.usual == .detect)
    }
}
