# SPDX-License-Identifier: Apache-2.0
"""What the guests report of attackers that are killed: a page of bytes and times.

The page (docs/reference/signal-tier.md) follows from the messages `containment` and `contained` of the
suite `signal`. Times differ with each run, so the page is rewritten only when something else does.
"""
import os
import re

PREAMBLE = """# What it is worth that an attacker is killed

Written by `make vm-test`; do not edit. Times are of the run that last changed anything else here, in
software emulation on one virtual processor: from before the attacker's first call until it is reaped.

The tier `signal` sees a call at the tracepoints sys_enter and sys_exit and kills whoever made it. The
call goes on to its end: the tier detects and contains, and denies nothing. `bytes` is how much of
a secret of 40 bytes is in memory that the attacker shares with a process that lives on, once the
attacker is dead; for process_vm_writev, how much of the target was changed. `deny+kill` is the same under
the tier that denies. The attacks have to succeed on a process without protection (`unprotected`).

What the tier leaves, on every kernel below:

- A process that shares the attacker's table of descriptors (CLONE_FILES) keeps what was opened, and
  reads on. It is no attacker by itself, and is not killed.
- Links under `/proc/PID` (`fd/N`, `map_files`, `root`, `cwd`, `exe`; AV-013 to AV-015) stand for files of
  their own: nothing tells where they were found. Descriptors that arrive over a socket (AV-012),
  probes by perf on user or kernel functions (AV-028), what io_uring opens, and I/O ports (AV-061 to
  AV-063) are not seen either.
- The attributes of perf_event_open and bpf are read from memory that the caller may change meanwhile.
- Process 1 cannot be killed: it is only reported.
- A protected process is never killed for what it does itself (AV-003, AV-035, AV-104): it is reported.
- A thread that finds no room in the table of protected threads runs without protection; the other tiers
  do not let it start.
- The agent is not guarded beyond the calls above: root takes its pins and maps away.
"""

ERRANDS = """
## {name}

Added to the kernel command line: `{parameters}`.

| attack | vector | tier | mode | killed | bytes with others | time to the end | unprotected |
|---|---|---|---|---|---|---|---|
"""
TIME = re.compile(r"\b\d+ µs")


def page(runs):
    parts = [PREAMBLE]
    for run in sorted(runs, key=lambda run: run.boot["name"]):
        if not run.errands:
            continue
        parts.append(ERRANDS.format(name=run.boot["name"],
                                    parameters=" ".join(run.boot["parameters"]) or "nothing"))
        for row in run.errands:
            parts.append(
                f"| {row['errand']} | {row['vector']} | {row['tier']} | {row['mode']} | "
                f"{'yes' if row['killed'] else 'no'} | {row['bytes']} | {row['microseconds']} µs | "
                f"{row['controlBytes']} bytes, lives |\n")
        words = {}
        for vector, word in sorted(run.contained.items()):
            words.setdefault(word, []).append(vector)
        parts.append("\nThe attacks of the agent's self-test under the tier `signal`: " + "; ".join(
            f"{word}: {', '.join(vectors)}" for word, vectors in sorted(words.items())) + ".\n")
    return "".join(parts)


def without_times(text):
    return TIME.sub("µs", text)


def check_page(runs, path):
    """Writes the page when it differs in more than times; whether it did not."""
    text, old = page(runs), ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            old = file.read()
    if without_times(text) == without_times(old):
        return True
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return False
