# SPDX-License-Identifier: Apache-2.0
"""deploy/examples: of the schemas, and together what the pages that use them say."""
import os
import re
import unittest

import api_server
import crd
import pod_security
import support
from test_chart import complaint

FOLDER = os.path.join(support.ROOT, "deploy", "examples")
FILES = sorted(
    os.path.relpath(os.path.join(folder, name), FOLDER) for folder, _, names in os.walk(FOLDER) for name in names)
POLICIES = support.named(support.objects(), "CustomResourceDefinition", "cloudtaserpolicies.cloudtaser.io")
UNKNOWN_FIELDS = support.named(support.objects(), "ValidatingAdmissionPolicy", "cloudtaser-policies")
WRAPPED = support.named(support.objects(), "ValidatingAdmissionPolicy", "cloudtaser-wrapped")
PAGE = ("docs", "tutorial", "first-protected-pod.md")


def example(*parts):
    return support.load_all(support.read("deploy", "examples", *parts))


def wrong(document, version):
    if document["kind"] == "CloudTaserPolicy":
        return list(crd.complaints(POLICIES, document)) or support.denials(UNKNOWN_FIELDS, object=document) or None
    return complaint(document, version)


class Examples(unittest.TestCase):
    def test_are_of_the_schemas(self):
        self.assertGreater(len(FILES), 3)
        for name in FILES:
            documents = example(name)
            self.assertTrue(documents, name)
            for version in support.VERSIONS:
                for document in documents:
                    with self.subTest(file=name, version=version, kind=document["kind"]):
                        self.assertIsNone(wrong(document, version))

    def test_a_misspelt_field_is_found(self):
        for name in FILES:
            for document in example(name):
                place = document["spec"] if document["kind"] in (
                    "CloudTaserPolicy", "Deployment", "Service", "PersistentVolumeClaim") else document
                place["misspelt"] = {}
                with self.subTest(file=name, kind=document["kind"]):
                    self.assertIsNotNone(wrong(document, "1.36"))

    def test_each_is_used_by_a_page_and_each_that_a_page_uses_is_there(self):
        used = set()
        for folder, _, names in os.walk(os.path.join(support.ROOT, "docs")):
            for name in names:
                if name.endswith(".md"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        used |= set(re.findall(r"deploy/examples/([\w./-]+\.yaml)", file.read()))
        self.assertEqual(used, set(FILES))

    def test_a_real_api_server_takes_them(self):
        with api_server.ApiServer() as server:
            definitions = support.of_kind(support.objects(version=support.OLD_VERSION), "CustomResourceDefinition")
            ok, output = server.kubectl("apply", "-f", "-", text=support.dump(
                {"apiVersion": "v1", "kind": "List", "items": definitions}))
            self.assertTrue(ok, output)
            ok, output = server.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
            self.assertTrue(ok, output)
            server.kubectl("create", "namespace", support.NAMESPACE)
            for name in FILES:
                with self.subTest(name):
                    ok, output = server.kubectl("apply", "-f", os.path.join(FOLDER, name))
                    self.assertTrue(ok, output)


class Tutorial(unittest.TestCase):
    """What its files say of each other, and what its page says of them."""

    def setUp(self):
        self.page = support.read(*PAGE)
        self.vault = example("tutorial", "vault.yaml")
        self.spec = example("tutorial", "policy.yaml")[0]["spec"]
        self.shop = example("tutorial", "shop.yaml")
        self.template = support.named(self.shop, "Deployment", "web")["spec"]["template"]
        self.annotations = self.template["metadata"]["annotations"]

    def test_the_policy_grants_what_the_pod_asks_for(self):
        vault, = self.spec["vaults"]
        grant, = self.spec["grants"]
        space = support.named(self.shop, "Namespace", "shop")["metadata"]
        self.assertLessEqual(grant["namespaceLabels"].items(), space["labels"].items())
        self.assertEqual(grant["vault"], vault["name"])
        self.assertIn(
            self.annotations["cloudtaser.io/vault-role"],
            [role.replace("{{namespace}}", space["name"]) for role in grant["roles"]])
        path = self.annotations["cloudtaser.io/secret-paths"]
        patterns = [one.replace("{{namespace}}", space["name"]) for one in grant["paths"]]
        self.assertTrue(any(path.startswith(pattern.removesuffix("*")) for pattern in patterns))
        known = support.read("docs", "reference", "annotations.md")
        for name in self.annotations:
            self.assertIn(f"| `{name}` |", known)

    def test_no_registry_has_to_be_asked(self):
        self.assertEqual(self.spec["entrypoints"], "explicit-command")
        for container in self.template["spec"]["containers"]:
            self.assertIn("command", container)

    def test_the_vault_is_where_the_policy_says_and_shows_a_certificate_for_it(self):
        service = support.named(self.vault, "Service", "openbao")
        port, = service["spec"]["ports"]
        host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
        self.assertEqual(self.spec["vaults"][0]["address"], f"https://{host}:{port['port']}")
        self.assertIn(f"subjectAltName=DNS:{host} ", self.page)

    def test_the_vault_is_told_what_the_pod_shows(self):
        vault = self.spec["vaults"][0]
        account = self.template["spec"]["serviceAccountName"]
        for words in [
                f"auth/kubernetes/role/{self.annotations['cloudtaser.io/vault-role']} ",
                f"bound_service_account_names={account} bound_service_account_namespaces=shop",
                f"audience={vault['audience']} ", "bao kv put secret/shop/db password=",
                f"create configmap {vault['trustAnchors']['configMap']} --from-file=ca.crt"]:
            self.assertIn(words, self.page)
        value = re.search(r"secret/shop/db password=(\S+)", self.page).group(1)
        self.assertIn(f"got a password of {len(value)} characters", self.page)
        self.assertNotIn(value, support.dump(self.shop + self.vault))

    def test_pods_are_restricted(self):
        for found in self.vault, self.shop:
            for name, pod in support.pod_templates(found).items():
                self.assertEqual(list(pod_security.complaints(pod)), [], name)

    def test_the_pod_is_refused_as_long_as_nobody_has_wrapped_it(self):
        pod = {"metadata": self.template["metadata"], "spec": self.template["spec"]}
        space = support.named(self.shop, "Namespace", "shop")
        self.assertNotEqual(support.denials(WRAPPED, object=pod, namespace=space), [])
        # As break-glass says: an explicit `false` is let through.
        out = support.merged(pod, {"metadata": {
            "labels": {"cloudtaser.io/inject": "false"}, "annotations": {"cloudtaser.io/inject": "false"}}})
        self.assertEqual(support.denials(WRAPPED, object=out, namespace=space), [])
