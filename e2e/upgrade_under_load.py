# SPDX-License-Identifier: Apache-2.0
"""From an older version of the operator and its chart to this one and back, while pods that ask are
created. Not part of a run without names: `make e2e-upgrade` builds the older version."""
import os
import tempfile
import unittest

import support

import stage
from test_3_availability import Load

# Pods that are asked about between two steps.
BETWEEN = 20


def identity(one):
    return one["apiVersion"], one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]


class Upgrade(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        before = os.path.abspath(os.environ["CLOUDTASER_BEFORE"])
        cls.before = stage.Version(
            os.path.join(before, "cloudtaser-operator"), os.path.join(before, "chart"))
        cls.now = stage.Version(os.environ["CLOUDTASER_OPERATOR"])
        folder = tempfile.TemporaryDirectory(prefix="cloudtaser-upgrade-")
        cls.addClassCleanup(folder.cleanup)
        cls.stage = stage.Stage(folder.name, cls.before)
        cls.addClassCleanup(cls.stage.close)

    def test_nobody_is_refused_or_unwrapped_on_the_way_there_and_back(self):
        # The control: two versions, and a load whose refusals are seen.
        self.assertNotEqual(self.content(self.before.program), self.content(self.now.program))
        self.stage.set_policy(["nowhere"])
        with Load(self.stage) as load:
            stage.eventually("a refusal is counted", lambda: load.failures)
        self.stage.set_policy(["shop"])
        self.stage.wait_until_asked()

        for number, (old, new) in enumerate([(self.before, self.now), (self.now, self.before)]):
            with self.subTest("upgrade" if number == 0 else "rollback"):
                with Load(self.stage) as load:
                    self.roll_out(old, new, load)
                self.assertEqual(load.failures, [])
                print(f"{load.count} pods were asked about, none refused", flush=True)
                self.stage.api.create_pod("shop", stage.pod(f"after-{number}"))
                self.assertTrue(stage.is_wrapped(self.stage.stored(f"after-{number}")))
                self.assertEqual(
                    {one.process.args[0] for one in self.stage.replicas}, {new.program})
        self.assertEqual(self.stage.endpoints.failures, [])

    def roll_out(self, old, new, load):
        """As Helm and a Deployment with maxUnavailable 0 do."""
        self.stage.apply(new)
        kept = {identity(one) for one in new.rendered}
        for one in old.rendered:
            if identity(one) not in kept:
                self.stage.kubectl("delete", "-f", "-", text=support.dump(one))
        self.stage.version = new
        for replica in list(self.stage.replicas):
            self.wait_for_more(load)
            added = self.stage.add_replica()
            stage.eventually("the new replica is ready", lambda: added.is_ready)
            self.stage.endpoints.seen()
            self.wait_for_more(load)
            self.stage.remove(replica, lambda: self.assertEqual(replica.stop(), 0))
        self.wait_for_more(load)

    def wait_for_more(self, load):
        enough = load.count + BETWEEN
        stage.eventually("more are asked about", lambda: load.count > enough)

    @staticmethod
    def content(path):
        with open(path, "rb") as file:
            return file.read()
