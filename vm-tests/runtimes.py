#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what common runtimes do with a delivered value: does a copy of it lie in ordinary
memory of the running process? Writes docs/reference/runtimes.md.

The scan reads every mapping of the process through /proc/PID/mem, as root. It looks for the
value as bytes and as UTF-16. Counts are reported as 0 or >=1 of several runs: the exact number
depends on garbage collection and says nothing more.
"""
import argparse
import os
import pathlib
import re
import secrets
import shutil
import string
import subprocess
import sys
import tempfile

NAME = "CT_RUNTIME_VALUE"
RUNS = 3
ROOT = pathlib.Path(__file__).resolve().parent.parent
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin"

# name, program looked for, how to ask its version, file, source; {read} is replaced by nothing
# ("idle") or by the statement that reads the value and keeps it ("read").
RUNTIMES = [
    ("C", "cc", ["--version"], "a.c",
     "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint main(void) {{\n"
     "  const char *v = \"\"; {read}\n"
     "  printf(\"ready %zu\\n\", strlen(v)); fflush(stdout); getchar(); return 0; }}\n",
     "v = getenv(\"" + NAME + "\");", ["cc", "-O1", "-o", "{built}", "{file}"]),
    ("sh", "sh", None, "a.sh",
     "v=; {read}\necho \"ready ${{#v}}\"; read -r _\n", "v=$" + NAME, None),
    ("dash", "dash", None, "a.sh",
     "v=; {read}\necho \"ready ${{#v}}\"; read -r _\n", "v=$" + NAME, None),
    ("bash", "bash", ["--version"], "a.sh",
     "v=; {read}\necho \"ready ${{#v}}\"; read -r _\n", "v=$" + NAME, None),
    ("Python", "python3", ["--version"], "a.py",
     "import sys\nv = ''\n{read}\nprint('ready', len(v), flush=True)\nsys.stdin.readline()\n",
     "import os; v = os.environ['" + NAME + "']", None),
    ("Node.js", "node", ["--version"], "a.js",
     "let v = ''; {read}\nconsole.log('ready', v.length);\n"
     "require('fs').readSync(0, Buffer.alloc(1));\n", "v = process.env." + NAME, None),
    ("Java", "java", ["-version"], "A.java",
     "public class A {{ public static void main(String[] a) throws Exception {{\n"
     "  String v = \"\"; {read}\n"
     "  System.out.println(\"ready \" + v.length()); System.in.read(); }} }}\n",
     "v = System.getenv(\"" + NAME + "\");", None),
    ("Perl", "perl", ["-e", "print $^V"], "a.pl",
     "$| = 1; my $v = ''; {read}\nprint 'ready ', length($v), \"\\n\"; <STDIN>;\n",
     "$v = $ENV{{" + NAME + "}};", None),
    ("Rust", "rustc", ["--version"], "a.rs",
     "fn main() {{ let v: String; {read}\n  println!(\"ready {{}}\", v.len());\n"
     "  let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap(); drop(v); }}\n",
     "v = std::env::var(\"" + NAME + "\").unwrap();",
     ["rustc", "-o", "{built}", "{file}"]),
    ("Go", "go", ["version"], "a.go",
     "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nvar kept string\n\nfunc main() {{\n"
     "\t_ = os.Args\n\t{read}\n\tfmt.Println(\"ready\", len(kept))\n"
     "\tos.Stdin.Read(make([]byte, 1))\n}}\n",
     "kept = os.Getenv(\"" + NAME + "\")", ["go", "build", "-o", "{built}", "{file}"]),
]
IDLE = {"Rust": "v = String::new();"}


def build(product):
    print(f"runtimes: building {product} ...", file=sys.stderr, flush=True)
    subprocess.run(["swift", "build", "--product", product], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    shown = subprocess.run(["swift", "build", "--show-bin-path"], cwd=ROOT, check=True,
                           capture_output=True, text=True)
    return os.path.join(shown.stdout.strip(), product)


def find(program):
    return shutil.which(program, path=PATH) or shutil.which(program)


def version(program, arguments):
    """The version that the runtime itself names, or that of the Debian package."""
    if arguments is None:
        package = os.path.basename(os.path.realpath(find(program)))
        shown = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", package],
                               capture_output=True, text=True)
        return shown.stdout.strip() or "unknown"
    shown = subprocess.run([find(program)] + arguments, capture_output=True, text=True)
    text = (shown.stdout + shown.stderr).strip().splitlines()[0]
    found = re.search(r"\d+\.\d+(\.\d+)*", text)
    return found.group(0) if found else text


def prepare(runtime, reads, folder):
    """Writes, and where need be builds, the program. Returns its command."""
    name, program, _, file, source, statement, compile_command = runtime
    statement = statement.replace("{{", "{").replace("}}", "}")
    path = folder / file
    path.write_text(source.format(read=statement if reads else IDLE.get(name, "")))
    if compile_command is None:
        return [find(program), str(path)]
    built = folder / "built"
    command = [find(program)] + [
        word.format(built=built, file=path) for word in compile_command[1:]]
    environment = dict(os.environ, GOCACHE=str(folder / "cache"), GO111MODULE="off")
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"{name}: {done.stderr}")
    return [str(built)]


def descendants(pid):
    """The harness's program: its only child, and that child's children."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child)] + descendants(int(child))
    return found


