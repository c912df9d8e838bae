// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// A language run-time that launches three children and hands its own value to a fourth by a pipe.
struct Interpreter: Sendable, CustomStringConvertible {
    let name: String
    /// The program looked for on PATH.
    let program: String
    /// File the source is written to, relative to the stage's folder.
    let file: String
    let source: String
    /// Arguments before the file.
    var options: [String] = []
    /// Built by this program into the folder's `built` first.
    var isCompiled = false

    var description: String { name }

    static let shell = """
        for i in 1 2 3; do "$SUITE_VICTIM" leaf "child-$i" || exit; done
        printf %s "$CT_ALPHA" | "$SUITE_VICTIM" leaf-stdin parent

        """

    static let all: [Interpreter] = [
        Interpreter(name: "sh", program: "sh", file: "a.sh", source: shell),
        Interpreter(name: "dash", program: "dash", file: "a.sh", source: shell),
        Interpreter(name: "bash", program: "bash", file: "a.sh", source: shell),
        Interpreter(
            name: "busybox", program: "busybox", file: "a.sh", source: shell, options: ["sh"]),
        Interpreter(
            name: "bash with nested and concurrent subshells", program: "bash", file: "nested.sh",
            source: """
                ( ( "$SUITE_VICTIM" leaf child-1 ) & first=$!
                  ( bash -c '"$SUITE_VICTIM" leaf child-2; exit $?' ) & second=$!
                  wait $first && wait $second ) || exit
                x=$("$SUITE_VICTIM" leaf child-3) || exit
                export CT_ALPHA
                ( printf %s "$CT_ALPHA" | "$SUITE_VICTIM" leaf-stdin parent )

                """),
        Interpreter(
            name: "entrypoint that ends in exec", program: "bash", file: "entrypoint.sh",
            source: """
                #!/bin/bash
                set -- sh -c '
                for i in 1 2 3; do "$SUITE_VICTIM" leaf "child-$i" || exit; done
                printf %s "$CT_ALPHA" | "$SUITE_VICTIM" leaf-stdin parent'
                export ADDED=1
                exec "$@"

                """),
        Interpreter(
            name: "python", program: "python3", file: "a.py",
            source: """
                import os, subprocess, sys
                victim = os.environ["SUITE_VICTIM"]
                subprocess.run([victim, "leaf", "child-1"], check=True)
                subprocess.run([victim, "leaf", "child-2"], check=True, close_fds=False)
                subprocess.run([victim, "leaf", "child-3"], check=True, env=dict(os.environ))
                subprocess.run([victim, "leaf-stdin", "parent"], check=True,
                               input=os.environ["CT_ALPHA"].encode())

                """),
        Interpreter(
            name: "node", program: "node", file: "a.js",
            source: """
                const { spawnSync } = require("child_process");
                const run = (words, input) => {
                  const r = spawnSync(process.env.SUITE_VICTIM, words, { input });
                  if (r.status !== 0) process.exit(r.status || 1);
                };
                for (let i = 1; i <= 3; i++) run(["leaf", "child-" + i]);
                run(["leaf-stdin", "parent"], process.env.CT_ALPHA);

                """),
        Interpreter(
            name: "perl", program: "perl", file: "a.pl",
            source: """
                my $v = $ENV{SUITE_VICTIM};
                for my $i (1 .. 3) { system($v, "leaf", "child-$i") == 0 or exit 1; }
                open(my $p, "|-", $v, "leaf-stdin", "parent") or exit 1;
                print $p $ENV{CT_ALPHA};
                close($p) or exit 1;

                """),
        Interpreter(
            name: "make -j", program: "make", file: "Makefile",
            source: """
                all: one two three
                \tprintf %s "$$CT_ALPHA" | "$$SUITE_VICTIM" leaf-stdin parent
                one two three:
                \t"$$SUITE_VICTIM" leaf child-$@

                """, options: ["-s", "-j3", "-f"]),
        Interpreter(
            name: "java", program: "java", file: "A.java",
            source: """
                public class A {
                  static void run(String input, String... words) throws Exception {
                    Process p = new ProcessBuilder(words).redirectErrorStream(true).start();
                    p.getOutputStream().write(input.getBytes());
                    p.getOutputStream().close();
                    if (p.waitFor() != 0) System.exit(1);
                  }
                  public static void main(String[] a) throws Exception {
                    String v = System.getenv("SUITE_VICTIM");
                    for (int i = 1; i <= 3; i++) run("", v, "leaf", "child-" + i);
                    run(System.getenv("CT_ALPHA"), v, "leaf-stdin", "parent");
                  }
                }

                """, options: ["-Xshare:auto", "-XX:TieredStopAtLevel=1"]),
        Interpreter(
            name: "rust", program: "rustc", file: "a.rs",
            source: """
                use std::io::Write;
                use std::process::{exit, Command, Stdio};
                fn main() {
                    let v = std::env::var("SUITE_VICTIM").unwrap();
                    for i in 1..4 {
                        let label = format!("child-{}", i);
                        let s = Command::new(&v).args(["leaf", &label]).status().unwrap();
                        if !s.success() { exit(1) }
                    }
                    let mut p = Command::new(&v).args(["leaf-stdin", "parent"])
                        .stdin(Stdio::piped()).spawn().unwrap();
                    let value = std::env::var("CT_ALPHA").unwrap();
                    p.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
                    if !p.wait().unwrap().success() { exit(1) }
                }

                """, options: ["-o", "built"], isCompiled: true),
        Interpreter(
            name: "go", program: "go", file: "a.go",
            source: """
                package main

                import (
                	"os"
                	"os/exec"
                	"strings"
                )

                func main() {
                	v := os.Getenv("SUITE_VICTIM")
                	for _, n := range []string{"1", "2", "3"} {
                		if exec.Command(v, "leaf", "child-"+n).Run() != nil {
                			os.Exit(1)
                		}
                	}
                	c := exec.Command(v, "leaf-stdin", "parent")
                	c.Stdin = strings.NewReader(os.Getenv("CT_ALPHA"))
                	if c.Run() != nil {
                		os.Exit(1)
                	}
                }

                """, options: ["build", "-o", "built"], isCompiled: true),
    ]

