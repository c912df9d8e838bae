// SPDX-License-Identifier: Apache-2.0
import Glibc
import Ports
import Testing

@testable import LinuxProcessHost

@Suite("Finding the program")
struct ProgramSearchTests {
    private func resolve(
        _ program: String, path: String?, _ files: [String: ProgramSearch.Candidate]
    ) throws(ProcessHostFailure) -> String {
        try ProgramSearch.resolve(program, path: path) { files[$0] ?? .absent }
    }

    @Test("The first executable in PATH's order wins")
    func order() throws {
        let files = ["/b/tool": ProgramSearch.Candidate.executable, "/c/tool": .executable]
        #expect(try resolve("tool", path: "/a:/b:/c", files) == "/b/tool")
    }

    @Test("A candidate that may not be run is passed over")
    func refusedThenFound() throws {
        let files = ["/a/tool": ProgramSearch.Candidate.refused(EACCES), "/b/tool": .executable]
        #expect(try resolve("tool", path: "/a:/b", files) == "/b/tool")
    }

    @Test("Only unusable candidates: not executable, which exits 126")
    func onlyRefused() {
        let failure = ProcessHostFailure.notExecutable(program: "tool", errorNumber: EACCES)
        #expect(throws: failure) {
            try resolve("tool", path: "/a:/b", ["/a/tool": .refused(EACCES)])
        }
    }

    @Test("Nothing there: not found, which exits 127", arguments: ["tool", "", "/a/tool"])
    func absent(program: String) {
        #expect(throws: ProcessHostFailure.notFound(program: program)) {
            try resolve(program, path: "/a", [:])
        }
    }

    @Test("A name with a slash is not searched for")
    func slash() throws {
        let files = ["./tool": ProgramSearch.Candidate.executable]
        #expect(try resolve("./tool", path: "/a", files) == "./tool")
        #expect(throws: ProcessHostFailure.notFound(program: "x/tool")) {
            try resolve("x/tool", path: "/a", ["/a/x/tool": .executable])
        }
    }

    @Test("An empty element of PATH is the current directory, and no PATH is the default")
    func elements() throws {
        #expect(try resolve("tool", path: ":/a", ["./tool": .executable]) == "./tool")
        #expect(try resolve("sh", path: nil, ["/bin/sh": .executable]) == "/bin/sh")
    }

    @Test("The kernel's refusal of a file that was found")
    func execution() {
        let missing = StartedChild.executionFailure("tool", ENOENT)
        #expect(missing == .notFound(program: "tool"))
        let noFormat = StartedChild.executionFailure("tool", ENOEXEC)
        #expect(noFormat == .notExecutable(program: "tool", errorNumber: ENOEXEC))
    }
}
