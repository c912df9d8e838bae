// SPDX-License-Identifier: Apache-2.0
import Delivery
import LinuxProcessHost
import Ports
import SecretMemory
import Testing

@Suite("Finding the program")
struct ProgramSearchTests {
    private static let files: [String: ProgramSearch.Candidate] = [
        "/a/tool": .refused(13), "/b/tool": .executable, "/a/closed": .refused(13),
        "./here": .executable, "/bin/sh": .executable,
    ]

    private static func resolve(
        _ program: String, path: String?
    ) throws(ProcessHostFailure) -> String {
        try ProgramSearch.resolve(program, path: path) { files[$0] ?? .absent }
    }

    @Test("PATH is searched in order, past what may not be run")
    func order() throws {
        #expect(try Self.resolve("tool", path: "/none:/a:/b") == "/b/tool")
        #expect(try Self.resolve("here", path: "/none::/b") == "./here")
        #expect(try Self.resolve("sh", path: nil) == "/bin/sh")
    }

    @Test("a name with a slash is not searched for")
    func slash() throws {
        #expect(try Self.resolve("/b/tool", path: "/a") == "/b/tool")
        #expect(throws: ProcessHostFailure.notFound(program: "b/tool")) {
            try Self.resolve("b/tool", path: "/")
        }
    }

    @Test("what is nowhere is not found; what is there and may not be run says so")
    func refusals() {
        #expect(throws: ProcessHostFailure.notFound(program: "none")) {
            try Self.resolve("none", path: "/a:/b")
        }
        #expect(throws: ProcessHostFailure.notFound(program: "")) {
            try Self.resolve("", path: "/a")
        }
        #expect(throws: ProcessHostFailure.notExecutable(program: "closed", errorNumber: 13)) {
            try Self.resolve("closed", path: "/a:/b")
        }
    }

    @Test("a program that is not there is refused before anything is started")
    func host() throws {
        let image = try DeliveryImage(capacity: 64, minimumTier: .ordinary)
        var host = LinuxProcessHost()
        let cases: [(String, ProcessHostFailure)] = [
            ("/no/such/program", .notFound(program: "/no/such/program")),
            ("/etc", .notExecutable(program: "/etc", errorNumber: 13)),
        ]
        for (program, failure) in cases {
            let launch = Launch(
                arguments: [program], environment: [], delivery: .environ, follow: .none)
            do throws(ProcessHostFailure) {
                let exit = try host.run(launch, image: image)
                Issue.record("\(program) was started and ended with \(exit)")
            } catch {
                #expect(error == failure)
            }
        }
    }
}
