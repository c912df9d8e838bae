#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent's programs add to ordinary system calls, in instructions.

The guests of COST_BOOTS count them (vm-tests/guest-init/CostSuite.swift). bpf/cost-baseline.csv holds
what was measured and a limit for each row, and docs/reference/costs.md shows it. A run compares and
never writes: `run.py --write-cost-baseline` does, so that costs grow only when somebody means it.

Usage: cost_report.py compare ROWS.json [--baseline CSV]   whether measured rows keep their limits
       cost_report.py write ROWS.json [--baseline CSV]     take them as the new baseline
       cost_report.py page [--check]                       docs/reference/costs.md from the baseline
"""
import argparse
import csv
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BASELINE = os.path.join(ROOT, "bpf", "cost-baseline.csv")
PAGE = os.path.join(ROOT, "docs", "reference", "costs.md")
REMEASURE = "make build/guest-init && python3 vm-tests/run.py --write-cost-baseline"

# One instruction is one tick of the time-stamp counter, and idle time passes at once. Without
# "enhanced rep movsb" the kernel copies eight bytes with an instruction: with it, QEMU would count an
# instruction for each byte of a page, and everything else would look small beside that.
MACHINE = ["-icount", "shift=0,sleep=off", "-cpu", "max,-erms,-fsrm"]
# Every process at the same addresses, which decide how many page tables it needs.
STEADY = ["norandmaps"]
# Programs that become dearer do so on each kernel, and the second form's are the same code at the same
# places. `--costs` and `--write-cost-baseline` boot all.
REGULAR = ("cost-6.1", "cost-6.12", "cost-7.2", "cost-5.10-no-bpf-lsm")
COST_BOOTS = [
    {"name": f"cost-{series}{suffix}", "series": series, "suites": "costs", "form": form,
     "machine": MACHINE, "parameters": [*STEADY, *words],
     "regular": f"cost-{series}{suffix}" in REGULAR}
    for series, with_bpf in (
        ("5.10", ["lsm=lockdown,yama,loadpin,safesetid,integrity,apparmor,bpf"]),
        ("6.1", []), ("6.12", []), ("7.2", []))
    for suffix, form, words in (
        ("", "lsm", with_bpf), ("-no-bpf-lsm", "fmod_ret", ["lsm=lockdown,yama"]))
]

# `scanning`: added while another workload is scanned; empty where the kernel cannot. `floor`: added by
# a program that does nothing where the scan's programs are asked about reads and writes.
COLUMNS = ("kernel", "form", "call", "off", "added", "ratio", "protected", "scanning", "floor", "limit")
REPORTED = ("protected", "scanning", "floor")
# A row may be above what was measured by this many instructions and this share of what the call takes
# without the agent. Boots of one build give the same for most calls; sendmsg over TCP was seen to
# differ by 38 instructions, openat of /proc by 66, execve by 250. One more program on a call's way
# adds 60 (Linux 5.10) to 200.
MARGIN_INSTRUCTIONS = 20
MARGIN_SHARE = 0.01
# A page of the page cache may take this much more, whatever the baseline says.
PAGE_READ = "read-4096"
PAGE_READ_RATIO_MAX = 1.03


class CostError(Exception):
    """A file that is not as it has to be; the text names it and the fix."""


def key_of(row):
    return row["kernel"], row["form"], row["call"]


def measured(runs):
    """Rows of the boots that counted: instructions of one call, in the order of the guest."""
    rows = []
    for run in runs:
        calls = dict.fromkeys(call for call, _ in run.costs)
        for call in calls:
            per_call = {
                state: run.costs[call, state][0] / run.costs[call, state][1]
                for state in ("off", "unprotected", *REPORTED)
                if (call, state) in run.costs}
            if "off" not in per_call or "unprotected" not in per_call:
                continue
            off = per_call["off"]
            rows.append({
                "kernel": run.boot["series"], "form": run.boot["form"], "call": call,
                "off": round(off), "added": round(per_call["unprotected"] - off),
                **{state: round(per_call[state] - off) if state in per_call else None
                   for state in REPORTED}})
    return rows


def ratio(row):
    return (row["off"] + row["added"]) / row["off"]


def scanned_ratio(row):
    """What the scan's own instructions make of a call, beside those of entering any program."""
    if row["scanning"] is None or row["floor"] is None:
        return 1.0
    return (row["off"] + row["scanning"]) / (row["off"] + row["floor"])


def limit_of(row):
    """The most instructions that the row may add later on."""
    return row["added"] + MARGIN_INSTRUCTIONS + round(row["off"] * MARGIN_SHARE)


def read_baseline(path, new=False):
    """Rows of the committed file; ratio is not read, since it follows from the others.

    `new`: the file need not be there.
    """
    if new and not os.path.exists(path):
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise CostError(f"{path}: the columns are not {','.join(COLUMNS)}; measure anew with: "
                                f"{REMEASURE}")
            return [
                {**row, **{name: int(row[name]) for name in ("off", "added", "limit")},
                 **{name: int(row[name]) if row[name] else None for name in REPORTED}}
                for row in reader]
    except (OSError, TypeError, ValueError) as error:
        raise CostError(f"{path}: {error}; measure anew with: {REMEASURE}") from error


