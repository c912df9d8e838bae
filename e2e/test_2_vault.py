# SPDX-License-Identifier: Apache-2.0
"""A real vault takes the one token that it should, and what a container says when it gets nothing."""
import os
import tempfile
import time
import unittest

import openbao

import containers
import kubernetes
import stage
from evidence import evidence

# Of the tests in which a token is refused.
TAKEN = "the pod's own token, or the refused one signed anew with a time to come, is taken"


class Logins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()
        cls.pod = cls.stage.api.create_pod("shop", stage.pod("logs-in"))
        cls.good = cls.stage.api.token("shop", "app", "vault", cls.pod)

    def refusal(self, token):
        """Why the vault refuses it; None: it reads the secret."""
        try:
            answer = self.stage.vault.call(
                "POST", "auth/kubernetes/login", {"role": "shop", "jwt": token})
        except openbao.VaultError as error:
            return str(error)
        self.assertEqual(answer["auth"]["token_policies"], ["default", "shop"])
        return None

    def test_the_pods_own_token_is_taken(self):
        self.assertIsNone(self.refusal(self.good))

    def good_is_taken(self):
        self.assertIsNone(self.refusal(self.good))
        self.control()

    @evidence("SIM-AUTH-01", TAKEN)
    def test_another_service_account_is_refused(self):
        """the vault refuses another ServiceAccount of the namespace"""
        self.good_is_taken()
        self.assertIn("service account name not authorized",
                      self.refusal(self.stage.api.token("shop", "other", "vault")))

    @evidence("SIM-AUTH-01", TAKEN)
    def test_another_namespace_is_refused(self):
        """it refuses a ServiceAccount of that name in another namespace"""
        self.good_is_taken()
        self.assertIn("namespace not authorized",
                      self.refusal(self.stage.api.token("bank", "app", "vault")))

    @evidence("SIM-AUTH-01", TAKEN)
    def test_another_audience_is_refused(self):
        """it refuses a token for another audience"""
        self.good_is_taken()
        for audience in None, "bank":
            said = self.refusal(self.stage.api.token("shop", "app", audience, self.pod))
            self.assertRegex(said, "status 403 .*audience")

    @evidence("SIM-AUTH-01", TAKEN)
    def test_an_expired_token_is_refused(self):
        """it refuses a token that has expired"""
        now = int(time.time())
        # The control: signed anew with a time to come it is taken, so that nothing else is wrong with it.
        self.assertIsNone(self.refusal(kubernetes.resigned(
            self.stage.server, self.good, {"exp": now + 600})))
        self.control()
        said = self.refusal(kubernetes.resigned(
            self.stage.server, self.good, {"iat": now - 1200, "nbf": now - 1200, "exp": now - 600}))
        self.assertIn("status 403", said)

    def test_the_token_of_a_pod_that_is_gone_is_refused(self):
        gone = self.stage.api.create_pod("shop", stage.pod("gone"))
        # One of them is the control: the API server answers about a token that it has just seen from
        # memory, for 10 s.
        control, token = (
            self.stage.api.token("shop", "app", "vault", gone, seconds) for seconds in (600, 1200))
        self.assertIsNone(self.refusal(control))
        path = f"{kubernetes.CORE}/namespaces/shop/pods/gone"
        self.stage.api.call("DELETE", path, {"gracePeriodSeconds": 0})
        self.assertIn("status 403", self.refusal(token))


class Refusals(unittest.TestCase):
    """What the stored container says of it."""

    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()
        cls.pod = cls.stage.api.create_pod(
            "shop", stage.pod("says-why", more={"cloudtaser.io/fetch-seconds-max": "5"}))

    def run_web(self, account=None):
        with tempfile.TemporaryDirectory(prefix="cloudtaser-pod-") as folder:
            os.chmod(folder, 0o755)
            box = containers.Sandbox(self.stage.api, self.pod, folder, self.stage.images(), account)
            code, _, errors = box.run("cloudtaser-install")
            self.assertEqual(code, 0, errors)
            return box.run("web")

    def test_a_sealed_vault(self):
        self.stage.vault.seal()
        try:
            code, output, errors = self.run_web()
        finally:
            self.stage.vault.unseal()
        self.assertEqual((code, output), (90, ""), errors)
        self.assertIn("sealed", errors)
        self.assertNotIn(stage.VALUE, errors)

    def test_a_token_of_another_service_account(self):
        code, output, errors = self.run_web("other")
        self.assertEqual((code, output), (95, ""), errors)
        self.assertNotIn(stage.VALUE, errors)
