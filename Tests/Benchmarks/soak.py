#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs many seeds of each scenario of the simulator and writes what came of them into a page.

The seeds begin at the number that the commit's name is, so that another commit plays others. The tree
must be as it was committed: the page names the commit. The rows of other scenarios stay.

Usage: soak.py --program build/cloudtaser --seeds 10000 [--jobs 2] [--scenario NAME]...
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PAGE = os.path.join(ROOT, "docs", "reference", "soak.md")
# One scenario at most; a rate far below all that were seen.
HOURS_MAX = 6
COLUMNS = ("scenario", "commit", "seeds", "first seed", "failures", "canaries red", "facts seen",
           "seeds a minute", "processes", "peak kB", "hash", "date")
HEAD = """\
# Soak

Written by `make soak`: many seeds of each scenario of the [simulation](simulation.md). A row can be
repeated at its commit with `cloudtaser simulate --scenario NAME --first-seed N --seeds N`: the hash over
all runs is the same then. Rates are those of the machine and its load at that time.

"""


def git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def scenarios(program):
    """All that the program knows, by its help."""
    done = subprocess.run([program, "simulate", "--help"], capture_output=True, text=True, check=True)
    found = re.search(r"Which world to run:\s*(.*?)\.", " ".join(done.stdout.split()))
    if not found:
        sys.exit("soak: the help of `simulate` names no scenarios; what has changed there?")
    return [name.strip() for name in found.group(1).split(",")]


def run(program, scenario, seeds, jobs, commit):
    """A row of the page, and whether all was well."""
    print(f"soak: {scenario}, {seeds} seeds …", flush=True)
    began = time.monotonic()
    words = [program, "simulate", "--scenario", scenario, "--seeds", str(seeds), "--commit", commit,
             "-o", "json"] + (["--jobs", str(jobs)] if jobs else [])
    done = subprocess.run(words, capture_output=True, text=True, timeout=HOURS_MAX * 3600)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"soak: {scenario} ended with {done.returncode}: {done.stderr[-2000:]}")
    for failure in said["failures"]:
        print(f"  seed {failure['seed']}: {failure['oracle']}: {failure['message']}")
        print(f"  {failure['command']}")
    for name in said["neverSeen"]:
        print(f"  never seen: {name}")
    canaries = list(said["canaries"].values())
    print(f"soak: {scenario}: {said['seeds']} seeds, {said['failureCount']} failures, "
          f"{time.monotonic() - began:.0f} s", flush=True)
    facts = said["sometimes"]
    row = (scenario, commit[:12], said["seeds"], said["firstSeed"], said["failureCount"],
           f"{canaries.count('red')} of {len(canaries)}",
           f"{sum(count > 0 for count in facts.values())} of {len(facts)}", said["seedsPerMinute"],
           said["jobs"], max(said["peakResidentKilobytes"]), f"`{said['hash']}`",
           time.strftime("%Y-%m-%d", time.gmtime()))
    return [str(value) for value in row], done.returncode == 0


def rows_of(page):
    """By scenario."""
    try:
        with open(page, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    cells = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in lines if line.startswith("| ")][1:]
    return {row[0]: row for row in cells if len(row) == len(COLUMNS)}


def write(page, rows):
    table = [COLUMNS, ["---"] * len(COLUMNS), *(rows[name] for name in sorted(rows))]
    with open(page + ".new", "w", encoding="utf-8") as file:
        file.write(HEAD + "".join(
            ("| " + " | ".join(row) + " |" if row[0] != "---" else "|" + "---|" * len(row)) + "\n"
            for row in table))
    os.replace(page + ".new", page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--scenario", action="append")
    parser.add_argument("--page", default=PAGE)
    parser.add_argument("--commit", help="what the program was built from, where this is no clean checkout of it")
    options = parser.parse_args()
    known = scenarios(options.program)
    wanted = options.scenario or known
    if unknown := set(wanted) - set(known):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    if not options.commit and git("status", "--porcelain", "--", "Sources", "Simulation", "Package.swift"):
        parser.error("the sources differ from the commit, which the page would name; commit them first")
    commit = options.commit or git("rev-parse", "HEAD")
    good = True
    for scenario in wanted:
        row, is_well = run(options.program, scenario, options.seeds, options.jobs, commit)
        good = good and is_well
        write(options.page, rows_of(options.page) | {scenario: row})
    print(f"soak: {options.page} is written")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
