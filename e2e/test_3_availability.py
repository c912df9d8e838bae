# SPDX-License-Identifier: Apache-2.0
"""Operators that die, come back and change their certificate under load: nobody passes unwrapped, and
nobody is refused who need not be."""
import base64
import datetime
import os
import subprocess
import tempfile
import threading
import unittest

import support

import kubernetes
import operators
import stage
from evidence import evidence


class Load:
    """Pods that ask, one after the other on each of a few connections, for as long as a `with` lasts."""

    WORKERS = 2

    def __init__(self, shared):
        self._stage = shared
        self._lasts = True
        self.count = 0
        self.failures = []
        self._threads = [threading.Thread(target=self._work) for _ in range(self.WORKERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._lasts = False
        for thread in self._threads:
            thread.join()

    def _work(self):
        connection = kubernetes.Connection(self._stage.server)
        while self._lasts:
            try:
                failure = self._stage.tried(stage.pod("load"), connection)
            except Exception as error:  # no answer at all is a failure too
                failure = repr(error)
            self.count += 1
            if failure:
                self.failures.append(failure)


def entries(secret):
    return {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}


def leaf_near_its_end(held):
    """Another certificate of the newest authority, of whose time two thirds are over."""
    now = datetime.datetime.now(datetime.timezone.utc)
    dates = [(now + datetime.timedelta(days=days)).strftime("%y%m%d%H%M%SZ") for days in (-25, 5)]
    with tempfile.TemporaryDirectory(prefix="cloudtaser-leaf-") as folder:
        def openssl(*arguments):
            done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

        def write(name, text):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)

        for name in "ca.crt", "ca.key":
            write(name, held[name])
        write("index.txt", "")
        write("configuration", f"""
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
policy = any
default_md = sha256
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:{operators.NAME}.{support.NAMESPACE}.svc
extendedKeyUsage = serverAuth
""")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=test", "-keyout", "tls.key", "-out", "request")
        openssl("ca", "-batch", "-notext", "-config", "configuration", "-extensions", "leaf", "-startdate",
                dates[0], "-enddate", dates[1], "-cert", "ca.crt", "-keyfile", "ca.key", "-in", "request",
                "-out", "tls.crt")
        made = dict(held)
        for name in "tls.crt", "tls.key":
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                made[name] = file.read()
        return made


class Availability(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()
        cls.stage.wait_until_all_are_ready()

    def tearDown(self):
        self.stage.wait_until_all_are_ready()
        self.assertEqual(self.stage.endpoints.failures, [])

    def both_serve(self):
        """Whether all replicas serve what the Secret holds: its content."""
        secret = self.stage.api.found(stage.SECRET)
        if secret is None:
            return None
        held = entries(secret)
        wanted = held["tls.crt"].strip()
        if all((one.certificate or "").strip() == wanted for one in self.stage.replicas):
            return held
        return None

    def test_a_pod_that_was_stored_while_nobody_was_to_be_asked_is_told_of(self):
        def counted():
            """As the leader says it."""
            found = [one.metric("cloudtaser_operator_uninjected_pods") for one in self.stage.replicas]
            return next((count for count in found if count is not None), None)

        def events():
            found = self.stage.api.get(f"{kubernetes.CORE}/namespaces/shop/events")["items"]
            return [one for one in found if one["reason"] == "NotInjected"]

        stage.eventually("nobody is to be told of", lambda: counted() == 0)
        for replica in list(self.stage.replicas):
            self.stage.remove(replica, replica.stop)
        self.stage.api.call("DELETE", stage.CONFIGURATION)
        place = f"{kubernetes.CORE}/namespaces/shop/pods/bare"

        def stored():
            """Once the API server has seen that."""
            try:
                return self.stage.api.create_pod("shop", stage.pod("bare"))
            except kubernetes.Refused:
                return None

        made = stage.eventually("a pod that asks is stored", stored)
        try:
            self.assertFalse(stage.is_wrapped(made))
            self.stage.wait_until_all_are_ready()
            stage.eventually("it is counted", lambda: counted() == 1)
            told, = stage.eventually("it is told of", events)
            self.assertEqual(told["involvedObject"]["uid"], made["metadata"]["uid"])
            self.assertIn("without the wrapper: web", told["message"])
            self.assertEqual(self.stage.api.get(place)["metadata"]["uid"], made["metadata"]["uid"])
        finally:
            self.stage.api.call("DELETE", place + "?gracePeriodSeconds=0")
        stage.eventually("it is counted no more", lambda: counted() == 0)

    def test_the_policy_says_whether_it_is_in_force(self):
        def condition():
            """When it is of the policy as it is now."""
            policy = self.stage.api.get(stage.POLICY)
            generation = policy["metadata"]["generation"]
            return next((one for one in policy.get("status", {}).get("conditions", [])
                         if one["type"] == "InForce" and one["observedGeneration"] == generation), None)

        stage.eventually("it is in force", lambda: (condition() or {}).get("status") == "True")
        policy = self.stage.api.get(stage.POLICY)
        other = stage.POLICY.rsplit("/", 1)[0] + "/second"
        self.stage.api.apply(other, {
            "apiVersion": policy["apiVersion"], "kind": policy["kind"],
            "metadata": {"name": "second"}, "spec": policy["spec"]})
        try:
            stage.eventually("it is not in force", lambda: condition()["status"] == "False")
            self.assertEqual(condition()["reason"], "SeveralPolicies")
            self.assertIn("delete all but one", condition()["message"])
        finally:
            self.stage.api.call("DELETE", other)
        stage.eventually("it is again", lambda: condition()["status"] == "True")

    def test_the_certificate_is_renewed_and_replaced_under_load(self):
        held = stage.eventually("both serve one certificate", self.both_serve)
        events = 'cloudtaser_operator_certificate_events_total{event="%s"}'
        with Load(self.stage) as load:
            old = leaf_near_its_end(held)
            secret = self.stage.api.get(stage.SECRET)
            secret["data"] = {
                name: base64.b64encode(text.encode()).decode() for name, text in old.items()}
            self.stage.api.call("PUT", stage.SECRET, secret)
            renewed = stage.eventually("both serve a renewed one", lambda: (
                found := self.both_serve()) and found["tls.crt"] not in (
                    old["tls.crt"], held["tls.crt"]) and found)
            self.assertEqual(renewed["ca.crt"], held["ca.crt"])
            counts = [one.metric(events % "certificate_renewed") for one in self.stage.replicas]
            self.assertEqual(sum(count or 0 for count in counts), 1, "by one of them")

            self.stage.api.call("DELETE", stage.SECRET)
            replaced = stage.eventually("both serve one of another authority", lambda: (
                found := self.both_serve()) and found["tls.crt"] != renewed["tls.crt"]
                and found["ca.crt"] != held["ca.crt"] and found)
            self.assertEqual(replaced["ca.crt"].count("BEGIN CERTIFICATE"), 2,
                             "the last one is believed for a while")
            # A while with the new one.
            enough = load.count + 50
            stage.eventually("more are admitted", lambda: load.count > enough)
        self.assertEqual(load.failures, [])
        self.assertGreater(load.count, 100)
        believed = self.stage.configuration()["webhooks"][0]["clientConfig"]["caBundle"]
        self.assertEqual(base64.b64decode(believed).decode(), replaced["ca.crt"])

    @evidence("SIM-INJ-01", "pods that do not ask are created meanwhile")
    def test_who_asks_is_refused_while_nobody_answers(self):
        """while no operator answers, a pod that asks is refused"""
        for replica in list(self.stage.replicas):
            self.stage.remove(replica, replica.kill)
        said = stage.eventually("nobody is called", lambda: self.stage.tried(stage.pod("down")))
        self.assertIn('failed calling webhook "pods.cloudtaser.io"', said)
        with self.assertRaises(kubernetes.Refused):
            self.stage.api.create_pod("shop", stage.pod("down"))
        self.assertIsNone(self.stage.stored("down"))
        # Nobody else is kept from anything.
        self.stage.api.create_pod("shop", stage.pod("beside", asks=False))
        self.stage.api.create_pod("bank", stage.pod("beside", "bank", asks=False))
        self.control()

        # What changed meanwhile is in force with the first answer.
        self.stage.set_policy(["nowhere"])
        try:
            self.stage.add_replica()
            said = stage.eventually("somebody answers", lambda: (
                found := self.stage.tried(stage.pod("late"))) and "denied the request" in found and found)
            self.assertIn("shop", said)
            self.assertIsNone(self.stage.stored("late"))
        finally:
            self.stage.set_policy(["shop"])
        self.stage.wait_until_asked()

    def test_a_replica_that_goes_in_good_order_is_not_missed(self):
        with Load(self.stage) as load:
            replica = self.stage.replicas[0]
            self.stage.remove(replica, lambda: self.assertEqual(replica.stop(), 0))
            enough = load.count + 20
            stage.eventually("more are admitted", lambda: load.count > enough)
        self.assertEqual(load.failures, [])

    def test_another_leads_when_the_leader_is_killed(self):
        lease = (f"/apis/coordination.k8s.io/v1/namespaces/{support.NAMESPACE}/leases/"
                 f"{operators.NAME}")
        leader = stage.eventually("one leads", self.leader)
        self.stage.remove(leader, leader.kill)
        last = self.stage.api.get(lease)["spec"]
        stage.eventually("another leads", self.leader)
        new = self.stage.api.get(lease)["spec"]
        self.assertNotEqual(new["holderIdentity"], last["holderIdentity"])
        self.assertEqual(new["leaseTransitions"], last["leaseTransitions"] + 1)
        # Not before the Lease was over, and not long after: a minute more for a busy machine.
        waited = (self.time(new["acquireTime"]) - self.time(last["renewTime"])).total_seconds()
        self.assertGreaterEqual(waited, last["leaseDurationSeconds"])
        self.assertLess(waited, last["leaseDurationSeconds"] + 60)

    def leader(self):
        leaders = [one for one in self.stage.replicas if one.leads]
        self.assertLessEqual(len(leaders), 1)
        return leaders[0] if leaders else None

    @staticmethod
    def time(text):
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))

    def test_a_watch_goes_on_where_a_killed_one_was(self):
        with Load(self.stage) as load:
            for round in range(4):
                # One dies after the change and before or after it has seen it.
                self.stage.set_policy(["shop", f"round-{round}"])
                replica = self.stage.replicas[round % 2]
                self.stage.remove(replica, replica.kill)
                self.stage.wait_until_all_are_ready()
        # Who was being asked is not answered: refused by failurePolicy, never let through.
        self.assertGreater(load.count, 20)
        for failure in load.failures:
            self.assertIn("failed calling webhook", failure)
        # Both follow what comes now.
        for namespaces, is_granted in (["nowhere"], False), (["shop"], True):
            self.stage.set_policy(namespaces)
            stage.eventually("the change is in force for whomever is asked", lambda: all(
                (self.stage.tried(stage.pod("probe")) is None) == is_granted for _ in range(12)))
