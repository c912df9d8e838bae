#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots pinned Debian kernels in QEMU, has the guest attack secrets there, and judges.

Takes static binaries that are already built. The guest (vm-tests/guest-init) reports cases as JSON
lines on its second serial port; where the host has to look (memory image, swap device) it stops at
a marker and this program looks. Writes evidence records and kernel profiles, and ends with the line
`N passed, N failed`.
"""
import argparse
import concurrent.futures
import json
import os
import sys
import tempfile
import time

import containment_report
import cost_report
import crash_kernel
import demo
import enforcement_report
import guest_tools
import kernels
import matrix_comparison
import page_module
from boot_run import BootRun, counts, has_own_image, say, started_at
from guest_image import initramfs
from results import write_evidence, write_profiles

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Swap comes last, because the machine swaps afterwards.
ALL_SUITES = ("hibernation,images,memory,core,wrapper,vectors,budget,enforcement,filters,paths,agent,guard,"
              "calls,signal,leaks,neighbours,swap")


def suites(more="", denied=False):
    """All suites, with `more` of them before the swapping."""
    chosen = ALL_SUITES.replace("neighbours", "neighbours-denied") if denied else ALL_SUITES
    return chosen.replace(",swap", f",{more},swap" if more else ",swap")


# What is the same code on each kernel is played on the oldest and the newest, and in both forms of the
# programs: another build that takes over (`replacement`), ordinary work under a policy that denies
# everything (`neighbours-denied`).

# Each boot: kernel series, what is added to the kernel command line and why, suites to run. The longest
# come first, so that no processor waits at the end.
BOOTS = [
    # memfd_secret is compiled in and off by default before Linux 6.5.
    {"name": "6.1", "series": "6.1", "suites": suites("module"),
     "parameters": ["secretmem.enable=1"]},
    {"name": "7.2", "series": "7.2", "suites": suites("replacement,interruption", denied=True),
     "parameters": []},
    {"name": "6.12", "series": "6.12", "suites": suites(), "parameters": []},
    # LSM programs load and attach there, and never run.
    {"name": "6.12-no-bpf-lsm", "series": "6.12",
     "suites": "enforcement,filters,paths,agent,guard,calls,signal,leaks,replacement",
     "parameters": ["lsm=lockdown,yama"]},
    # This kernel preempts itself, which tracing programs are no match for.
    {"name": "7.2-no-bpf-lsm", "series": "7.2", "suites": "interruption",
     "parameters": ["lsm=lockdown,yama"]},
    # No bpf in Debian 11's default list of security modules; no memfd_secret in this kernel.
    {"name": "5.10", "series": "5.10", "suites": suites("replacement", denied=True),
     "parameters": ["lsm=lockdown,yama,loadpin,safesetid,integrity,apparmor,bpf"]},
    {"name": "6.1-default", "series": "6.1", "suites": "tier,wrapper,vectors", "parameters": []},
    # Pages of dead processes hold nothing, so that every copy found is one that somebody keeps.
    {"name": "6.12-init-on-free", "series": "6.12", "suites": "images,copies,vectors",
     "parameters": ["init_on_free=1"]},
    *crash_kernel.BOOTS,
    *cost_report.COST_BOOTS,
]

# What the demonstration boots when the host cannot show the attacks.
DEMO_BOOT = {"name": "demo", "series": "6.12", "suites": "demo", "parameters": ["init_on_free=1"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    build = os.path.join(ROOT, "build")
    parser.add_argument("--kernels", help="cache of kernels.py (default: its own)")
    parser.add_argument("--guest-init", default=os.path.join(build, "guest-init"))
    parser.add_argument("--attack", default=os.path.join(build, "attack"))
    parser.add_argument("--wrapper", default=os.path.join(build, "cloudtaser-wrapper"))
    parser.add_argument("--agent", default=os.path.join(build, "cloudtaser-agent"))
    parser.add_argument("--application", default=os.path.join(build, "demo-application"))
    parser.add_argument("--neighbour", default=os.path.join(build, "neighbour.bpf.o"))
    parser.add_argument("--evidence", default=os.path.join(build, "evidence"))
    parser.add_argument("--profiles", default=os.path.join(ROOT, "Fixtures", "kernel-profiles"))
    parser.add_argument("--matrix", metavar="JSON",
                        help="compare the attacks' results with the output of simulate --matrix -o json")
    parser.add_argument("--measured", default=os.path.join(ROOT, "Fixtures",
                                                           "vm-measured-cells.json"))
    parser.add_argument("--baseline",
                        default=os.path.join(ROOT, "bpf", "verifier-baseline.csv"))
    parser.add_argument("--page", default=os.path.join(ROOT, "docs", "reference",
                                                       "enforcement-matrix.md"))
    parser.add_argument("--costs", metavar="ROWS.json",
                        help="boot only the guests that count instructions, and write what they "
                        "counted")
    parser.add_argument("--write-cost-baseline", action="store_true",
                        help="boot only those, and write bpf/cost-baseline.csv and its page")
    parser.add_argument("--signal-page", default=os.path.join(ROOT, "docs", "reference",
                                                              "signal-tier.md"))
    parser.add_argument("--demo", metavar="EXPECTED",
                        help="attack the demonstration's pair in one guest, print its table and "
                        "compare it with this file")
    parser.add_argument("--only", action="append", metavar="BOOT", help="run this boot only")
    parser.add_argument("--suites", help="run these suites only (comma-separated)")
    parser.add_argument("--jobs", type=int, default=3, help="boots at a time; a guest waits a third of its time")
    parser.add_argument("--memory", type=int, default=256, help="guest memory (MiB)")
    parser.add_argument("--timeout", type=int, default=300,
                        help="seconds without a word after which a guest counts as hung")
    parser.add_argument("--console", action="store_true", help="print the guests' consoles")
    parser.add_argument("--console-lines", type=int, default=40)
    options = parser.parse_args()
    options.only_costs = bool(options.costs or options.write_cost_baseline)
    options.whole = not (options.only or options.suites or options.only_costs)
    return options


def chosen_boots(options):
    if options.demo:
        return [dict(DEMO_BOOT)]
    boots = [dict(boot) for boot in BOOTS
             if (boot["name"] in options.only if options.only
                 else options.only_costs or boot.get("regular", True))]
    if options.only_costs:
        boots = [boot for boot in boots if counts(boot)]
    elif options.suites:
        # Guests with an image of their own have their one suite.
        boots = [boot for boot in boots if options.only or not has_own_image(boot)]
        for boot in boots:
            boot["suites"] = options.suites
    return boots


def guest_programs(options):
    """What goes into the guests (name there: path here); all of it has to be built."""
    programs = {"init": options.guest_init}
    if not options.only_costs:
        programs |= {"bin/attack": options.attack, "bin/cloudtaser-wrapper": options.wrapper,
                     "bin/cloudtaser-agent": options.agent,
                     "bin/demo-application": options.application}
    needed = list(programs.values()) + ([] if options.only_costs else [options.neighbour])
    missing = [path for path in needed if not os.path.exists(path)]
    if missing:
        sys.exit(f"run.py: not built: {', '.join(missing)} (make vm-test builds them)")
    return programs


def guest_tools_of(options, found, boots, folder, notes):
    """What the guests' suites run besides this project's programs: files and links."""
    if options.only_costs:
        return {}, {}
    modules = [place for kernel in found.values() for place in kernel["modules"]]
    objects = [options.neighbour]
    if page_module.SERIES in found:
        module, why = page_module.build(found[page_module.SERIES], folder)
        objects += [module] if module else []
        for boot in boots if why else []:
            suites = boot["suites"].split(",")
            boot["suites"] = ",".join(name for name in suites if name != page_module.SUITE)
        notes += [why] if why else []
    return guest_tools.tools(modules, objects)


def main():
    options = arguments()
    boots = chosen_boots(options)
    programs = guest_programs(options)
    pins = {pin["series"]: pin for pin in kernels.pins()}
    found = {series: kernels.fetch(pins[series], say, options.kernels)
             for series in dict.fromkeys(boot["series"] for boot in boots)}
    notes = []
    with tempfile.TemporaryDirectory(prefix="cloudtaser-vm-") as folder:
        options.initramfs = os.path.join(folder, "initramfs.gz")
        tools, links = guest_tools_of(options, found, boots, folder, notes)
        size = initramfs({**programs, **tools}, options.initramfs, links)
        options.small = os.path.join(folder, "initramfs-init.gz")
        initramfs({"init": options.guest_init}, options.small, effort=0)
        options.crash_images = {
            boot["series"]: crash_kernel.image(
                found[boot["series"]], options.guest_init, options.agent, folder)
            for boot in boots if crash_kernel.crashes(boot)}
        say(f"initramfs: {size >> 10} KiB; {len(boots)} boots, {options.jobs} at a time, "
            "software emulation")
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            jobs = [pool.submit(BootRun(boot, found[boot["series"]], options).run)
                    for boot in boots]
            runs = [job.result() for job in jobs]
    if options.demo:
        return demonstration(runs[0], options.demo)
    records = write_evidence(runs, options.evidence)
    if options.whole:
        write_profiles(runs, options.profiles)
    agree = options.matrix is None or comparison(runs, options)
    told = enforcement(runs, options)
    for note in notes:
        print(note)
    cheap = cost_report.conclude(runs, options, options.only_costs and not options.only)
    return summary(runs, found, records, options) or (0 if agree and told and cheap else 1)


def enforcement(runs, options):
    """Compares what the agent's programs cost and told with the committed files; writes both."""
    wrong = enforcement_report.check_baseline(runs, options.baseline, options.whole)
    for line in wrong:
        print(f"GREW {line}")
    pages = [(options.page, enforcement_report), (options.signal_page, containment_report)]
    changed = [path for path, report in pages
               if options.whole and not report.check_page(runs, path)]
    for path in changed:
        print(f"CHANGED {path}: look at the difference and commit it")
    return not wrong and not changed


