#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays the same seeds of each scenario in two processes at once: their traces must be the same, byte for
byte. The last line is `N passed, N failed`.

Usage: twice.py --program build/cloudtaser --seeds 50 --scenario NAME...
"""
import argparse
import subprocess
import sys
import tempfile

# A trace that tells less than this of a seed tells nothing.
BYTES_MIN = 2_000
SECONDS_MAX = 600


def played(program, scenario, seeds, trace):
    return subprocess.Popen(
        [program, "simulate-worker", "--scenario", scenario, "--first", "1", "--count", str(seeds), "--trace"],
        stdout=trace, stderr=subprocess.PIPE)


def fault(program, scenario, seeds):
    """What is wrong; None: nothing."""
    # Into files: with a pipe that nobody reads yet, one would wait for the other.
    with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as other:
        traces = (one, other)
        processes = [played(program, scenario, seeds, trace) for trace in traces]
        told = [process.communicate(timeout=SECONDS_MAX)[1] for process in processes]
        for process, errors in zip(processes, told):
            if process.returncode:
                return f"ended with {process.returncode}: {errors.decode(errors='replace')[-400:]}"
        for trace in traces:
            trace.seek(0)
        return difference(seeds, *(trace.read() for trace in traces))


def difference(seeds, first, second):
    found = {line for line in first.split(b"\n") if line.startswith(b"seed ")}
    if len(found) != seeds:
        return f"{len(found)} seeds of {seeds} in the trace"
    if len(first) < BYTES_MIN * seeds:
        return f"a trace of {len(first)} bytes tells nothing"
    for number, lines in enumerate(zip(first.split(b"\n"), second.split(b"\n")), 1):
        if lines[0] != lines[1]:
            return f"line {number} differs:\n  {lines[0].decode()}\n  {lines[1].decode()}"
    return None if first == second else f"{len(first)} and {len(second)} bytes"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("--scenario", action="append", required=True)
    options = parser.parse_args()
    failed = 0
    for scenario in options.scenario:
        wrong = fault(options.program, scenario, options.seeds)
        failed += wrong is not None
        print(f"{scenario}: {options.seeds} seeds twice: {wrong or 'the same'}", flush=True)
    print(f"{len(options.scenario) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