    var path: String? { Host.find(program, isCompiler: isCompiled) }
    static let installed = all.filter { $0.path != nil }
    static var missing: [String] { all.filter { $0.path == nil }.map(\.name) }

    /// The command that runs it; compiles first where it is compiled.
    func command(on stage: Stage) throws -> [String] {
        let program = path ?? program
        let path = stage.folder + "/" + file
        try stage.write(file, source, mode: 0o755)
        guard isCompiled else { return [program] + options + [path] }
        let built = stage.folder + "/built"
        let words = [program] + options.map { $0 == "built" ? built : $0 } + [path]
        let outcome = try Command(
            words,
            environment: ProcessInfo.processInfo.environment
                .map { "\($0.key)=\($0.value)" } + ["GOCACHE=\(stage.folder)/cache"]
        ).finish(within: 600)
        guard outcome.status == 0 else { throw SuiteFailure("\(name): \(outcome)") }
        chmod(built, 0o755)
        return [built]
    }
}

extension DeliverySuite {
    @Suite("Interpreters", .serialized)
    struct InterpreterTests {
        @Test(
            "A run-time delivers to its own process and to its children",
            arguments: Interpreter.installed, Host.follows)
        func deliversToChildren(interpreter: Interpreter, follow: String) throws {
            for user in Host.users {
                let stage = try Stage()
                let setup = Setup(follow: follow, user: user)
                let run = try Run(setup, on: stage, try interpreter.command(on: stage))
                guard expectDelivered(run, setup, on: stage) else { continue }
                #expect(run.labelled("child-").count == 3)
                #expect(run.labelled("parent").count == 1)
                for seen in run.observations {
                    #expect(seen.values == "ok", "\(setup): \(seen.label)")
                    #expect(seen.entry(of: "CT_ALPHA") == Data(), "\(setup): \(seen.label)")
                    let leaks =
                        stage.leaks(in: seen.environment)
                        || stage.leaks(in: seen.parentEnvironment)
                    #expect(!leaks, "\(setup): \(seen.label)")
                }
            }
        }

        @Test("Control: the classic mode shows the values", arguments: Interpreter.installed)
        func classicShows(interpreter: Interpreter) throws {
            let stage = try Stage()
            let run = try Run(
                Setup(mode: "environ"), on: stage, try interpreter.command(on: stage))
            #expect(run.outcome.status == 0, "\(run.outcome)")
            #expect(run.observations.count == 4)
            #expect(run.observations.allSatisfy { stage.leaks(in: $0.environment) })
        }

        @Test("The run-times that are not installed here are named")
        func missing() {
            let missing = Interpreter.missing
            if !missing.isEmpty {
                print("Delivery suite: not installed, not run: \(missing.joined(separator: ", "))")
            }
            #expect(Interpreter.installed.contains { $0.name == "sh" })
        }
    }
}
