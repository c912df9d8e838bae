# SPDX-License-Identifier: Apache-2.0
"""What becomes of an injected container while the vault cannot be reached, or is sealed."""
import os
import statistics
import tempfile
import threading
import time
import unittest

import demo

import containers
import stage
from evidence import evidence

# Two versions of a secret of its own.
VALUES = "canary-2f6a1d90c3", "canary-b81e04d77a"
# Starts with the vault, and without.
STARTS = 9


def files_with(folder, values):
    """Below a folder: those that hold one of the values."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                content = file.read()
            if any(value.encode() in content for value in values):
                found.append(name)
    return found


class Lines(threading.Thread):
    """What a process says on standard error, as it comes."""

    def __init__(self, file):
        super().__init__(daemon=True)
        self._file = file
        self.text = ""
        self.start()

    def run(self):
        for line in self._file:
            self.text += line


class VaultAway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()

    @evidence("SIM-VAULT-01", "with the vault back a new version reaches the program; the same search finds a "
                              "value in a file")
    def test_a_vault_that_is_away(self):
        """at the start nothing runs; a program that runs goes on with what it has; no value is in a file"""
        more = {"secret-paths": "secret/shop/rotates", "fetch-seconds-max": "5", "rotation": "restart",
                "rotation-check-seconds": "5"}
        made = self.stage.api.create_pod("shop", stage.pod(
            "rotates", more={f"cloudtaser.io/{name}": value for name, value in more.items()}))
        self.stage.vault.store("shop/rotates", {"password": VALUES[0]})
        with tempfile.TemporaryDirectory(prefix="cloudtaser-pod-") as folder:
            os.chmod(folder, 0o755)
            box = containers.Sandbox(self.stage.api, made, folder, self.stage.images())
            code, _, errors = box.run("cloudtaser-install")
            self.assertEqual(code, 0, errors)
            code, output, errors = box.run("web", is_offline=True)
            self.assertEqual((code, output), (83, ""), errors)
            self.check_running(box)
            self.assertEqual(files_with(folder, VALUES), [])
            with open(os.path.join(folder, "control"), "w", encoding="utf-8") as file:
                file.write(VALUES[1])
            self.assertEqual(files_with(folder, VALUES), ["control"])
        self.control()

    @evidence("LIM-AVAIL-01", "with the vault back the same command line starts the program, as it starts "
                              "alone, with the value in its environment")
    def test_a_start_needs_the_vault(self):
        """while the vault is out of reach or sealed, the container of a new pod ends before its program"""
        made = self.stage.api.create_pod("shop", stage.pod(
            "starts", more={"cloudtaser.io/fetch-seconds-max": "5"}))
        with tempfile.TemporaryDirectory(prefix="cloudtaser-pod-") as folder:
            os.chmod(folder, 0o755)
            box = containers.Sandbox(self.stage.api, made, folder, self.stage.images())
            code, _, errors = box.run("cloudtaser-install")
            self.assertEqual(code, 0, errors)
            code, output, errors = box.run("web", is_offline=True)
            self.assertEqual((code, output), (83, ""), errors)
            self.stage.vault.seal()
            try:
                code, output, errors = box.run("web")
            finally:
                self.stage.vault.unseal()
            self.assertEqual((code, output), (90, ""), errors)
            through = self.milliseconds_to_start(box)
            web = box.container("web")
            web["command"] = web["command"][3:]
            web["env"].append({"name": stage.COMMAND[1], "value": stage.VALUE})
            alone = self.milliseconds_to_start(box)
        self.measured(f"a start took {through:.0f} ms through a vault on the same machine and {alone:.0f} ms "
                      f"without (median of {STARTS})")
        self.control()

    def milliseconds_to_start(self, box):
        """Until the program says that it has its value: the median."""
        times = []
        for _ in range(STARTS):
            began = time.monotonic()
            process = box.start("web")
            line = process.stdout.readline()
            times.append(time.monotonic() - began)
            process.terminate()
            errors = process.communicate()[1]
            self.assertEqual(line.split()[2:], [demo.fingerprint(stage.VALUE)], errors)
        return statistics.median(times) * 1000

    def check_running(self, box):
        process = box.start("web")
        lines = Lines(process.stderr)
        try:
            self.assertEqual(process.stdout.readline().split()[2:], [demo.fingerprint(VALUES[0])])
            self.stage.vault.seal()
            try:
                stage.eventually("a look for a new version fails", lambda: "sealed" in lines.text)
            finally:
                self.stage.vault.unseal()
            self.assertIsNone(process.poll())
            self.stage.vault.store("shop/rotates", {"password": VALUES[1]})
            # The same program, started anew.
            self.assertEqual(process.stdout.readline().split()[2:], [demo.fingerprint(VALUES[1])])
            for value in VALUES:
                self.assertNotIn(value, lines.text)
        finally:
            process.terminate()
            process.wait()
            lines.join()
            process.stdout.close()
            process.stderr.close()