def excess(baseline, rows, whole):
    """One line for each row that costs more than it may, or that one side does not have.

    `whole`: every boot ran, so that every row of the baseline has to be there.
    """
    lines = []
    known = {key_of(row): row for row in baseline}
    found = {key_of(row): row for row in rows}
    for key, row in found.items():
        name = " ".join(key)
        if row["call"] == PAGE_READ and ratio(row) > PAGE_READ_RATIO_MAX:
            lines.append(f"{name}: {ratio(row):.4f} times as many instructions, at most "
                         f"{PAGE_READ_RATIO_MAX} wanted")
        if row["call"] == PAGE_READ and scanned_ratio(row) > PAGE_READ_RATIO_MAX:
            lines.append(f"{name}: {scanned_ratio(row):.4f} times as many instructions as with a program "
                         f"that does nothing while a workload is scanned, at most {PAGE_READ_RATIO_MAX} wanted")
        if key not in known:
            lines.append(f"{name}: measured, and not in the baseline")
        elif row["added"] > known[key]["limit"]:
            lines.append(f"{name}: {row['added']} instructions added, at most "
                         f"{known[key]['limit']} allowed ({known[key]['added']} when measured)")
    booted = {key[:2] for key in found}
    lines += [f"{' '.join(key)}: in the baseline, and not measured"
              for key in known if key not in found and (whole or key[:2] in booted)]
    lines += [f"{kernel} {form} {PAGE_READ}: not measured"
              for kernel, form in sorted(booted) if (kernel, form, PAGE_READ) not in found]
    return lines


def check(baseline, rows, whole):
    """As `excess`, with the control: a comparison that cannot fail proves nothing."""
    lines = excess(baseline, rows, whole)
    dearer = [{**row, "added": row["limit"] + 1} for row in baseline
              if key_of(row) in {key_of(other) for other in rows}]
    if rows and len(excess(baseline, dearer, False)) < len(dearer):
        lines.append("the comparison took calls that were dearer than their limits")
    return lines


def write_baseline(baseline, rows, path):
    """Measured rows with their limits; rows of boots that did not run stay."""
    anew = {key_of(row): {**row, "limit": limit_of(row)} for row in rows}
    booted = {key[:2] for key in anew}
    kept = [row for row in baseline if key_of(row)[:2] not in booted]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in sorted([*kept, *anew.values()], key=place):
            writer.writerow({**row, "ratio": f"{ratio(row):.4f}"})


def place(row):
    """Where a row stands: kernels by their age, forms and calls by their names."""
    return [int(part) for part in row["kernel"].split(".")], row["form"], row["call"]


PREAMBLE = f"""# What the agent costs everybody else

Written by `python3 vm-tests/cost_report.py page` from `bpf/cost-baseline.csv`; do not edit.

Instructions that one call takes in a process that nobody protects, in user space and in the kernel: without
the agent, and what its programs add. A cell is `without +added (ratio)`.

Counted, not timed: QEMU runs the guest with `-icount shift=0`, where the time-stamp counter advances by one
with each instruction, and a loop of known length shows in each boot that it does. Of many rounds the median
counts ([how the guests measure](vm-tests.md#what-the-agents-programs-cost-and-tell)). `make vm-test` measures
again and fails when a row adds more than its limit: what was measured plus {MARGIN_INSTRUCTIONS} instructions
and {MARGIN_SHARE:.0%} of the call. The read of a page in the page cache has to stay within
{PAGE_READ_RATIO_MAX} times its own cost, whatever limit it has.

An instruction is no nanosecond: caches, branch prediction and locks between processors are not in these
figures. The guest's processor has no enhanced `rep movsb`: QEMU counts an instruction for each byte that such
a processor copies, and next to that what the programs add would look small.

| call | what it is |
|---|---|
| getppid | no hook of any security module is asked: what is added here is an error of the measurement |
| read-1, write-1 | one byte of `/dev/zero`, to `/dev/null` |
| read-4096 | a page of a file in the page cache (ramfs, whose reads are those of a disk's file system) |
| write-4096 | a page of a file on tmpfs |
| sendmsg-unix, sendmsg-tcp | 64 bytes over a Unix datagram socket, over TCP through loopback |
| openat, openat-proc | a file on tmpfs, `/proc/self/status`; with the close |
| execve | a static program of three instructions: vfork, execve, exit, wait |
"""

WHILE_SCANNED = f"""
## While a workload is scanned

The programs of the content scan are attached while a workload that registered with a scan is there. The
kernel then asks them about each read, write and send of every process: `file_permission` has no way to be
asked about writes alone, and entering a program is most of the cost. In a process that nobody protects,
`without +added (ratio)`, and what is added by a program of two instructions that lets everything pass: that
is the floor below which no program at this hook can come. The goal of {PAGE_READ_RATIO_MAX} for the read of a
page holds on a node without such a workload; here it is kept above the floor, and missed with it. `make vm-test`
fails when the scan's own instructions make more of it than that.
"""

