# SPDX-License-Identifier: Apache-2.0
"""What the host sees of a guest: how often needles occur in its memory and on its swap device.

The needles' numbers are those of vm-tests/guest-init/MachineSuite.swift.
"""
import os

MASK64 = (1 << 64) - 1
LETTERS = (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" b"abcdefghijklmnopqrstuvwxyz" b"0123456789-_")

IMAGE_SECRET, IMAGE_ENVIRONMENT, IMAGE_TWICE = 11, 12, 13
SWAP_SECRET, SWAP_PLAIN = 21, 22
# One SecretBuffer holds one copy.
DECLARED_COPIES = 1
WRAPPED = 61
# The wrapper keeps its master copy for later execs; the application has its values.
DECLARED_WRAPPED = {"application": 1, "wrapper": 1}
PAGE_BYTES = 4096
BLOCK_BYTES = 8


def needle(seed, index, count=40):
    """The same bytes as Needle(seed:index:) of AttackPrograms."""
    state = (seed + index * 0xD1B54A32D192ED03) & MASK64
    letters = bytearray()
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK64
        mixed = state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK64
        letters.append(LETTERS[(mixed ^ (mixed >> 31)) >> 58])
    return bytes(letters)


class Image:
    """Bytes to search, without their zero pages: most of a machine's memory is zero."""

    def __init__(self, data):
        zero = bytes(PAGE_BYTES)
        self.runs, start = [], None
        for place in range(0, len(data), PAGE_BYTES):
            is_zero = data[place:place + PAGE_BYTES] == zero
            if not is_zero and start is None:
                start = place
            elif is_zero and start is not None:
                self.runs.append((start, data[start:place]))
                start = None
        if start is not None:
            self.runs.append((start, data[start:]))

    @property
    def used_bytes(self):
        return sum(len(run) for _, run in self.runs)

    def places(self, pattern):
        """Offsets of every occurrence."""
        found = []
        for start, run in self.runs:
            place = run.find(pattern)
            while place >= 0:
                found.append(start + place)
                place = run.find(pattern, place + 1)
        return found


class MachineChecks:
    """Looks at the machine when the guest has stopped at a marker, and reports cases."""

    def __init__(self, machine, seed, report, zeroes_freed_pages):
        self.machine, self.seed, self.report = machine, seed, report
        self.zeroes_freed_pages = zeroes_freed_pages
        self.held = 0
        self.wrapped, self.wrapped_parts = [], []
        # Physical addresses of secret memory by owner, as the guest declares them.
        self.frames = {}

    def at(self, marker):
        {"held": self.at_held, "gone": self.at_gone, "swap": self.at_swap,
         "wrapped": self.at_wrapped,
         "planted": self.at_planted, "unwrapped": self.at_unwrapped}[marker]()

    def look(self, image, index):
        return image.places(needle(self.seed, index))

    def parts(self, image, index):
        """Offsets of 8-byte blocks of the needle that belong to no whole copy: part of a secret,
        for instance a vector register spilled to a stack, is a leak too."""
        whole = needle(self.seed, index)
        copies = set(image.places(whole))
        return [place for start in range(0, len(whole) - BLOCK_BYTES + 1, BLOCK_BYTES)
                for place in image.places(whole[start:start + BLOCK_BYTES])
                if place - start not in copies]

    def at_held(self):
        image = Image(self.machine.memory_image())
        secret = self.look(image, IMAGE_SECRET)
        parts = self.parts(image, IMAGE_SECRET)
        twice = self.look(image, IMAGE_TWICE)
        self.held = len(secret)
        located = ", ".join(f"{place:#x}" for place in secret)
        self.report(
            "VM-MEM-13", len(secret) == DECLARED_COPIES and not parts,
            f"{len(secret)} copies and {len(parts)} parts in the guest's memory, at "
            f"{located or 'no place'}; declared: {DECLARED_COPIES}",
            f"a needle planted twice is located {len(twice)} times", len(twice) == 2,
            name="copies while held")
        never = image.places(os.urandom(40))
        self.report(
            "LIM-HV-01", len(secret) > 0, f"the host finds it {len(secret)} times",
            f"a random pattern: {len(never)}", not never, name="memory image while held")

    def at_gone(self):
        image = Image(self.machine.memory_image())
        secret = self.look(image, IMAGE_SECRET)
        parts = self.parts(image, IMAGE_SECRET)
        environment = self.look(image, IMAGE_ENVIRONMENT)
        # A dead process's stack keeps its environment, unless the kernel zeroes freed pages.
        residue = bool(environment) != self.zeroes_freed_pages
        self.report(
            "VM-MEM-08", not secret and not parts,
            f"{len(secret)} copies and {len(parts)} parts after the process has gone",
            f"while it ran: {self.held}; its environment's needle is found {len(environment)} "
            "times after the end" + (" (init_on_free=1)" if self.zeroes_freed_pages else ""),
            self.held > 0 and residue,
            name="memory image after the end")
        self.report(
            "LIM-HV-01", not secret, f"the host finds it {len(secret)} times",
            f"while held: {self.held}", self.held > 0, name="memory image after the end")

    def at_swap(self):
        with open(self.machine.swap_path, "rb") as file:
            image = Image(file.read())
        secret = self.look(image, SWAP_SECRET)
        parts = self.parts(image, SWAP_SECRET)
        plain = self.look(image, SWAP_PLAIN)
        self.report(
            "VM-MEM-10", not secret and not parts,
            f"{len(secret)} copies and {len(parts)} parts on the swap device "
            f"({image.used_bytes >> 20} MiB written)",
            f"an ordinary page of the same process: {len(plain)}", bool(plain),
            name="swap device after memory pressure")

    def at_wrapped(self):
        image = Image(self.machine.memory_image())
        self.wrapped = self.look(image, WRAPPED)
        self.wrapped_parts = self.parts(image, WRAPPED)
        self.held = len(self.wrapped)

    def at_planted(self):
        found = self.wrapped
        owners = {owner: sum(place - place % PAGE_BYTES in frames for place in found)
                  for owner, frames in sorted(self.frames.items())}
        kept = ", ".join(f"{count} in secret memory of the {owner}"
                         for owner, count in owners.items())
        planted = len(self.look(Image(self.machine.memory_image()), WRAPPED)) - len(found)
        self.report(
            "VM-MEM-13", owners == DECLARED_WRAPPED and sum(owners.values()) == len(found)
            and not self.wrapped_parts,
            f"{len(found)} copies in the guest's memory: {kept}, "
            f"{len(found) - sum(owners.values())} elsewhere; {len(self.wrapped_parts)} parts",
            f"copies found more after planting one: {planted}", planted == 1,
            name="copies under the wrapper")

    def at_unwrapped(self):
        image = Image(self.machine.memory_image())
        found, parts = self.look(image, WRAPPED), self.parts(image, WRAPPED)
        self.report(
            "VM-MEM-08", not found and not parts,
            f"{len(found)} copies and {len(parts)} parts after wrapper and application have gone",
            f"while they ran: {self.held}", self.held > 0, name="memory image after the wrapper")