def copies(pid, value):
    """Occurrences of `value` in readable ordinary memory of one process."""
    forms = [value.encode(), value.encode("utf-16-le")]
    count = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            fields = line.split(None, 5)
            first, last = (int(word, 16) for word in fields[0].split("-"))
            if not fields[1].startswith("r"):
                continue
            if last >= 1 << 63:
                continue
            tail = b""
            for at in range(first, last, 1 << 24):
                try:
                    memory.seek(at)
                    block = memory.read(min(1 << 24, last - at))
                except OSError:
                    # Secret memory answers EIO, and so do pages that do not exist.
                    tail = b""
                    continue
                window = tail + block
                count += sum(window.count(form) for form in forms)
                tail = window[-len(forms[1]) + 1:]
    return count


def measure(harness, mode, command, length_expected):
    """Copies found while the program waits. Checks that it saw the value when it read it."""
    letters = string.ascii_letters + string.digits
    value = "".join(secrets.choice(letters) for _ in range(40))
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(f"{NAME}={value}\n")
        file.flush()
        process = subprocess.Popen(
            [harness, "--mode", mode, "--secrets", file.name, "--"] + command,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"PATH": PATH, "HOME": "/tmp"})
        line = process.stdout.readline().split()
        try:
            if line[:1] != ["ready"] or int(line[1]) != length_expected:
                raise SystemExit(f"{command}: unexpected answer {line}")
            # In the classic mode the harness may have become the program.
            pids = descendants(process.pid)
            if not pids:
                raise SystemExit(f"{command}: no child to scan")
            return sum(copies(pid, value) for pid in pids)
        finally:
            process.stdin.close()
            process.wait()
            process.stdout.close()


def row(harness, runtime, folder):
    name, program, version_arguments = runtime[:3]
    words = {}
    for reads in (False, True):
        command = prepare(runtime, reads, folder)
        length = 40 if reads else 0
        for mode in ("splice", "environ"):
            counts = [measure(harness, mode, command, length) for _ in range(RUNS)]
            words[mode, reads] = "0" if max(counts) == 0 else "≥ 1"
            if mode == "environ" and max(counts) == 0:
                raise SystemExit(f"{name}: the control found no copy: the scan is broken")
    return [name, version(program, version_arguments), words["splice", False],
            words["splice", True], words["environ", False]]


TEXT = """<!-- Generated by vm-tests/runtimes.py (make runtimes). Do not edit. -->
# What runtimes do with a delivered value

Delivery mode `splice` puts a value into secret memory (`memfd_secret`) of the program, and the
kernel refuses to read that memory for another process. What the program does with the value
afterwards is the program's own affair: many runtimes copy the environment into their own heap,
some at start-up, most when it is read. Such a copy is ordinary memory. Root can read it through
`/proc/PID/mem`, ptrace or a core dump, as any other memory of the program, unless the agent's
kernel guard denies that. Delivery alone does not change this.

Each cell: copies of the value found by root in the ordinary readable memory of the running
process, as bytes or UTF-16, in the worst of {runs} runs.

- **started**: the program has begun and has not asked for the value.
- **read**: the program has read the value and keeps it in a variable.
- **control**: the same program, not asking, in the classic mode `environ`. The scan must find at
  least one copy there, or this page is not written.

| Runtime | Version | started | read | control: `environ`, started |
|---|---|---|---|---|
{rows}

{missing}How to read it:

- A row `0`, `0` is a program that uses the value where it lies: no copy was left by the runtime.
  A library that the program hands the value to (a database client, a TLS library) may still copy
  it; that is not measured here. Parts of the value that a C library leaves on the stack when it saves
  vector registers are not counted either.
- A row `0`, `≥ 1` is a runtime that copies when the value is read: a program that never reads
  the value, or has ended, leaves nothing behind in its own memory.
- A row `≥ 1`, `≥ 1` is a runtime that imports its environment at start-up. For such programs
  `splice` keeps the value out of `/proc/PID/environ` and off the stack, and it keeps the wrapper's
  copies protected, but the program's own memory holds the value from its first moments.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--harness", help="delivery-harness; built when not given")
    parser.add_argument("--output", default=str(ROOT / "docs/reference/runtimes.md"))
    parser.add_argument("--only", help="one runtime; prints its row")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("runtimes: root is needed to scan other processes' memory")
    options.harness = options.harness or build("delivery-harness")
    rows, missing = [], []
    for runtime in RUNTIMES:
        if options.only and runtime[0] != options.only:
            continue
        if not find(runtime[1]):
            missing.append(runtime[0])
            continue
        print(f"runtimes: {runtime[0]} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(options.harness, runtime, pathlib.Path(folder)))
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    if options.only:
        print(table)
        return
    absent = ("Not installed where this page was written, and not measured: "
              + ", ".join(missing) + ".\n\n") if missing else ""
    output = pathlib.Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(TEXT.format(runs=RUNS, rows=table, missing=absent))
    print(f"runtimes: {output} written", file=sys.stderr)


if __name__ == "__main__":
    main()
