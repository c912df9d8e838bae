# SPDX-License-Identifier: Apache-2.0
"""A release's life by Helm's own code on a real kube-apiserver 1.20: installed, changed, taken away."""
import json
import re
import unittest

import helm_python

import api_server
import support

VALUES = {"image": {"registry": "registry.example.eu/cloudtaser"}}
CRDS = {("CustomResourceDefinition", None, f"{name}.cloudtaser.io")
        for name in ("cloudtaserpolicies", "protectionreports")}


class Release(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(api_server.ApiServer())
        cls.helm = cls.enterClassContext(
            helm_python.Config(kubeconfig_path=cls.server.kubeconfig, namespace=support.NAMESPACE))
        cls.kubectl("create", "namespace", support.NAMESPACE)

    @classmethod
    def kubectl(cls, *arguments, text=""):
        ok, output = cls.server.kubectl(*arguments, text=text)
        assert ok, output
        return output

    def there(self, manifest):
        """Which objects of a manifest the cluster has."""
        found = set()
        for one in support.load_all(manifest):
            space = one["metadata"].get("namespace")
            ok, _ = self.server.kubectl(
                "get", f"{one['kind']}.{one['apiVersion'].split('/')[0]}" if "/" in one["apiVersion"]
                else one["kind"], one["metadata"]["name"], *(["-n", space] if space else []))
            if ok:
                found.add((one["kind"], space, one["metadata"]["name"]))
        return found

    def mode(self):
        found = json.loads(self.kubectl(
            "get", "daemonset", "cloudtaser-agent", "-n", support.NAMESPACE, "-o", "json"))
        arguments = found["spec"]["template"]["spec"]["containers"][0]["args"]
        return next(one for one in arguments if one.startswith("--mode="))

    def install(self):
        return self.helm.install(
            support.CHART, "cloudtaser", VALUES, namespace=support.NAMESPACE)["manifest"]

    def test_leaves_nothing_that_stops_pods(self):
        manifest = self.install()
        everything = self.there(manifest)
        # What the server's version says decides what is rendered.
        self.assertEqual(len(everything), len(support.objects(version=support.OLD_VERSION)))
        self.assertNotIn("ValidatingAdmissionPolicy", manifest)
        self.kubectl("wait", "--for=condition=Established", "--timeout=120s",
                     "crd/cloudtaserpolicies.cloudtaser.io")
        self.kubectl("apply", "-f", "-", text=support.read("deploy", "examples", "policy.yaml"))

        self.helm.upgrade(support.CHART, "cloudtaser", VALUES | {"agent": {"mode": "detect"}},
                          namespace=support.NAMESPACE)
        self.assertEqual(self.mode(), "--mode=detect")
        self.helm.rollback("cloudtaser", version=1)
        self.assertEqual(self.mode(), "--mode=deny")

        self.make_webhook()
        self.helm.uninstall("cloudtaser")
        self.assertEqual(self.there(manifest), CRDS)
        self.kubectl("get", "cloudtaserpolicy", "cluster")
        # As the page says; before, pods that ask are refused.
        self.kubectl("get", "mutatingwebhookconfiguration", "cloudtaser")
        page = support.read("docs", "how-to", "install.md").split("## Uninstall\n")[1]
        command = re.search(r"^kubectl (delete mutatingwebhookconfiguration .*)$", page, re.M).group(1)
        self.kubectl(*command.split())
        for kind in "mutatingwebhookconfigurations", "validatingwebhookconfigurations":
            self.assertIn("No resources found", self.kubectl("get", kind))

        # What was kept does not stand in the way of the next one.
        self.assertEqual(self.there(self.install()), everything)
        self.kubectl("get", "cloudtaserpolicy", "cluster")
        self.helm.uninstall("cloudtaser")

    def make_webhook(self):
        """As the operator does, in its name."""
        account = f"system:serviceaccount:{support.NAMESPACE}:cloudtaser-operator"
        self.kubectl("create", "--as", account, "-f", "-", text=json.dumps({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "cloudtaser"}, "webhooks": []}))
