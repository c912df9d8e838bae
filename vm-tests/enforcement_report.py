# SPDX-License-Identifier: Apache-2.0
"""What the guests report of the agent's BPF programs: a page of verdicts, and what programs cost.

The page (docs/reference/enforcement-matrix.md) follows from the `verdict` messages of the suites
`enforcement` and `paths`, the costs (bpf/verifier-baseline.csv) from their `program` messages.
"""
import csv
import os

from matrix_comparison import GAINS

# A program may grow by this much over its row in the baseline, in instructions that the verifier
# walks and in bytes. Rows only ever shrink by themselves, so that growth cannot creep.
GROWTH_MAX = 0.10
COLUMNS = ("kernel", "program", "verified", "bytes")
MODES = ("none", "detect", "deny", "deny+kill")


def baseline(path):
    """(kernel, program) -> (verified instructions, bytes)."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        return {(row["kernel"], row["program"]): (int(row["verified"]), int(row["bytes"]))
                for row in csv.DictReader(file)}


def measured(runs):
    """The same from a run; boots of one series have the same kernel."""
    rows = {}
    for run in runs:
        for section, cost in run.programs.items():
            rows.setdefault((run.boot["series"], section), cost)
    return rows


def grown(old, new):
    """One line for each program that grew beyond the tolerance, or has lost its row."""
    lines = []
    for key, (verified, size) in sorted(new.items()):
        if key not in old:
            continue
        for what, before, now in (("verified instructions", old[key][0], verified),
                                  ("bytes", old[key][1], size)):
            if now > before * (1 + GROWTH_MAX):
                lines.append(f"{key[0]} {key[1]}: {now} {what}, {before} in the baseline")
    # The signal tier's programs are reported by a suite of their own.
    reported = {(kernel, is_of_signal_tier(section)) for kernel, section in new}
    lines += [f"{key[0]} {key[1]}: in the baseline, and not loaded"
              " (delete its row if that is meant)"
              for key in sorted(old)
              if (key[0], is_of_signal_tier(key[1])) in reported and key not in new]
    return lines


def is_of_signal_tier(section):
    return section.startswith("raw_tp/")


def write_baseline(old, new, path):
    """New programs get a row; known ones keep theirs unless they shrank."""
    rows = dict(old)
    for key, cost in new.items():
        rows[key] = tuple(map(min, rows[key], cost)) if key in rows else cost
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (kernel, program), cost in sorted(rows.items()):
            writer.writerow((kernel, program, *cost))


def check_baseline(runs, path, writes):
    """Compares, writes when all is well and told to, and returns what grew."""
    old, new = baseline(path), measured(runs)
    if not new:
        return []
    lines = grown(old, new)
    # The control: a comparison that cannot fail proves nothing.
    doubled = {key: (2 * verified, 2 * size) for key, (verified, size) in new.items()}
    if any(key in old for key in new) and not grown(old, doubled):
        lines.append("the comparison took programs of twice their size")
    if writes and not lines:
        write_baseline(old, new, path)
    return lines


PREAMBLE = """# What the agent denies, and what it tells

Written by `make vm-test`; do not edit. One section for each boot; the attacks are played by root in
the guest, first without the agent, then while its programs report, deny, or deny and kill. `through`:
the attacker got the secret, control, a setting or facts, or past every check. A cell is what the
attacker met, with the error number of the refusal, and after the dash the events, by the vector that
they name. The tier is the one that the self-test of that boot found to deny.
"""


def cell(message):
    if message is None:
        return ""
    outcome = message["outcome"]
    word = "through" if outcome in GAINS else outcome
    if outcome == "refused" and message["enforcement"] == "deny+kill":
        word = "killed"
    elif outcome == "refused":
        word += f" {message['errorName']}"
    return word + (f" — {message['events']}" if message.get("events") else "")


def page(runs):
    parts = [PREAMBLE]
    for run in sorted(runs, key=lambda run: run.boot["name"]):
        rows = {}
        for message in run.verdicts:
            if message["enforcement"] not in MODES:
                continue
            key = (message["id"], message["vector"], message["delivery"], message["target"])
            rows.setdefault(key, {}).setdefault(message["enforcement"], message)
        rows = {key: cells for key, cells in rows.items()
                if any("tier" in message for message in cells.values())}
        if not rows:
            continue
        tiers = {message.get("tier", "none") for cells in rows.values()
                 for mode, message in cells.items()}
        words = " ".join(run.boot["parameters"]) or "nothing"
        parts.append(f"\n## {run.boot['name']}\n\nAdded to the kernel command line: `{words}`. "
                     f"Tier: {', '.join(sorted(tiers - {'none'})) or 'none'}.\n\n"
                     "| vector | attack | delivery | on | " + " | ".join(MODES) + " |\n"
                     + "|---" * (4 + len(MODES)) + "|\n")
        for (identifier, name, delivery, target), cells in sorted(rows.items()):
            shown = name if name != identifier else ""
            columns = [identifier, shown, delivery, target,
                       *(cell(cells.get(mode)) for mode in MODES)]
            parts.append("| " + " | ".join(columns) + " |\n")
    return "".join(parts)


def check_page(runs, path):
    """Writes the page; whether it is the one that was there."""
    text = page(runs)
    old = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            old = file.read()
    if text != old:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return text == old
