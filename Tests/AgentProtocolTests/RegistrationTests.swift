// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import Testing

@Suite struct `A registration` {
    private typealias Answer = Registration.Answer

    private static func withoutFeed(_ line: String) -> String {
        #expect(line.hasSuffix("\n") && line.utf8.count(where: { $0 == 10 }) == 1)
        return String(line.dropLast())
    }

    @Test func `is accepted as its own side writes it`() {
        #expect(Registration.accept(Self.withoutFeed(Registration.request)) == nil)
    }

    @Test(arguments: [
        "", " ", "register", "register ", "register  2", " register 2", "register 2 ",
        "register 2 1", "Register 2", "register two", "register 2\r", "register 2\0",
        "registered 2", "register +2", "register 02", "GET / HTTP/1.1",
    ])
    func `is malformed with any other line`(_ line: String) {
        #expect(Registration.accept(line) == .malformed)
    }

    @Test(arguments: [
        "register 0", "register 1", "register 3", "register -1", "register 9223372036854775807",
    ])
    func `is of another version with another number`(_ line: String) {
        #expect(Registration.accept(line) == .version)
    }

    @Test func `has a line for each answer, which the other side reads`() throws {
        for enrolment in [0, 1, 4096, UInt32.max] {
            for (tier, canScan) in [("lsm", true), ("fmod_ret", false)] {
                let answer = Answer(enrolment: enrolment, tier: tier, canScan: canScan)
                let line = Registration.line(.success(answer))
                #expect(Registration.answer(Self.withoutFeed(line)) == .success(answer))
            }
        }
        for refusal in Registration.Refusal.allCases {
            let line = Registration.line(.failure(refusal))
            #expect(Registration.answer(Self.withoutFeed(line)) == .failure(refusal))
        }
    }

    @Test func `fits the line's limit whatever it says`() {
        let lines =
            [Registration.request]
            + Registration.Refusal.allCases.map { Registration.line(.failure($0)) }
            + ["lsm", "fmod_ret"].map {
                Registration.line(.success(Answer(enrolment: .max, tier: $0, canScan: false)))
            }
        for line in lines { #expect(line.utf8.count <= Registration.lineBytesMax, "\(line)") }
    }

    @Test(arguments: [
        "", "enrolled", "enrolled 2 17", "enrolled 2 17 ", "enrolled 2 17 lsm",
        "enrolled 2 17 lsm more", "enrolled 2 17 lsm scan more", "enrolled 2 17 lsm ",
        "enrolled 2 17  scan", "enrolled 2 17 lsm Scan",
        "enrolled 2 x lsm scan", "enrolled 2 -1 lsm scan", "enrolled 2 4294967296 lsm scan",
        "enrolled  2 17 lsm scan", "enrolled x 17 lsm scan", "enrolled 1 17 lsm scan",
        "enrolled 1 17 lsm", "enrolled 3 17 lsm scan", "enrolled 2 +17 lsm scan",
        "Enrolled 2 17 lsm scan", "scanning 2 17",
        "refused", "refused 2", "refused 2 ", "refused 2 traced more", "refused x traced", "yes",
        "HTTP/1.1 200 OK",
    ])
    func `is not answered by any other line`(_ line: String) {
        #expect(Registration.answer(line) == nil)
    }

    @Test func `takes a reason that it does not know for a failure`() {
        #expect(Registration.answer("refused 2 tired") == .failure(.failed))
        // An agent refuses in its own version.
        #expect(Registration.answer("refused 1 version") == .failure(.version))
        #expect(Registration.answer("refused 3 version") == .failure(.version))
    }
}