def comparison(runs, options):
    """Whether the simulated kernel agrees and enough cells were compared; prints both."""
    cells = matrix_comparison.simulated_cells(options.matrix)
    compared, wrong = matrix_comparison.compare(runs, cells)
    # The control: a comparison that cannot fail proves nothing.
    turned, refused = matrix_comparison.compare(runs, matrix_comparison.inverted(cells))
    for line in wrong:
        print(f"DISAGREES {line}")
    # Turned round, a cell that disagrees agrees.
    if len(refused) + len(wrong) < len(turned):
        print(f"the comparison took {len(turned) - len(refused)} cells that were turned round")
        return False
    # Both forms of program are compared with the same cells.
    compared = set(compared)
    minimum = matrix_comparison.committed_minimum(options.measured)
    whole = options.whole
    print(f"{len(compared)} cells compared with the simulated kernel, {len(wrong)} disagree"
          + (f"; at least {minimum} have to be compared" if whole else ""))
    if wrong or whole and len(compared) < minimum:
        return False
    if whole:
        matrix_comparison.write_cells(compared, max(minimum, len(compared)), options.measured)
    return True


def demonstration(run, path):
    """The demonstration's table from the guest's attacks; 1 if a cell is not as expected."""
    with open(path, encoding="utf-8") as file:
        expected = json.load(file)["attacks"]
    if not run.finished or not all(row["vector"] in run.attacks for row in expected):
        sys.exit(f"run.py: the guest did not run every attack: {run.failure or run.cases}")
    print(f"\nAttacked as root in a QEMU guest with Debian's kernel {run.facts['release']}:")
    rows = []
    for row in expected:
        classic, cloudtaser = run.attacks[row["vector"]]
        fits = classic in row["classic"] and cloudtaser in row["cloudtaser"]
        rows.append((row, classic, cloudtaser, fits))
    demo.print_table(rows)
    return demo.verdict(rows)


