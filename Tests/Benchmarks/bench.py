#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What delivery and the agent cost, as ratios to the same work without them, in one run.

1. Running programs, for each follow strategy: thread creations, fork+exec, signal deliveries
   and a plain compute loop. The workload times its own work, so start-up does not count.
2. Start-up of `cloudtaser-wrapper run` next to `env CMD` and to a shell script that asks the
   same vault with curl and executes CMD.
3. Resident memory of the waiting wrapper, and the size of its file.
4. System calls of a process that nobody protects, without the agent's programs and with them: in
   instructions, counted by guests of the VM tests (docs/reference/costs.md), so that the load
   of the machine does not matter.
5. The content scan of what a protected process writes: nanoseconds for a byte, next to a copy of
   the same bytes; on this machine's kernel, where it lets this process load BPF programs.
6. The operator's webhook at 500 reviews a second, and its memory, next to a small one in Python.
7. The S3 proxy in front of a store that does nothing, next to OpenSSL's ciphers and to
   `rclone serve s3` over a crypt remote.
8. `cloudtaser audit` of 10,000 pods: time and memory, next to Python and jq that read the same file.

Rounds are interleaved (bare, none, attached, notified, bare, ...), so that a change of the
machine's load falls on all of them; medians are compared.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "vm-tests"))
import admission  # noqa: E402
import audit  # noqa: E402
import objects  # noqa: E402
from cost_report import ratio  # noqa: E402
from openbao import OpenBao  # noqa: E402

# Counts of the issue; --quick divides them.
WORKLOADS = {"threads": 100_000, "execs": 20_000, "signals": 1_000_000, "compute": 300_000_000}
WORDS = {
    "threads": "thread creations", "execs": "vfork + exec of a small program",
    "signals": "deliveries of SIGURG", "compute": "rounds of a compute loop",
}
QUICK = {"threads": 20, "execs": 40, "signals": 20, "compute": 3}
STRATEGIES = ("none", "attached", "notified")
STARTS = 30
TARGETS = {"startup_ms": 25, "resident_kib": 8 * 1024, "size_bytes": 12 * 1000 * 1000,
           "scan_ns": 2.5}
# Values that are looked for: as few as a usual program has, and many.
SCANNED_VALUES = (3, 20)
RUN_SECONDS_MAX = 1800
CURL_SCRIPT = """\
answer=$(curl -sS --cacert "$VAULT_CACERT" -H "X-Vault-Token: $VAULT_TOKEN" \\
    "$VAULT_ADDR/v1/secret/data/bench") || exit 1
DB_PASSWORD=$(printf %s "$answer" | sed 's/.*"password":"\\([^"]*\\)".*/\\1/')
[ -n "$DB_PASSWORD" ] || exit 1
export DB_PASSWORD
unset VAULT_TOKEN
exec "$@"
"""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // (1 << 20)
    return {
        "kernel": platform.release(), "processor": model, "processors": os.cpu_count(),
        "memory_gib": memory, "load_before": os.getloadavg()[0],
    }


