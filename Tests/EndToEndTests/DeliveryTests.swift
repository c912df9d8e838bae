// SPDX-License-Identifier: Apache-2.0
import Delivery
import Foundation
import TestKit
import Testing
import WrapperConfiguration

@Suite("A program under the wrapper") struct ProgramTests {
    @Test func `gets the value and none of the wrapper's own variables`() throws {
        let wrapper = try WrapperProgram()
        wrapper.environment["KEPT"] = "yes"
        wrapper.environment["VAULT_SKIP_VERIFY"] = "1"
        wrapper.environment["CLOUDTASER_FUTURE"] = "1"
        let run = try wrapper.run("env")
        #expect(run.status == 0)
        let lines = Set(run.output.split(separator: "\n").map(String.init))
        #expect(lines.contains("DB_PASSWORD=hunter2-äöü"))
        #expect(lines.contains("KEPT=yes"))
        #expect(!lines.contains { $0.hasPrefix("VAULT_") || $0.hasPrefix("CLOUDTASER_") })
        #expect(run.errors.contains("CLOUDTASER_FUTURE is no variable of this version"))
    }

    @Test func `gets an empty value as an empty value, and a large one whole`() throws {
        let wrapper = try WrapperProgram(
            "kv2 secret empty nothing=\nfilled secret big long 100000")
        wrapper.environment["CLOUDTASER_SECRET_PATHS"] = "secret/empty,secret/big"
        wrapper.environment["CLOUDTASER_ENV_MAP"] = "nothing=NOTHING;long=LONG"
        let run = try wrapper.run("echo \"[${NOTHING-unset}] ${#LONG}\"")
        #expect(run.output == "[] 100000\n")
    }

    @Test func `gets fields of KV v1, one of them called data, and of API paths`() throws {
        let wrapper = try WrapperProgram("kv1 old app data=inner\nkv1 old app user=me")
        wrapper.environment["CLOUDTASER_SECRET_PATHS"] = "old/app,secret/data/app"
        wrapper.environment["CLOUDTASER_ENV_MAP"] = "data=D,user=U;password=P"
        #expect(try wrapper.run("echo $D $U $P").output == "inner me hunter2-äöü\n")
    }

    @Test(arguments: [0, 1, 7, 80, 127, 255])
    func `passes its exit code through`(_ code: Int32) throws {
        #expect(try WrapperProgram().run("exit \(code)").status == code)
    }

    @Test(arguments: [("TERM", 143), ("KILL", 137), ("HUP", 129)] as [(String, Int32)])
    func `passes its signal through as 128 + n`(_ name: String, _ code: Int32) throws {
        #expect(try WrapperProgram().run("kill -\(name) $$").status == code)
    }

    @Test func `is told apart from one that is not there or not executable`() throws {
        let wrapper = try WrapperProgram()
        let file = try wrapper.write("text", "no program")
        for (program, code) in [("nosuchprogram", 127), ("/nowhere/x", 127), (file, 126)] {
            let run = try ProgramRun(
                "cloudtaser-wrapper", ["run", "--", program], environment: wrapper.environment)
            #expect(run.status == code, "\(program)")
            #expect(run.errors.contains(program))
        }
    }

    @Test(arguments: [true, false])
    func `logs in with each method`(_ fromFile: Bool) throws {
        let methods = [
            ("token", "", "VAULT_TOKEN", "VAULT_TOKEN_FILE", "t"),
            ("approle", "r", "VAULT_SECRET_ID", "VAULT_SECRET_ID_FILE", "sid"),
            ("kubernetes", "k", nil, "VAULT_JWT_FILE", "jwt-k"),
            ("jwt", "j", nil, "VAULT_JWT_FILE", "jwt-j"),
        ]
        for (method, role, variable, fileVariable, credential) in methods {
            let wrapper = try WrapperProgram("approle r sid\nkubernetes k jwt-k\njwt j jwt-j")
            wrapper.environment["VAULT_TOKEN"] = nil
            wrapper.environment["VAULT_AUTH_METHOD"] = method
            wrapper.environment["VAULT_AUTH_ROLE"] = role
            if let variable, !fromFile {
                wrapper.environment[variable] = credential
            } else {
                wrapper.environment[fileVariable] = try wrapper.write("credential", credential)
            }
            let run = try wrapper.run("echo $DB_PASSWORD")
            #expect(run.output == "hunter2-äöü\n", "\(method): \(run.errors)")
        }
    }

