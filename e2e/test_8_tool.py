# SPDX-License-Identifier: Apache-2.0
"""`cloudtaser validate`, `status`, `doctor`, `discover` and `netpol` of a cluster where the product runs: all is well, and
then one thing is broken at a time."""
import json
import os
import signal

import kubernetes
import stage
import support
import whole
from whole import APPS, LOGIN

class Tool(whole.Cluster):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hung = cls.enterClassContext(whole.Hung(cls.stage.programs["tool"], cls.folder))

    def test_all_is_well(self):
        certificate = self.webhook_certificate()
        code, found = self.validate("--certificate", certificate)
        self.assertEqual(found["findings"], [])
        self.assertEqual({one["name"]: one["state"] for one in found["checks"]}, dict.fromkeys(
            ["pods", "namespaces", "policy", "role binding", "webhook", "certificates", "operator", "agents", "kernels",
             "vaults"], "ok"), found["checks"])
        self.assertEqual(code, 0)
        answers = {one["object"]: one["answer"] for one in found["pods"]}
        self.assertEqual(answers["Deployment shop/web"], "would be injected")
        self.assertEqual(answers["Pod shop/wrapped"], "is injected")
        code, found = self.status()
        self.assertEqual({one["state"] for one in found["lines"]}, {"ok"}, found["lines"])
        self.assertEqual((code, found["state"]), (0, "ok"))

    # The webhook

    def test_its_configuration_is_away(self):
        with self.configured(None):
            self.assert_broken("CT2012", "webhook", "down")
            # Pods that ask are stored as they are written, where no admission policy refuses them.
            self.assertEqual(self.stage.tried(stage.pod("probe")), "it is not wrapped")

    def test_its_configuration_names_another_authority(self):
        stranger = self.certificate()
        certificate = self.webhook_certificate()

        def change(webhook):
            webhook["clientConfig"]["caBundle"] = whole.encoded(stranger)
        with self.configured(change):
            self.assert_broken(
                "CT3021", None, None, "--certificate", certificate, text="no authority of its caBundle has signed")
            # Without the certificate nobody can tell.
            self.assertEqual(self.validate()[1]["findings"], [])

    def test_its_configuration_names_none(self):
        def change(webhook):
            del webhook["clientConfig"]["caBundle"]
        with self.configured(change):
            self.assert_broken("CT3013", "webhook", "down", text="has no caBundle with a certificate")

    def test_it_fails_open(self):
        def change(webhook):
            webhook["failurePolicy"] = "Ignore"
        with self.configured(change):
            self.assert_broken("CT2011", "webhook", "degraded")

    def test_its_authority_is_about_to_end(self):
        ending = self.certificate(days=3)

        def change(webhook):
            webhook["clientConfig"]["caBundle"] = whole.encoded(ending)
        with self.configured(change):
            # It works still: not of severity high.
            self.assert_broken("CT3014", "webhook", "degraded", code=0, text="it ends at")

    def test_a_certificate_is_about_to_end(self):
        self.certificate(days=3)
        file = os.path.join(self.folder, "other.crt")
        self.assert_broken("CT3014", None, None, "--certificate", file, code=0, text="it ends at")
        self.assertEqual(self.validate("--certificate", file, "--fail-on", "medium")[0], 3)

    # The operators

    def test_they_are_stopped(self):
        self.addCleanup(self.tell_operators, 2)
        self.tell_operators(1)
        self.assert_broken("CT3016", "operator", "degraded", text="1 of 2 replicas ready")
        with self.frozen():
            self.tell_operators(0)
            self.assert_broken("CT3016", "operator", "down", text="0 of 2 replicas ready")
        self.api.call("PATCH", whole.OPERATOR, {"spec": {"replicas": 0}}, whole.MERGE)
        self.addCleanup(self.api.call, "PATCH", whole.OPERATOR, {"spec": {"replicas": 2}}, whole.MERGE)
        self.assert_broken("CT3016", "operator", "down", text="0 of 0 replicas ready")

    def test_the_agent_is_away_from_a_node(self):
        path = f"{kubernetes.CORE}/nodes/other"
        self.api.call("POST", path.rsplit("/", 1)[0], {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "other"}})
        self.addCleanup(self.api.call, "DELETE", path)
        self.api.call("PATCH", path + "/status", {
            "status": {"nodeInfo": {"kernelVersion": "6.8.0-1-generic"}}}, whole.MERGE)
        self.assert_broken("CT2003", "agents", "degraded")
        self.api.call("PATCH", path + "/status", {
            "status": {"nodeInfo": {"kernelVersion": "5.10.0"}}}, whole.MERGE)
        code, found = self.validate()
        self.assertEqual({one["id"] for one in found["findings"]}, {"CT2003", "CT3017"})
        self.assertEqual(code, 3)

    # The policy

    def test_there_is_no_policy(self):
        with self.policies():
            self.assert_broken("CT3008", "policy", "down")

    def test_there_are_two_policies(self):
        with self.policies("one", "two"):
            self.assert_broken("CT3010", "policy", "down", text="one, two")

    def test_the_policy_cannot_be_read(self):
        self.api.call("PATCH", stage.POLICY, {"spec": {"minimumTire": "locked"}}, whole.MERGE)
        self.addCleanup(self.api.call, "PATCH", stage.POLICY, {"spec": {"minimumTire": None}}, whole.MERGE)
        self.assert_broken("CT3009", "policy", "down", text="minimumTire")

    def test_the_authorities_of_the_vault_are_away(self):
        path = f"{kubernetes.CORE}/namespaces/shop/configmaps/vault-ca"
        before = self.api.get(path)
        self.api.call("DELETE", path)
        self.addCleanup(self.api.call, "POST", path.rsplit("/", 1)[0], {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vault-ca"}, "data": before["data"]})
        self.assert_broken("CT3012", None, None, text="no ConfigMap shop/vault-ca with key ca.crt")

    # The vault

    def test_it_is_sealed(self):
        self.stage.vault.seal()
        self.addCleanup(self.stage.vault.unseal)
        self.assert_broken("CT2007", "vaults", "down", text="it is sealed")
        _, found = self.status()
        line, = [one for one in found["lines"] if one["name"] == "vaults"]
        self.assertEqual(line["runbook"], "docs/runbooks/vault-sealed.md")

    def test_it_is_of_another_authority(self):
        file = os.path.join(self.stage.server.folder, "certificate.pem")
        code, found = self.ask("validate", "--look-at-vaults", "--vault-cacert", file)
        self.assertEqual(([one["id"] for one in found["findings"]], code), (["CT2007"], 3))
        self.assertIn("its certificate is not trusted", found["findings"][0]["message"])

    def test_it_has_no_such_role(self):
        with self.role():
            self.stage.vault.call("DELETE", LOGIN)
            self.assert_broken("CT3019", None, None, text="vault main has no role shop at auth/kubernetes")

    def test_its_role_is_bound_to_others(self):
        for changes, text in [
                ({"bound_service_account_names": ["other"]}, "bound to ServiceAccounts other; the pods have app"),
                ({"bound_service_account_namespaces": ["bank"]}, "bound to namespaces bank; the pods are in shop"),
                ({"audience": "other"}, "bound to the audience other; the policy has vault")]:
            with self.subTest(text), self.role(**changes):
                self.assert_broken("CT3020", None, None, text=text)

    def test_a_token_that_may_not_read_roles(self):
        made = self.stage.vault.call("POST", "auth/token/create", {"policies": ["default"], "ttl": "5m"})
        weak = self.write("weak", made["auth"]["client_token"])
        code, found = self.validate("--vault-token-file", weak, token=False)
        self.assertEqual(found["unread"], [{
            "source": "auth/kubernetes/role/shop of vault main", "reason": "the token may not read it"}])
        self.assertEqual((found["findings"], code), ([], 4))
        # The control: who asks for no role reads everything that was asked for.
        code, found = self.validate(token=False)
        self.assertEqual((found["unread"], code), ([], 0))
        # The docs' own policy suffices.
        self.stage.vault.call("PUT", "sys/policies/acl/roles", {
            "policy": 'path "auth/kubernetes/role/*" { capabilities = ["read"] }'})
        made = self.stage.vault.call("POST", "auth/token/create", {"policies": ["roles"], "ttl": "5m"})
        code, found = self.validate("--vault-token-file", self.write("reader", made["auth"]["client_token"]), token=False)
        self.assertEqual((found["unread"], code), ([], 0))

    # Workloads

    def test_an_annotation_is_misspelt(self):
        wrong = whole.deployment("wrong", more={"cloudtaser.io/secret-path": "secret/shop/db"})
        self.api.call("POST", f"{APPS}/shop/deployments", wrong)
        self.addCleanup(self.api.call, "DELETE", f"{APPS}/shop/deployments/wrong")
        self.assert_broken("CT3001", None, None, text="cloudtaser.io/secret-path]: is no annotation of CloudTaser")
        # As the operator says it.
        pod = stage.pod("wrong", more={"cloudtaser.io/secret-path": "secret/shop/db"})
        self.assertIn("is no annotation of CloudTaser", self.stage.tried(pod))

    def test_another_account_asks_for_the_role(self):
        self.api.call("POST", f"{APPS}/shop/deployments", whole.deployment("wrong", account="other"))
        self.addCleanup(self.api.call, "DELETE", f"{APPS}/shop/deployments/wrong")
        self.assert_broken("CT3020", None, None, text="bound to ServiceAccounts app; the pods have other")

    def test_a_pod_that_asks_and_is_not_wrapped(self):
        with self.configured(None):
            self.api.create_pod("shop", stage.pod("bare"))
        self.addCleanup(self.api.call, "DELETE", f"{kubernetes.CORE}/namespaces/shop/pods/bare?gracePeriodSeconds=0")
        self.assert_broken("CT2001", "pods", "degraded")

    # Who asks

    def test_who_may_not_list_everything(self):
        self.stage.kubectl("create", "serviceaccount", "reader", "-n", "bank")
        self.addCleanup(self.stage.kubectl, "delete", "serviceaccount", "reader", "-n", "bank")
        self.stage.kubectl("create", "clusterrole", "reader", "--verb=list", "--resource=pods,namespaces,nodes")
        self.addCleanup(self.stage.kubectl, "delete", "clusterrole", "reader")
        self.stage.kubectl("create", "clusterrolebinding", "reader", "--clusterrole=reader", "--serviceaccount=bank:reader")
        self.addCleanup(self.stage.kubectl, "delete", "clusterrolebinding", "reader")
        path = self.write("reader.kubeconfig", json.dumps(whole.kubeconfig(
            self.stage.server.address, self.api.token("bank", "reader"),
            os.path.join(self.stage.server.folder, "certificate.pem"))))
        stage.eventually("the rights are in force", lambda: "the cluster's pods" not in [
            one["source"] for one in self.ask("discover", kubeconfig=path)[1]["unread"]])
        for command in "validate", "discover", "audit":
            code, found = self.ask(command, kubeconfig=path)
            self.assertEqual(code, 4, command)
            unread = {one["source"]: one["reason"] for one in found["unread"]}
            self.assertIn("the cluster's deployments.apps", unread)
            self.assertIn("may not", unread["the cluster's deployments.apps"])
        # Nothing is said to be missing that was not read.
        _, found = self.ask("validate", kubeconfig=path)
        self.assertEqual([one for one in found["findings"] if one["id"] in ("CT2012", "CT3008", "CT3016")], [])
        code, found = self.status(kubeconfig=path)
        states = {one["name"]: one["state"] for one in found["lines"]}
        self.assertEqual({states[name] for name in ("operator", "webhook", "policy")}, {"unknown"})
        self.assertEqual(code, 4)
        code, found = self.ask("doctor", kubeconfig=path)
        states = {one["name"]: one["state"] for one in found["checks"]}
        self.assertEqual(states["cluster"], "ok")
        self.assertNotIn("list pods", states)
        self.assertEqual((states["list deployments.apps"], code), ("fails", 3))

    def test_doctor_says_what_there_is(self):
        code, found = self.ask("doctor")
        checks = {one["name"]: one for one in found["checks"]}
        self.assertEqual(checks["cluster"]["detail"], f"{self.stage.server.address} answers")
        self.assertEqual(checks["rights"]["state"], "ok")
        states = {one["state"] for one in found["checks"]}
        # Of this machine it may find this and that.
        self.assertEqual(code, 3 if "fails" in states else 4 if "not checked" in states else 0)

    def test_servers_that_do_not_answer(self):
        for command in whole.Hung.COMMANDS:
            code, output, errors = self.hung.ended(command)
            with self.subTest(command):
                if command == "doctor":
                    self.assertEqual(code, 3)
                    self.assertIn("cluster: 127.0.0.1 gave no answer in time", output)
                else:
                    self.assertEqual((code, output), (1, ""))
                    self.assertIn("the cluster: 127.0.0.1 gave no answer in time", errors)
        path = self.write("nobody.kubeconfig", json.dumps(whole.kubeconfig("https://127.0.0.1:1", "x")))
        for command in "validate", "status", "audit", "discover":
            done = self.run_tool(command, kubeconfig=path)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("the cluster: 127.0.0.1 is not reached: cannot connect", done.stderr)
        stranger = self.write("stranger.kubeconfig", json.dumps(whole.kubeconfig(
            self.stage.server.address, "administrator", self.stage.vault.ca_file)))
        done = self.run_tool("status", kubeconfig=stranger)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("certificate", done.stderr)

    # Networks

    def test_network_policies_for_what_runs(self):
        address = self.stage.vault.address
        written = self.run_tool("netpol", "--vault-address", address)
        self.assertEqual(written.returncode, 0, written.stderr)
        taken = self.stage.kubectl("apply", "--validate=false", "--dry-run=server", "-f", "-", text=written.stdout)
        self.assertIn("created (server dry run)", taken)
        self.assertNotIn("policies", self.stage.kubectl("get", "networkpolicies", "-n", "shop"))
        check = ["netpol", "check", "--vault-address", address, "--protected-only"]
        before = self.allowed(self.ask(*check)[1])
        self.assertEqual(set(before.values()), {"all"})
        self.stage.kubectl("apply", "--validate=false", "-f", "-", text=written.stdout)
        self.addCleanup(self.stage.kubectl, "delete", "networkpolicies", "--all", "-n", "shop")
        code, found = self.ask(*check)
        self.assertEqual(code, 0)
        after = self.allowed(found)
        self.assertEqual(set(before), set(after))
        # To name servers, which are pods of another namespace.
        for peer, allowed in after.items():
            wanted = "all" if peer.startswith(("vault", "name servers")) else (
                "part" if "other namespaces" in peer else "none")
            self.assertEqual(allowed, wanted, peer)
        # Written again nothing changes.
        again = self.run_tool("netpol", "--vault-address", address)
        self.assertEqual(again.stdout, written.stdout)
        self.assertIn("unchanged", self.stage.kubectl("apply", "--validate=false", "-f", "-", text=again.stdout))

    @staticmethod
    def allowed(found):
        """By whom it is reached from the Deployment's pods."""
        return {one["with"]: one["allowed"] for one in found["rows"]
                if (one["workload"], one["direction"]) == ("Deployment shop/web", "Egress")}
