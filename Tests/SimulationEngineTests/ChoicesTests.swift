// SPDX-License-Identifier: Apache-2.0
import SimulationEngine
import Testing

@Suite("Choices and tapes")
struct ChoicesTests {
    private func draws(_ choices: Choices, _ label: String, count: Int = 50) -> [UInt64] {
        (0..<count).map { _ in choices.draw(below: 1000, label: label) }
    }

    @Test("a seed gives the same values again, another seed others")
    func seeds() {
        #expect(draws(Choices(seed: 1), "a") == draws(Choices(seed: 1), "a"))
        #expect(draws(Choices(seed: 1), "a") != draws(Choices(seed: 2), "a"))
    }

    @Test("a label's values do not depend on what other labels draw")
    func independentStreams() {
        let alone = draws(Choices(seed: 7), "a")
        let choices = Choices(seed: 7)
        var mixed: [UInt64] = []
        for _ in 0..<50 {
            _ = choices.draw(below: 10, label: "b")
            mixed.append(choices.draw(below: 1000, label: "a"))
        }
        #expect(mixed == alone)
        #expect(draws(Choices(seed: 7), "b") != alone)
    }

    @Test("every value below the bound comes up, and none above")
    func uniform() {
        let choices = Choices(seed: 3)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<7000 { counts[choices.draw(below: 7, label: "a")] += 1 }
        #expect(counts.allSatisfy { (800...1200).contains($0) }, "\(counts)")
    }

    @Test("a probability is its ratio, and 0 is that nothing happens")
    func ratio() {
        let choices = Choices(seed: 3)
        let hits = (0..<10_000).count { _ in choices.happens(1, in: 4, label: "a") }
        #expect((2300...2700).contains(hits))
        let silent = Choices(seed: 3, replaying: Tape(seed: 3))
        #expect(!(0..<100).contains { _ in silent.happens(99, in: 100, label: "a") })
    }

    @Test("a tape replays, zeros beyond its end, and keeps to a smaller bound")
    func replay() {
        let first = Choices(seed: 9)
        let values = draws(first, "a")
        let second = Choices(seed: 1, replaying: first.tape)
        #expect(draws(second, "a") == values)
        #expect(second.draw(below: 1000, label: "a") == 0 as UInt64)
        #expect(second.draw(below: 1000, label: "never drawn") == 0 as UInt64)
        let narrow = Choices(
            seed: 1, replaying: Tape(seed: 1, parts: [.init(label: "a", values: [999])]))
        #expect(narrow.draw(below: 10, label: "a") == 9 as UInt64)
    }

    @Test("a tape's text reads back, on one line and on several")
    func text() throws {
        let tape = Tape(
            seed: .max,
            parts: [
                .init(label: "schedule", values: [0, 0, 0, 1, 5, 5, 0]),
                .init(label: "nothing", values: [0, 0]),
                .init(label: "fault/store.sealed", values: [99]),
            ])
        #expect(
            tape.text
                == "tape/1 seed=18446744073709551615;schedule=0*3,1,5*2;fault/store.sealed=99")
        #expect(try Tape(text: tape.text) == tape.trimmed)
        #expect(try Tape(text: tape.lines.joined(separator: "\n") + "\n") == tape.trimmed)
        #expect(tape.complexity == 4)
    }

    @Test(
        "what is no tape is refused",
        arguments: [
            ("", TapeFailure.headerMissing), ("tape/2 seed=1", .headerMissing),
            ("tape/1 seed=x", .headerMissing), ("tape/1 seed=1;a", .partMalformed("a")),
            ("tape/1 seed=1;=1", .partMalformed("=1")),
            ("tape/1 seed=1;a=-1", .partMalformed("-1")),
            ("tape/1 seed=1;a=1*0", .partMalformed("1*0")),
            ("tape/1 seed=1;a=1*2*3", .partMalformed("1*2*3")),
            ("tape/1 seed=1;a=1;a=2", .labelRepeated("a")),
            ("tape/1 seed=1;a=0*99999999999", .tooLong),
        ])
    func refusals(text: String, failure: TapeFailure) {
        #expect(throws: failure) { try Tape(text: text) }
    }

    @Test("seeded bytes belong to the seed and the label, not to the tape")
    func seededBytes() {
        let bytes = Choices(seed: 5).seededBytes(32, label: "a")
        #expect(bytes == Choices(seed: 5, replaying: Tape(seed: 5)).seededBytes(32, label: "a"))
        #expect(bytes != Choices(seed: 6).seededBytes(32, label: "a"))
        #expect(bytes != Choices(seed: 5).seededBytes(32, label: "b"))
        #expect(Choices(seed: 5).tape.parts == [])
    }
}