SCAN = """
## Content scan

`make bench` prints the nanoseconds for a byte of the scan itself, on the machine that it runs on.
"""

FORMS = {"lsm": "LSM programs (`bpf` in `lsm=`)", "fmod_ret": "fmod_ret programs (no `bpf` in `lsm=`)"}


def table(rows, form, cell):
    kernels = list(dict.fromkeys(row["kernel"] for row in rows if row["form"] == form))
    cells = {(row["call"], row["kernel"]): cell(row) for row in rows if row["form"] == form}
    lines = ["| call | " + " | ".join(kernels) + " |\n", "|---" * (1 + len(kernels)) + "|\n"]
    for call in dict.fromkeys(call for call, _ in cells):
        columns = [cells.get((call, kernel), "") for kernel in kernels]
        lines.append("| " + " | ".join([call, *columns]) + " |\n")
    return "".join(lines)


def page(rows):
    parts = [PREAMBLE]
    for form, title in FORMS.items():
        parts.append(f"\n## {title}\n\n" + table(
            rows, form, lambda row: f"{row['off']} {row['added']:+} ({ratio(row):.4f})"))
    parts.append("\n## A protected process\n\nWhat the same calls add in a process that is "
                 "protected. Reported; no limit is kept.\n")
    for form, title in FORMS.items():
        parts.append(f"\n{title}:\n\n" + table(rows, form, lambda row: f"{row['protected']:+}"))
    parts.append(WHILE_SCANNED)
    for form, title in FORMS.items():
        scanned = [row for row in rows if row["form"] == form and row["scanning"] is not None]
        parts.append(f"\n{title}:\n\n" + table(scanned, form, while_scanned))
    return "".join([*parts, SCAN])


def while_scanned(row):
    return (f"{row['off']} {row['scanning']:+} "
            f"({ratio({**row, 'added': row['scanning']}):.4f})"
            + ("" if row["floor"] is None else f", floor {row['floor']:+}"))


def write_page(path, baseline):
    with open(path, "w", encoding="utf-8") as file:
        file.write(page(read_baseline(baseline)))


def tell(lines, rows):
    """Prints what `check` found; whether it found nothing."""
    for line in lines:
        print(f"COSTS {line}")
    if lines:
        print(f"COSTS if that is meant, measure anew with: {REMEASURE}")
    print(f"{len(rows)} costs of calls compared, {len(lines)} complaints")
    return bool(rows) and not lines


def check_page(path, text):
    """Whether the file holds the text."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read() == text
    except OSError:
        return False


def conclude(runs, options, every):
    """Compares what a run of the guests counted with the committed limits, or writes them anew.

    `every`: all boots of COST_BOOTS ran. Whether all is well; prints what is not.
    """
    if not any("form" in run.boot for run in runs):
        return True
    rows = measured(runs)
    if options.costs:
        with open(options.costs, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=2)
    if options.write_cost_baseline:
        if not all(run.finished and all(case["passed"] for case in run.cases) for run in runs):
            print("COSTS nothing written: a boot failed")
            return False
        write_baseline(read_baseline(BASELINE, new=True), rows, BASELINE)
        write_page(PAGE, BASELINE)
        print(f"{len(rows)} rows written to {BASELINE}")
    return tell(check(read_baseline(BASELINE), rows, every), rows)


def read_rows(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise CostError(f"{path}: {error}; run.py --costs writes it") from error


def compare_command(options):
    rows = read_rows(options.rows)
    return 0 if tell(check(read_baseline(options.baseline), rows, True), rows) else 1


def write_command(options):
    write_baseline(read_baseline(options.baseline, new=True), read_rows(options.rows),
                   options.baseline)
    return 0


def page_command(options):
    if not options.check:
        write_page(options.page, options.baseline)
        return 0
    if check_page(options.page, page(read_baseline(options.baseline))):
        print(f"{os.path.relpath(options.page, ROOT)}: current")
        return 0
    print(f"{options.page} is stale, run python3 vm-tests/cost_report.py page", file=sys.stderr)
    return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="whether measured rows keep their limits")
    compare.add_argument("rows", metavar="ROWS.json", help="as run.py --costs writes them")
    write = commands.add_parser("write", help="take measured rows as the new baseline")
    write.add_argument("rows", metavar="ROWS.json")
    shown = commands.add_parser("page", help="write docs/reference/costs.md from the baseline")
    shown.add_argument("--check", action="store_true", help="compare instead of writing")
    shown.add_argument("--page", default=PAGE)
    for command in (compare, write, shown):
        command.add_argument("--baseline", default=BASELINE)
    options = parser.parse_args()
    run = {"compare": compare_command, "write": write_command, "page": page_command}
    return run[options.command](options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CostError as error:
        sys.exit(f"cost_report.py: {error}")
