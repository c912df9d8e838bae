// SPDX-License-Identifier: Apache-2.0
import Delivery
import Foundation
import Glibc
import TestKit
import Testing
import WrapperConfiguration

/// `cloudtaser-wrapper attach`, as probes and hooks of an injected pod run it. Each test has a
/// mount namespace of its own, as a container has: the socket's name comes from it.
@Suite("attach") struct AttachTests {
    private let wrapper: WrapperProgram
    /// Whether the value came, whether /proc/self/environ shows it, and a code of its own.
    private static let check = """
        echo "value $DB_PASSWORD"; tr '\\0' '\\n' < /proc/$$/environ | sed 's/^/environ /'; exit 7
        """

    init() throws {
        wrapper = try WrapperProgram()
        wrapper.environment["CLOUDTASER_DELIVERY"] = "splice"
    }

    /// Runs a script beside a wrapper whose program waits until it is stopped. In the script are
    /// `$W`, the wrapper's path, and `$RUN`, its process; `$CHECK` is declared.
    private func container(
        _ script: String, declared: [[String]] = [], attach: String? = nil,
        program: String = "exec sleep 60", before: String = ""
    ) throws -> ProgramRun {
        let commands = ([["/bin/sh", "-c", Self.check]] + declared).map {
            DeclaredCommand($0.map { .init($0) })
        }
        var environment = wrapper.environment
        environment["CLOUDTASER_ATTACH"] = attach ?? AttachPolicy.commands(commands).text
        environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
        environment["W"] = ProgramRun.path(of: "cloudtaser-wrapper")
        environment["CHECK"] = Self.check
        environment["FOLDER"] = wrapper.folder.path(percentEncoded: false)
        let text = """
            cd "$FOLDER"; \(before)
            $AS "$W" run -- /bin/sh -c ': > mark; \(program)' & RUN=$!
            until [ -e mark ]; do kill -0 $RUN || exit 99; sleep 0.02; done
            \(script)
            code=$?; kill $RUN; wait $RUN; exit $code
            """
        return try ProgramRun(
            path: "/usr/bin/unshare", ["-m", "/bin/sh", "-c", text], environment: environment)
    }

    private static func expectDelivered(_ run: ProgramRun, environShows: Bool = false) {
        #expect(run.status == 7, "\(run)")
        #expect(run.output.hasPrefix("value hunter2-äöü\n"), "\(run)")
        #expect(run.output.contains("environ DB_PASSWORD=hunter2") == environShows, "\(run)")
    }

