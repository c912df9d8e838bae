# SPDX-License-Identifier: Apache-2.0
"""After everything else: what the cluster has kept."""
import os
import unittest

import kubernetes
import stage
from evidence import evidence


class LeftBehind(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()

    def test_no_pod_that_asks_is_there_unwrapped(self):
        found = self.stage.api.get(f"{kubernetes.CORE}/pods")["items"]
        asking = [one for one in found
                  if one["metadata"].get("labels", {}).get("cloudtaser.io/inject") == "true"]
        self.assertGreater(len(asking), 3)
        for one in asking:
            self.assertTrue(stage.is_wrapped(one), one["metadata"]["name"])

    @evidence("SIM-ETCD-01", "the value of a ConfigMap is found in both by the same search")
    def test_the_value_is_in_no_object_and_not_in_etcd(self):
        """a secret that a pod was given is in no object of the API server and in no file of etcd"""
        # The control: what is stored is found by the same search.
        control = "control-7c1d2f3a"
        self.stage.kubectl("create", "configmap", "control", "-n", "bank", f"--from-literal=a={control}")
        files = self.etcd()
        self.assertIn(control.encode(), files)
        self.assertNotIn(stage.VALUE.encode(), files)
        kinds = self.stage.kubectl("api-resources", "--verbs=list", "-o", "name").split()
        self.assertGreater(len(kinds), 20)
        objects = self.stage.kubectl(
            "get", ",".join(kinds), "--all-namespaces", "-o", "json", "--ignore-not-found")
        self.assertIn(control, objects)
        self.assertNotIn(stage.VALUE, objects)
        self.control()

    def etcd(self):
        content = b""
        for folder, _, names in os.walk(os.path.join(self.stage.server.folder, "etcd")):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    content += file.read()
        return content

    def test_no_log_tells_a_value_or_a_key(self):
        logs = [name for name in os.listdir(self.stage.folder) if name.endswith(".log")]
        self.assertGreater(len(logs), 1)
        for name in logs:
            with open(os.path.join(self.stage.folder, name), encoding="utf-8") as file:
                text = file.read()
            self.assertIn('"event":"serving"', text)
            for secret in stage.VALUE, "PRIVATE":
                self.assertNotIn(secret, text)