def summary(runs, found, records, options):
    print()
    for run in runs:
        good = sum(case["passed"] for case in run.cases)
        retried = f", retried {run.retries} time" if run.retries else ""
        print(f"{run.boot['name']:<12} {run.facts.get('release', '?'):<30} {run.seconds:5.1f} s  "
              f"{good} passed, {len(run.cases) - good} failed{retried}")
        print("    processor seconds: " + ", ".join(f"{name} {seconds:.0f}"
                                        for name, seconds in run.suites.items()))
    for kernel in found.values():
        if kernel["note"]:
            print(kernel["note"])
    for run in runs:
        for case in run.cases:
            if not case["passed"]:
                print(f"FAILED {run.boot['name']} {case['id']} {case['name']}: "
                      f"{case['observation']}; control: {case['control']}")
    print(f"{records} evidence records in {options.evidence}; "
          f"{sum(run.retries for run in runs)} boots retried; "
          f"{time.monotonic() - started_at:.0f} s")
    cases = [case for run in runs for case in run.cases]
    good = sum(case["passed"] for case in cases)
    print(f"{good} passed, {len(cases) - good} failed")
    return 0 if good == len(cases) and cases else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (kernels.KernelError, guest_tools.ToolsError, cost_report.CostError) as error:
        sys.exit(f"run.py: {error}")