    @Test(arguments: [
        ("splice", "attached"), ("splice", "notified"), ("splice", "none"), ("environ", "attached"),
    ])
    func `gives a declared command the values, its output and its code to the caller`(
        _ delivery: String, _ follow: String
    ) throws {
        wrapper.environment["CLOUDTASER_DELIVERY"] = delivery
        wrapper.environment["CLOUDTASER_FOLLOW"] = follow
        let run = try container(#""$W" attach -- /bin/sh -c "$CHECK""#)
        Self.expectDelivered(run, environShows: delivery == "environ")
        // It steers nothing with what steers the wrapper.
        #expect(!run.output.contains("environ CLOUDTASER_"), "\(run)")
        // Control: without attach there is no value.
        let plain = try container(#"/bin/sh -c "$CHECK""#)
        #expect(plain.status == 7 && plain.output.hasPrefix("value \n"), "\(plain)")
    }

    @Test func `works for an ordinary user`() throws {
        let copy =
            "cp \"$W\" w; chmod 0555 w; chmod 0777 .; W=./w; cp $VAULT_CACERT ca; chmod 0444 ca;"
            + " VAULT_CACERT=./ca\n"
        let run = try container(
            #"$AS "$W" attach /bin/sh -c "$CHECK""#,
            before: copy + "AS='setpriv --reuid 65534 --regid 65534 --clear-groups'")
        Self.expectDelivered(run)
    }

    @Test func `hands a file over as delivery mode file does`() throws {
        wrapper.environment["CLOUDTASER_DELIVERY"] = "file"
        wrapper.environment["CLOUDTASER_READABLE_FILES"] = "true"
        let command = ["/bin/sh", "-c", "cat $DB_PASSWORD"]
        let run = try container(
            #""$W" attach /bin/sh -c 'cat $DB_PASSWORD'"#, declared: [command])
        #expect(run.status == 0 && run.output == "hunter2-äöü", "\(run)")
    }

    @Test func `says why a command is not found or not executable`() throws {
        let run = try container(
            """
            "$W" attach ./none; echo $?; "$W" attach ./data; echo $?; "$W" attach true; echo $?
            """, declared: [["./none"], ["./data"], ["true"]], before: ": > data")
        #expect(run.output == "127\n126\n0\n", "\(run)")
    }

    // MARK: - Attacks

    @Test(arguments: [
        ["/bin/sh", "-c", "echo $DB_PASSWORD"], ["/bin/sh", "-c"], ["/bin/sh"], ["printenv"],
        ["/bin/sh", "-c", "CHECK", "more"], [""],
    ])
    func `runs nothing that was not declared`(_ command: [String]) throws {
        let words = command.map { $0 == "CHECK" ? #""$CHECK""# : "'\($0)'" }
            .joined(separator: " ")
        let run = try container(#""$W" attach -- \#(words)"#)
        #expect(run.status == WrapperExit.attachRefused.rawValue && run.output.isEmpty, "\(run)")
        #expect(run.errors.contains("is not one of CLOUDTASER_ATTACH"), "\(run)")
        // Control: declared, it runs, whatever it prints.
        guard command.count > 2, command[2] != "CHECK" else { return }
        let declared = try container(#""$W" attach -- \#(words)"#, declared: [command])
        #expect(declared.status == 0 && declared.output == "hunter2-äöü\n", "\(declared)")
    }

    @Test func `takes neither environment nor folder nor input from the caller`() throws {
        let command = ["sh", "-c", "echo $PATH $LD_PRELOAD $EXTRA $PWD; cat"]
        let run = try container(
            """
            mkdir other; cd other; printf '#!/bin/sh\\necho evil' > sh; chmod +x sh
            echo typed | PATH=$PWD LD_PRELOAD=./evil.so EXTRA=more PWD=/ CLOUDTASER_ATTACH=sh \
                "$W" attach sh -c 'echo $PATH $LD_PRELOAD $EXTRA $PWD; cat' 2> errors
            """, declared: [command])
        let folder = wrapper.folder.path(percentEncoded: false)
        #expect(run.output == "/usr/sbin:/usr/bin:/sbin:/bin \(folder)\n", "\(run)")
    }

    /// Says the words itself, without the program.
    private static let impostor = """
        import os, socket, sys, array
        place = "cloudtaser-attach %s %s" % tuple(
            os.readlink("/proc/self/ns/" + kind) for kind in ("mnt", "pid"))
        if len(sys.argv) > 1: place = sys.argv[1]
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect("\\0" + place)
        words = ["/bin/sh", "-c", os.environ["CHECK"]]
        s.sendmsg([b"".join(w.encode() + b"\\0" for w in words)],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1, 2]))])
        answer = s.recv(2000)
        print("impostor", answer[0], answer[5:].decode())
        """

    @Test func `answers no other program, no other user and no other container`() throws {
        let script = try wrapper.write("impostor.py", Self.impostor)
        let name =
            #""cloudtaser-attach $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/pid)""#
        let other = "setpriv --reuid 65534 --regid 65534 --clear-groups"
        let run = try container(
            """
            cp "$W" copy; N=\(name)
            python3 \(script)
            ./copy attach /bin/sh -c "$CHECK"
            chmod 0755 . && cp copy /tmp/w.$$ && \(other) /tmp/w.$$ attach /bin/sh -c "$CHECK"
            rm /tmp/w.$$
            unshare -m python3 \(script) "$N"; unshare -pf python3 \(script) "$N"
            "$W" attach /bin/sh -c "$CHECK"
            """)
        // Control: the last one is served.
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(
            lines.filter { $0.hasPrefix("impostor") } == [
                "impostor 1 the caller is not this program in this container",
                "impostor 1 the caller is not this program in this container",
                "impostor 1 the caller is not this program in this container",
            ], "\(run)")
        #expect(lines.filter { $0 == "value hunter2-äöü" }.count == 1, "\(run)")
        #expect(run.errors.contains("the caller is not this program in this container"), "\(run)")
        #expect(run.errors.contains("another user"), "\(run)")
    }

    /// What an attacker of the same user in the same container gets, and so does root of the node
    /// in the container's namespaces: the output of what was declared. `attach` adds no more.
    @Test func `lets anybody of the container's user see what a declared command prints`() throws {
        let run = try container(#"sh -c '"$W" attach /bin/sh -c "$CHECK"'"#)
        Self.expectDelivered(run)
    }

    @Test func `survives requests that are none`() throws {
        let script = try wrapper.write(
            "noise.py",
            """
            import os, socket, array
            place = "\\0cloudtaser-attach %s %s" % tuple(
                os.readlink("/proc/self/ns/" + kind) for kind in ("mnt", "pid"))
            def connected():
                s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                s.connect(place); return s
            def rights(count):
                return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1] * count))]
            for data, count in [(b"x", 0), (b"\\0", 2), (b"a\\0b", 2), (b"a\\0", 1), (b"a\\0", 3),
                    (b"a\\0", 200), (b"\\xff" * 65536, 2), (b"a\\0" * 40000, 2)]:
                s = connected(); s.sendmsg([data], rights(count) if count else []); s.recv(2000)
            idle = [connected() for _ in range(8)]
            connected().close()
            """)
        let run = try container(
            """
            open() { ls /proc/$RUN/fd | wc -l; }
            settled() { now=$(open); until sleep 0.2; [ $(open) = $now ]; do now=$(open); done; }
            settled; before=$now
            python3 \(script); "$W" attach /bin/sh -c "$CHECK"; code=$?
            # An answer arrives before what belonged to it is closed.
            for wait in $(seq 300); do
                count=$(($(open) - before)); [ $count = 0 ] && break; sleep 0.1
            done
            echo "descriptors $count"; (exit $code)
            """)
        Self.expectDelivered(run)
        #expect(run.output.hasSuffix("descriptors 0\n"), "\(run)")
    }

    // MARK: - Life

    @Test func `serves many at once, and asks the vault for none of them`() throws {
        let run = try container(
            """
            for number in $(seq 24); do
                "$W" attach /bin/sh -c "$CHECK" > out.$number & all="$all $!"
            done
            for one in $all; do wait $one; echo "code $?"; done
            grep -c "^value hunter2" out.* | grep -c ":1$"
            """)
        let lines = run.output.split(separator: "\n")
        #expect(lines.filter { $0 == "code 7" }.count == 24, "\(run)")
        #expect(lines.last == "24", "\(run)")
    }

    @Test func `kills the command when the caller is killed`() throws {
        let command = ["/bin/sh", "-c", "echo $$ > number; exec sleep 60"]
        let run = try container(
            """
            "$W" attach /bin/sh -c 'echo $$ > number; exec sleep 60' & A=$!
            until [ -s number ]; do sleep 0.02; done
            kill -0 $(cat number) && echo runs
            kill -9 $A
            for wait in $(seq 100); do kill -0 $(cat number) || break; sleep 0.05; done
            kill -0 $(cat number) || echo gone; kill -0 $RUN && echo program
            """, declared: [command])
        #expect(run.output == "runs\ngone\nprogram\n", "\(run)")
    }

    @Test func `ends the command with the program`() throws {
        let command = ["/bin/sh", "-c", "echo $$ > number; exec sleep 60"]
        let run = try container(
            """
            "$W" attach /bin/sh -c 'echo $$ > number; exec sleep 60' & A=$!
            until [ -s number ]; do sleep 0.02; done
            kill $RUN; wait $A; echo "code $?"; kill -0 $(cat number) || echo gone
            """, declared: [command])
        #expect(run.output == "code 137\ngone\n", "\(run)")
    }

    @Test func `with plain runs the command itself, without values`() throws {
        let run = try container(#""$W" attach -- /bin/sh -c "$CHECK""#, attach: "plain")
        #expect(run.status == 7 && run.output.hasPrefix("value \n"), "\(run)")
        #expect(!run.output.contains("environ VAULT_") && !run.output.contains("CLOUDTASER_"))
        #expect(run.output.contains("environ PATH="))
        let missing = try container(#""$W" attach -- ./none"#, attach: "plain")
        #expect(missing.status == 127, "\(missing)")
    }

    @Test func `runs nothing when nothing was declared, and none beside no wrapper`() throws {
        let run = try container(#""$W" attach -- /bin/sh -c "$CHECK""#, attach: "")
        #expect(run.status == 117 && run.errors.contains("lists no command"), "\(run)")
        // The wrapper below does not listen; the caller does not know.
        let alone = try container(
            #"CLOUDTASER_ATTACH=true "$W" attach -- true"#, attach: "")
        #expect(alone.status == 117 && alone.errors.contains("no wrapper"), "\(alone)")
    }

    @Test func `a second wrapper that would take the same place does not start`() throws {
        let run = try container(#""$W" run -- echo started"#)
        #expect(run.status == 117 && run.output.isEmpty, "\(run)")
        #expect(run.errors.contains("another wrapper in this container"), "\(run)")
        // Control: in a container of its own it does.
        let control = try container(#"unshare -m "$W" run -- echo started"#)
        #expect(control.status == 0 && control.output == "started\n", "\(control)")
    }
}
