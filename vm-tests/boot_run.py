# SPDX-License-Identifier: Apache-2.0
"""One boot of a guest, from start to power-off."""
import os
import tempfile
import threading
import time

import crash_kernel
from crash_kernel import crashes
from machine import BootFailure, Machine
from machine_checks import MachineChecks

print_lock = threading.Lock()
started_at = time.monotonic()


def say(text):
    with print_lock:
        print(f"[{time.monotonic() - started_at:6.1f} s] {text}", flush=True)


class BootRun:
    """One boot from start to power-off, with what the guest reported."""

    def __init__(self, boot, kernel, options):
        self.boot, self.kernel, self.options = boot, kernel, options
        self.cases, self.suites, self.attacks, self.verdicts = [], {}, {}, []
        self.programs = {}
        self.costs = {}
        self.errands, self.contained = [], {}
        self.facts = {}
        self.finished, self.retries, self.seconds, self.used = False, 0, 0.0, 0.0
        self.failure = ""
        # Of a record: RFC 3339.
        self.started = ""

    def run(self):
        begin = time.monotonic()
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for attempt in (0, 1):
            self.cases, self.suites, self.facts, self.finished = [], {}, {}, False
            self.verdicts, self.errands, self.contained = [], [], {}
            said_hello = self.once()
            if said_hello or attempt == 1:
                break
            # Software emulation dies of random corruption now and then: once more, and counted.
            self.retries += 1
            say(f"{self.boot['name']}: died before init's first line, booting once more")
        self.seconds = time.monotonic() - begin
        if not self.finished:
            self.add("boot", False, self.failure or "the guest stopped before its end", "", True)
            if crashes(self.boot):
                # The kernel that panicked has reported its half, which is no record by itself.
                self.add(crash_kernel.TEST, False, "no crash kernel came to its end", "", True)
        missing = [name for name in self.boot["suites"].split(",") if name not in self.suites]
        if self.finished and missing:
            self.add("boot", False, f"suites not run: {missing}", "", True)
        return self

    def add(self, identifier, passed, observation, control, control_passed, name="host"):
        self.cases.append({
            "id": identifier, "name": name, "passed": passed and control_passed,
            "observation": observation, "control": control, "controlPassed": control_passed})
        case = self.cases[-1]
        say(f"{self.boot['name']}: {'pass' if case['passed'] else 'FAIL'} {identifier} {name}: "
            f"{observation}" + (f"; control: {control}" if control else ""))

    def once(self):
        """Boots; True when init said its first line."""
        seed = int.from_bytes(os.urandom(8), "big")
        words = [*self.boot["parameters"], f"ct.seed={seed:016x}",
                 f"ct.suites={self.boot['suites']}"]
        hello = False
        self.used = 0.0
        with tempfile.TemporaryDirectory(prefix="cloudtaser-vm-") as folder:
            machine = Machine(self.kernel["vmlinuz"], self.image(), words, folder,
                              memory_mib=self.boot.get("memory", self.options.memory),
                              silence=self.options.timeout,
                              more=self.boot.get("machine", ()))
            checks = MachineChecks(machine, seed, self.add,
                                   "init_on_free=1" in self.boot["parameters"])
            try:
                for message in machine.messages():
                    hello = True
                    self.handle(message, machine, checks)
            except BootFailure as error:
                self.failure = str(error)
                say(f"{self.boot['name']}: {error}")
            finally:
                machine.stop()
            if not self.finished and hello or self.options.console:
                for line in machine.console_tail(self.options.console_lines):
                    say(f"{self.boot['name']} console: {line}")
        return hello

    def image(self):
        """The initramfs for this guest."""
        if crashes(self.boot):
            return self.options.crash_images[self.boot["series"]]
        return self.options.small if counts(self.boot) else self.options.initramfs

    def handle(self, message, machine, checks):
        kind = message.get("type")
        if kind == "case":
            self.cases.append(message)
            say(f"{self.boot['name']}: {'pass' if message['passed'] else 'FAIL'} "
                f"{message['id']} {message['name']}: {message['observation']}; "
                f"control: {message['control']}")
        elif kind == "attack":
            self.attacks[message["vector"]] = (message["classic"], message["cloudtaser"])
        elif kind == "verdict":
            self.verdicts.append(message)
        elif kind == "containment":
            self.errands.append(message)
        elif kind == "contained":
            self.contained[message["vector"]] = message["result"]
        elif kind == "program":
            self.programs[message["section"]] = (message["verified"], message["bytes"])
        elif kind == "cost":
            self.costs[message["call"], message["state"]] = (
                message["instructions"], message["calls"])
        elif kind == "profile":
            self.facts = message["facts"]
        elif kind == "suite":
            used = machine.processor_seconds()
            self.suites[message["name"]] = used - self.used
            self.used = used
        elif kind == "frames":
            checks.frames[message["owner"]] = set(message["frames"])
        elif kind == "marker":
            checks.at(message["name"])
            machine.answer()
        elif kind == "finished":
            self.finished = True


def counts(boot):
    """Whether it is a guest that counts instructions."""
    return "machine" in boot


def has_own_image(boot):
    """Whether its image holds only what its one suite needs."""
    return counts(boot) or crashes(boot)