    @Test func `reads a value from a file in memory where it asks for one`() throws {
        let wrapper = try WrapperProgram()
        wrapper.environment["CLOUDTASER_DELIVERY"] = "file"
        wrapper.environment["CLOUDTASER_READABLE_FILES"] = "true"
        let run = try wrapper.run("cat $DB_PASSWORD; echo; echo $DB_PASSWORD")
        #expect(run.output == "hunter2-äöü\n/proc/self/fd/100\n", "\(run.errors)")
        wrapper.environment["CLOUDTASER_DELIVERY"] = "environ"
        #expect(try wrapper.run().status == WrapperExit.configurationInvalid.rawValue)
    }

    @Test func `may trace its own children where both switches say so, and else not`() throws {
        let victim = ProgramRun.path(of: "delivery-victim")
        func answer(_ run: ProgramRun) -> Substring? {
            run.output.split(separator: "\n").first { $0.hasPrefix("ptrace=") }
        }
        func underWrapper(restrict: String) throws -> Substring? {
            let wrapper = try WrapperProgram()
            wrapper.environment["CLOUDTASER_RESTRICT_SYSTEM_CALLS"] = restrict
            return answer(try wrapper.run("\(victim) probe"))
        }
        let bare = answer(try ProgramRun(path: victim, ["probe"], environment: [:]))
        #expect(bare != nil)
        #expect(try underWrapper(restrict: "false") == bare)
        #expect(try underWrapper(restrict: "true") == "ptrace=EPERM")
    }

    /// Channels whose content no LSM hook sees (AV-090, AV-092 to AV-095).
    @Test(arguments: [DeliveryMode.environ, .splice])
    func `may not use channels that nobody could look into`(_ delivery: DeliveryMode) throws {
        let victim = ProgramRun.path(of: "delivery-victim")
        let calls = ["vmsplice", "tee", "splice", "sendmmsg"]
        func answers(_ run: ProgramRun) -> [String] {
            calls.compactMap { call in
                run.output.split(separator: "\n").first { $0.hasPrefix("\(call)=") }
                    .map(String.init)
            }
        }
        func underWrapper(_ settings: [String: String]) throws -> [String] {
            let wrapper = try WrapperProgram()
            wrapper.environment["CLOUDTASER_DELIVERY"] = delivery.rawValue
            wrapper.environment.merge(settings) { $1 }
            return answers(try wrapper.run("\(victim) probe"))
        }
        let granted = calls.map { "\($0)=granted" }
        let bare = answers(try ProgramRun(path: victim, ["probe"], environment: [:]))
        #expect(bare == granted)
        guard delivery == .environ || WrapperProgram.hasSecretMemory else { return }
        let denied = ["vmsplice=EPERM", "tee=EPERM", "splice=EINVAL"]
        #expect(try underWrapper([:]) == denied + ["sendmmsg=granted"])
        let strict = try underWrapper(["CLOUDTASER_DENY_SENDMMSG": "true"])
        #expect(strict == denied + ["sendmmsg=EPERM"])
        #expect(try underWrapper(["CLOUDTASER_RESTRICT_SYSTEM_CALLS": "false"]) == granted)
    }

    @Test func `is found through PATH and sees its arguments unchanged`() throws {
        let wrapper = try WrapperProgram()
        let run = try ProgramRun(
            "cloudtaser-wrapper", ["run", "--", "printf", "%s|", "a b", "", "--", "*"],
            environment: wrapper.environment)
        #expect(run.output == "a b||--|*|")
    }

    @Test func `sees bytes that are no text, in arguments and environment, unchanged`() throws {
        let wrapper = try WrapperProgram()
        // env(1) sets what Foundation's Process cannot: an entry and an argument in Latin-1.
        let environment = wrapper.environment.map { "'\($0.key)=\($0.value)'" }
        let program = ProgramRun.path(of: "cloudtaser-wrapper")
        let script = """
            L=$(printf '\\351'); exec env -i \(environment.joined(separator: " ")) "LATIN=$L" \
            \(program) run -- sh -c 'printf %s "$LATIN$1" | od -An -tx1' sh "$L"
            """
        let run = try ProgramRun(path: "/bin/sh", ["-c", script], environment: [:])
        #expect(run.output.filter { $0 != " " } == "e9e9\n", "\(run.errors)")
    }
}