def build(product):
    say(f"building {product} (release) ...")
    subprocess.run(["swift", "build", "-c", "release", "--product", product], cwd=ROOT,
                   check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run(["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT,
                           check=True, capture_output=True, text=True)
    return os.path.join(shown.stdout.strip(), product)


class Following:
    """Part 1: the workloads, bare and under each strategy."""

    def __init__(self, harness, workload, counts, rounds, folder):
        self.harness, self.workload = harness, workload
        self.counts, self.rounds = counts, rounds
        self.secrets = os.path.join(folder, "secrets")
        self.counters = os.path.join(folder, "counters")
        with open(self.secrets, "w") as file:
            file.write("CT_ALPHA=a-value-of-a-usual-length-0123\nCT_BETA=another\n")

    def once(self, strategy, work):
        """Seconds of one run, and the supervisor's counters."""
        command = [self.workload, work, str(self.counts[work])]
        if strategy != "bare":
            command = [self.harness, "--mode", "splice", "--follow", strategy, "--counters",
                       self.counters, "--secrets", self.secrets, "--"] + command
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
        if done.returncode != 0:
            raise SystemExit(f"bench: {strategy} {work}: exit {done.returncode}: {done.stderr}")
        seconds = float(done.stdout.split("seconds=")[1].split()[0])
        if strategy == "bare":
            return seconds, {}
        with open(self.counters) as file:
            return seconds, json.load(file)

    def measure(self):
        results = {}
        for work in WORKLOADS:
            say(f"{self.counts[work]:,} {WORDS[work]} ...")
            seconds = {name: [] for name in ("bare",) + STRATEGIES}
            between = {}
            for _ in range(self.rounds):
                for name in seconds:
                    taken, counters = self.once(name, work)
                    seconds[name].append(taken)
                    if counters:
                        between[name] = counters["stopsBetweenExecs"]
            bare = statistics.median(seconds["bare"])
            each = 1e6 / self.counts[work]
            results[work] = {
                "count": self.counts[work],
                "bare_us_each": bare * each,
                "strategies": {
                    name: {
                        "us_each": statistics.median(seconds[name]) * each,
                        "ratio": statistics.median(seconds[name]) / bare,
                        "ratio_best": min(seconds[name]) / min(seconds["bare"]),
                        "ratio_low": min(seconds[name]) / max(seconds["bare"]),
                        "ratio_high": max(seconds[name]) / min(seconds["bare"]),
                        "stops_between_execs": between[name],
                    } for name in STRATEGIES
                },
            }
        return results


class Startup:
    """Part 2 and 3: one vault, three ways to a started program."""

    def __init__(self, wrapper, program, vault, folder, starts):
        self.wrapper, self.vault, self.starts = wrapper, vault, starts
        self.program = [program, "nothing"]
        script = os.path.join(folder, "curl-and-exec")
        with open(script, "w") as file:
            file.write(CURL_SCRIPT)
        self.script = ["/bin/sh", script]
        self.environment = {
            "PATH": os.environ["PATH"], "VAULT_ADDR": vault.address,
            "VAULT_CACERT": vault.ca_file, "VAULT_AUTH_METHOD": "token",
            "VAULT_TOKEN": vault.token, "CLOUDTASER_SECRET_PATHS": "secret/bench",
            "CLOUDTASER_ENV_MAP": "password=DB_PASSWORD",
            "CLOUDTASER_ALLOWED_ORIGINS": vault.address,
        }

    def time(self, command, environment=None):
        begin = time.perf_counter()
        done = subprocess.run(command, env=environment or self.environment, capture_output=True)
        taken = (time.perf_counter() - begin) * 1e3
        if done.returncode != 0:
            raise SystemExit(
                f"bench: {command[0]}: exit {done.returncode}: {done.stderr.decode()}")
        return taken

    def answer_time(self):
        """Milliseconds for the same two reads, over one connection that is open already."""
        import http.client
        host = self.vault.address.split("//")[1]
        link = http.client.HTTPSConnection(host, context=self.vault.tls)
        link.connect()
        begin = time.perf_counter()
        for path in ("sys/internal/ui/mounts/secret", "secret/data/bench"):
            link.request("GET", f"/v1/{path}", headers={"X-Vault-Token": self.vault.token})
            answer = link.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"bench: GET {path}: status {answer.status}")
        taken = (time.perf_counter() - begin) * 1e3
        link.close()
        return taken

    def measure(self):
        ways = {
            "env": ["/usr/bin/env"] + self.program,
            "curl_and_exec": self.script + self.program,
        }
        environments = {}
        for strategy in STRATEGIES:
            name = f"wrapper_{strategy}"
            ways[name] = [self.wrapper, "run", "--"] + self.program
            environments[name] = dict(self.environment, CLOUDTASER_FOLLOW=strategy)
        say(f"start-up, {self.starts} rounds of {len(ways)} ways ...")
        samples = {name: [] for name in ways}
        answers = []
        for _ in range(self.starts):
            for name, command in ways.items():
                samples[name].append(self.time(command, environments.get(name)))
            answers.append(self.answer_time())
        medians = {name: statistics.median(values) for name, values in samples.items()}
        answer = statistics.median(answers)
        return {
            "median_ms": medians, "vault_answer_ms": answer,
            "ratio_to_env": {n: medians[n] / medians["env"] for n in medians},
            "ratio_to_curl": {n: medians[n] / medians["curl_and_exec"] for n in medians},
            "added_ms": {n: medians[n] - medians["env"] - answer
                         for n in medians if n != "env"},
        }

    def resident(self):
        """KiB resident in the wrapper while its program runs."""
        sizes = {}
        for strategy in STRATEGIES:
            process = subprocess.Popen(
                [self.wrapper, "run", "--", "/bin/sh", "-c", "echo ready; read -r _"],
                env=dict(self.environment, CLOUDTASER_FOLLOW=strategy), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True)
            if process.stdout.readline().strip() != "ready":
                raise SystemExit("bench: the wrapper's program did not start")
            time.sleep(0.2)
            with open(f"/proc/{process.pid}/status") as file:
                fields = dict(line.split(":", 1) for line in file)
            # The pages of the program's file are shared by all wrappers of a machine.
            sizes[strategy] = {
                "all": int(fields["VmRSS"].split()[0]),
                "anonymous": int(fields["RssAnon"].split()[0]),
                "file": int(fields["RssFile"].split()[0])}
            process.communicate("\n")
        return sizes


def calls(folder):
    """Part 4. Rows as vm-tests/cost_report.py makes them."""
    rows = os.path.join(folder, "costs.json")
    say("instructions of system calls, in virtual machines ...")
    done = subprocess.run(
        [sys.executable, os.path.join(ROOT, "vm-tests/run.py"), "--costs", rows,
         "--evidence", os.path.join(folder, "evidence")],
        capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    if done.returncode != 0:
        # A cost above its limit is told beside the figures; without figures there is nothing to tell.
        say("\n".join(done.stdout.splitlines()[-20:] + done.stderr.splitlines()))
    if not os.path.exists(rows):
        raise SystemExit("bench: the virtual machines counted nothing; make bench builds what they "
                         "need")
    with open(rows) as file:
        return json.load(file)


def scan(program):
    """Part 5. Nanoseconds for a byte by number of values, and of a copy; or the refusing errno."""
    figures = {}
    for values in SCANNED_VALUES:
        words = subprocess.run([program, str(values)], capture_output=True, text=True, check=True,
                               timeout=RUN_SECONDS_MAX).stdout.split()
        if words[0] == "refused":
            return {"refused": os.strerror(int(words[1]))}
        figures[values] = {"scan_ns": float(words[1]), "copy_ns": float(words[3])}
    return figures


def show_scan(figures):
    print("\nContent scan, for a byte:")
    if "refused" in figures:
        print(f"      not measured: this kernel refuses the program ({figures['refused']})")
        return
    for values, row in figures.items():
        word = "met" if row["scan_ns"] <= TARGETS["scan_ns"] else "NOT MET"
        print(f"      {values:>2} values: {row['scan_ns']:.2f} ns of at most {TARGETS['scan_ns']}: "
              f"{word}; a copy takes {row['copy_ns']:.3f} ns, "
              f"ratio {row['scan_ns'] / row['copy_ns']:.0f}")


def show_calls(rows):
    print("\nSystem calls of a process that nobody protects: instructions without the agent's "
          "programs,\nwith them, and the ratio; counted in QEMU guests, whatever the load")
    for kernel, form in dict.fromkeys((row["kernel"], row["form"]) for row in rows):
        print(f"  Linux {kernel}, {form} programs")
        for row in rows:
            if (row["kernel"], row["form"]) == (kernel, form):
                print(f"      {row['call']:<14} {row['off']:>9,} {row['off'] + row['added']:>9,} "
                      f" {ratio(row):>7.4f} x")


def show(report):
    facts = report["machine"]
    print(f"Linux {facts['kernel']}, {facts['processors']} x {facts['processor']}, "
          f"{facts['memory_gib']} GiB, load {facts['load_before']:.2f} before, "
          f"{facts['load_after']:.2f} after")
    if report["following"]:
        print(f"\nFollowing: ratio to the same program run bare, median of {report['rounds']} "
          "interleaved rounds,\nof the best rounds, [lowest, highest], stops between execs")
    for work, row in report["following"].items():
        print(f"  {row['count']:>11,} {WORDS[work]} (bare {row['bare_us_each']:.3f} us each)")
        for name, cell in row["strategies"].items():
            print(f"      {name:<9} {cell['ratio']:>8.2f} x  best "
                  f"{cell['ratio_best']:>5.2f} x  [{cell['ratio_low']:.2f}, "
                  f"{cell['ratio_high']:.2f}]  {cell['us_each']:>10.3f} us each  "
                  f"{cell['stops_between_execs']:>9,} stops")
    if "startup" in report:
        startup = report["startup"]
        print(f"\nStart-up, median of {report['starts']} interleaved starts; the vault's own "
              f"answers take {startup['vault_answer_ms']:.1f} ms of it")
        for name, value in startup["median_ms"].items():
            added = startup["added_ms"].get(name)
            more = "" if added is None else f"  adds {added:.1f} ms beyond env and the vault"
            print(f"      {name:<18} {value:>7.1f} ms  {startup['ratio_to_env'][name]:>6.2f} x env"
                  f"  {startup['ratio_to_curl'][name]:>5.2f} x curl-and-exec{more}")
        print("\nResident memory of the waiting wrapper:")
        for name, size in report["resident_kib"].items():
            print(f"      {name:<9} {size['all']:>6,} KiB: {size['anonymous']:,} of its own, "
                  f"{size['file']:,} of its file")
        print(f"File: {report['size_bytes']:,} bytes, {report['linkage']}")
        print("\nAgainst the targets:")
        for words, value, limit in report["verdicts"]:
            word = "met" if value <= limit else "NOT MET"
            print(f"      {words}: {value:,.1f} of at most {limit:,}: {word}")
    if "calls" in report:
        show_calls(report["calls"])
    if "scan" in report:
        show_scan(report["scan"])
    if "admission" in report:
        admission.show(report["admission"])
    if "objects" in report:
        objects.show(report["objects"])
    if "audit" in report:
        audit.show(report["audit"])


def linkage(path):
    """Whether the ELF file names an interpreter (a program header of type 3)."""
    with open(path, "rb") as file:
        head = file.read(64)
        offset, size, count = (int.from_bytes(head[a:b], "little")
                               for a, b in ((32, 40), (54, 56), (56, 58)))
        file.seek(offset)
        kinds = [int.from_bytes(file.read(size)[:4], "little") for _ in range(count)]
    return "dynamically linked" if 3 in kinds else "statically linked"


def verdicts(report):
    added = max(report["startup"]["added_ms"][f"wrapper_{name}"] for name in STRATEGIES)
    return [
        ("start-up added beyond env and the vault's answers, ms", added, TARGETS["startup_ms"]),
        ("resident memory, KiB", max(s["all"] for s in report["resident_kib"].values()),
         TARGETS["resident_kib"]),
        ("file, bytes", report["size_bytes"], TARGETS["size_bytes"]),
    ]


def main():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller counts, fewer rounds")
    parser.add_argument("--scale", type=float, default=1, help="multiplies the counts")
    parser.add_argument("--rounds", type=int, help="rounds of each workload")
    parser.add_argument("-o", dest="form", choices=["text", "json"], default="text")
    parser.add_argument("--json-file", help="also write the JSON there")
    parser.add_argument("--harness", help="delivery-harness; built when not given")
    parser.add_argument("--workload", help="bench-workload; built when not given")
    parser.add_argument("--wrapper", default=os.path.join(ROOT, "build/cloudtaser-wrapper"))
    parser.add_argument("--openbao", default=os.path.join(cache, "cloudtaser/openbao/bao"))
    parser.add_argument("--operator", default=os.path.join(ROOT, "build/cloudtaser-operator"))
    parser.add_argument("--s3-proxy", default=os.path.join(ROOT, "build/cloudtaser-s3-proxy"))
    parser.add_argument("--cloudtaser", default=os.path.join(ROOT, "build/cloudtaser"))
    every = ["following", "startup", "calls", "scan", "admission", "objects", "audit"]
    parser.add_argument("--only", choices=every)
    options = parser.parse_args()
    parts = [options.only] if options.only else every
    if os.path.exists("/proc/sys/kernel/yama/ptrace_scope") and os.geteuid() != 0:
        say("note: Yama is active; strategy notified may be refused for ordinary users")

    workload = options.workload or (build("bench-workload") if {"following", "startup"} & set(parts) else "")
    counts = {w: n // QUICK[w] if options.quick else n for w, n in WORKLOADS.items()}
    counts = {w: max(1, int(n * options.scale)) for w, n in counts.items()}
    rounds, starts = (3, 10) if options.quick else (5, STARTS)
    rounds = options.rounds or rounds
    report = {"machine": machine(), "rounds": rounds, "starts": starts, "quick": options.quick}
    with tempfile.TemporaryDirectory(prefix="cloudtaser-bench.") as folder:
        report["following"] = {}
        if "following" in parts:
            harness = options.harness or build("delivery-harness")
            report["following"] = Following(harness, workload, counts, rounds, folder).measure()
        if "startup" in parts:
            for path in (options.wrapper, options.openbao):
                if not os.path.isfile(path):
                    raise SystemExit(f"bench: {path} is missing; `make bench` provides it")
            say("starting OpenBao ...")
            with OpenBao(options.openbao) as vault:
                vault.store("bench", {"password": "a-value-of-a-usual-length-0123"})
                startup = Startup(options.wrapper, workload, vault, folder, starts)
                report["startup"] = startup.measure()
                report["resident_kib"] = startup.resident()
            report["size_bytes"] = os.path.getsize(options.wrapper)
            report["linkage"] = linkage(options.wrapper)
            report["verdicts"] = verdicts(report)
        if "calls" in parts:
            report["calls"] = calls(folder)
        if "scan" in parts:
            report["scan"] = scan(build("scan-bench"))
        if "admission" in parts:
            report["admission"] = admission.measure(options.operator, folder, options.quick, say)
        if "objects" in parts:
            report["objects"] = objects.measure(
                options.s3_proxy, os.path.join(cache, "cloudtaser"), folder, options.quick, say)
        if "audit" in parts:
            report["audit"] = audit.measure(options.cloudtaser, folder, options.quick, say)
    report["machine"]["load_after"] = os.getloadavg()[0]
    text = json.dumps(report, indent=2)
    if options.json_file:
        with open(options.json_file, "w") as file:
            file.write(text + "\n")
    if options.form == "json":
        print(text)
    else:
        show(report)


if __name__ == "__main__":
    main()
