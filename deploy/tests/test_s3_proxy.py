# SPDX-License-Identifier: Apache-2.0
"""The chart's S3 proxy: its pod, and its settings by the program that has to take them.

    CLOUDTASER_S3_PROXY=PROGRAM     by default .build/debug/cloudtaser-s3-proxy
"""
import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import helm_python

import libraries
import pod_security
import support
from test_chart import complaint

PROGRAM = os.path.abspath(os.environ.get(
    "CLOUDTASER_S3_PROXY", os.path.join(support.ROOT, ".build", "debug", "cloudtaser-s3-proxy")))
NAME = "cloudtaser-s3-proxy"
SECONDS_MAX = 60
# Every value that has a line of its own, and what is written there.
CHANGED = {
    "upstream": {
        "endpoint": "http://store.example.eu:9000", "allowPlainHTTP": True, "region": "eu-north-1",
        "style": "virtual-host", "dialect": "simple", "authorities": "store-ca", "credentialsPath": "kv/s3/store"},
    "clients": {"path": "kv/s3/apps", "region": "eu-west-1", "domains": ["s3.example.eu", "s3.internal"]},
    "credentialsSeconds": 30,
    "vault": {
        "address": "https://bao.example.eu/prefix", "authorities": "vault-ca", "namespace": "team/a",
        "method": "jwt", "mount": "cluster", "role": "s3", "audience": "bao",
        "tokenSeconds": 1200, "allowedOrigins": ["https://a.example.eu", "https://b.example.eu:8200"],
        "threads": 4, "seconds": 20},
    "keys": {
        "transitMount": "teams/transit", "transitKey": "objects", "tenant": "acme", "mode": "epoch",
        "epochHours": 24, "confirmSeconds": 60, "cacheSeconds": 600, "cacheEntries": 200,
        "minimumTier": "ordinary"},
    "passThrough": ["public", "shop/assets/"],
    "requestsMax": 64, "objectBytesMax": 5368709120, "drainSeconds": 15, "logLevel": "debug",
}
WRITTEN = """\
listen 0.0.0.0:8443
health-listen 0.0.0.0:8081
tls-certificate /tls/tls.crt
tls-key /tls/tls.key
upstream-endpoint http://store.example.eu:9000
allow-plain-http-upstream true
upstream-region eu-north-1
upstream-style virtual-host
upstream-dialect simple
upstream-ca /authorities/upstream/ca.crt
upstream-credentials-path kv/s3/store
clients-path kv/s3/apps
region eu-west-1
domain s3.example.eu
domain s3.internal
credentials-seconds 30
vault-address https://bao.example.eu/prefix
vault-ca /authorities/vault/ca.crt
vault-namespace team/a
vault-auth-method jwt
vault-auth-mount cluster
vault-role s3
vault-jwt-file /vault/token
vault-allowed-origins https://a.example.eu,https://b.example.eu:8200
vault-threads 4
vault-seconds 20
transit-mount teams/transit
transit-key objects
tenant acme
mode epoch
epoch-hours 24
key-confirm-seconds 60
key-cache-seconds 600
key-cache-entries 200
minimum-tier ordinary
pass-through public
pass-through shop/assets/
requests-max 64
object-bytes-max 5368709120
drain-seconds 15
log-level debug
"""
# Settings of the program that no value has.
LEFT_OUT = {
    "config": "the file itself",
    "vault-token-file": "a pod has an identity of its own: nothing has to be handed to it",
    "vault-secret-id-file": "as above", "vault-secret-id-wrapped": "as above",
    "vault-client-certificate": "as above", "vault-client-key": "as above",
}
PLAIN = {"tls": {"secretName": "", "plainHTTP": True}}
BY_CSI = {"tls": {"secretName": "", "csi": {
    "driver": "csi.cert-manager.io", "volumeAttributes": {"csi.cert-manager.io/issuer-name": "internal"}}}}
# Each is held to the program.
VARIANTS = {
    "only what is needed": {}, "everything changed": CHANGED, "plain": PLAIN,
    "mode object": {"keys": {"mode": "object", "minimumTier": "locked"}}, "certificates by CSI": BY_CSI,
}


def objects(more=None, version="1.36", **others):
    values = {"s3Proxy": support.merged(support.S3_PROXY, more or {})}
    return support.objects(support.merged(values, others), version)


def pod(found):
    return support.named(found, "Deployment", NAME)["spec"]["template"]


def container(found):
    only, = pod(found)["spec"]["containers"]
    return only


def configuration(found):
    """The file that the pod's program is told to read, out of the volume that is mounted there."""
    flag, path = container(found)["args"]
    assert flag == "--config", flag
    volume, name = mounted(found, path)
    data = support.named(found, "ConfigMap", volume["configMap"]["name"])["data"]
    assert set(data) == {name}, set(data)
    return data[name]


def mounted(found, path):
    """The volume of a file's folder, and the file's name in it."""
    mounts = {one["mountPath"]: one["name"] for one in container(found)["volumeMounts"]}
    folder, name = os.path.split(path)
    volumes = {one["name"]: one for one in pod(found)["spec"]["volumes"]}
    return volumes[mounts[folder]], name


def settings(text):
    """Values by name, as the program reads a file."""
    found = {}
    for line in text.splitlines():
        name, value = line.split(" ", 1)
        found.setdefault(name, []).append(value)
    return found


def known_settings():
    """Names of all settings in the program's source."""
    source = support.read("Sources", "Core", "S3ProxyConfiguration", "S3ProxySetting.swift")
    body = source.split("CaseIterable {")[1].split("/// Takes no value")[0]
    return {written or name for name, written in re.findall(r'^    case (\w+)(?: = "([^"]+)")?$', body, re.M)}


def seconds_in(name, *path):
    return int(re.search(rf"static let {name} = Duration\.seconds\((\d+)\)", support.read(*path)).group(1))


class Needed(unittest.TestCase):
    PLACES = ["upstream.endpoint", "upstream.credentialsPath", "clients.path", "vault.address", "vault.role",
              "vault.audience", "keys.transitKey", "tls.secretName"]

    def refusal(self, more):
        with self.assertRaises(helm_python.HelmError) as caught:
            objects(more)
        return str(caught.exception)

    def test_what_is_missing_is_named_and_nothing_else(self):
        for missing in self.PLACES:
            with self.subTest(missing):
                said = self.refusal(support.nested(missing, ""))
                self.assertEqual([one for one in self.PLACES if f"s3Proxy.{one}" in said], [missing])
                self.assertIn("not set", said)

    def test_all_that_is_missing_is_named_at_once(self):
        with self.assertRaises(helm_python.HelmError) as caught:
            support.objects({"s3Proxy": {"enabled": True}})
        for place in self.PLACES:
            self.assertIn(f"s3Proxy.{place}", str(caught.exception))

    def test_nothing_is_needed_of_what_is_not_there(self):
        found = support.objects({"s3Proxy": {"enabled": False, "tls": {"secretName": "x", "plainHTTP": True}}})
        self.assertEqual([one for one in found if one["metadata"]["name"] == NAME], [])

    def test_tls_comes_from_one_place(self):
        csi = BY_CSI["tls"]["csi"]
        for wrong in {"csi": csi}, {"plainHTTP": True}, {"secretName": "", "csi": csi, "plainHTTP": True}:
            with self.subTest(wrong):
                self.assertIn("s3Proxy.tls", self.refusal({"tls": wrong}))
        self.assertIn("driver", self.refusal({"tls": {"secretName": "", "csi": {"volumeAttributes": {}}}}))

    def test_a_plain_upstream_has_to_be_allowed(self):
        said = self.refusal({"upstream": {"endpoint": "http://store:9000"}})
        self.assertIn("s3Proxy.upstream.allowPlainHTTP", said)

    def test_values_that_the_program_would_refuse_are_refused_here(self):
        for path, value in [
                ("upstream.endpoint", "s3.example.eu"), ("upstream.endpoint", "https://s3.example.eu/path"),
                ("upstream.endpoint", "https://a\nmode object"), ("upstream.region", "eu central"),
                ("upstream.region", ""), ("upstream.style", "host"), ("upstream.dialect", "aws"),
                ("upstream.credentialsPath", "upstream"), ("clients.path", "/s3/clients"),
                ("clients.path", "s3/clients/"), ("clients.domains", ["a b"]), ("credentialsSeconds", 4),
                ("vault.address", "http://vault"), ("vault.address", "https://vault\ntenant x"),
                ("vault.role", "a\nb"), ("vault.method", "token"), ("vault.audience", "a\nb"),
                ("vault.tokenSeconds", 599), ("vault.allowedOrigins", ["http://a"]),
                ("vault.allowedOrigins", ["https://a,https://b"]), ("vault.mount", "a b"),
                ("vault.threads", 5), ("vault.seconds", 0), ("keys.transitKey", "a/b"), ("keys.tenant", "a b"),
                ("keys.tenant", ""), ("keys.mode", "both"), ("keys.epochHours", 0), ("keys.confirmSeconds", 0),
                ("keys.cacheSeconds", -1), ("keys.cacheEntries", 0), ("keys.minimumTier", "none"),
                ("passThrough", ["Bucket"]), ("passThrough", ["a\nmode object"]), ("requestsMax", 0),
                ("objectBytesMax", 0), ("drainSeconds", 3601), ("logLevel", "info"),
                ("tls.secretName", "A"), ("replicas", 0)]:
            with self.subTest(path=path, value=value):
                self.refusal(support.nested(path, value))


class Settings(unittest.TestCase):
    maxDiff = None

    def test_each_value_has_its_line(self):
        self.assertEqual(configuration(objects(CHANGED)), WRITTEN)

    def test_the_least_says_no_more_than_what_is_needed_and_usual(self):
        found = settings(configuration(objects()))
        self.assertEqual(found["upstream-endpoint"], ["https://s3.example.eu"])
        self.assertEqual(found["vault-auth-method"], ["kubernetes"])
        self.assertEqual(found["mode"], ["epoch"])
        self.assertEqual(found["minimum-tier"], ["memfd_secret"])
        for name in ("upstream-ca", "vault-ca", "vault-namespace", "vault-auth-mount", "region", "domain",
                     "pass-through", "plain-http", "allow-plain-http-upstream", "vault-allowed-origins"):
            self.assertNotIn(name, found)

    def test_every_setting_of_the_program_is_a_value_or_left_out_knowingly(self):
        told = set()
        for more in VARIANTS.values():
            told |= set(settings(configuration(objects(more))))
        self.assertEqual(told | set(LEFT_OUT), known_settings())
        self.assertEqual(told & set(LEFT_OUT), set())

    def test_no_epoch_where_there_is_none(self):
        self.assertNotIn("epoch-hours", settings(configuration(objects({"keys": {"mode": "object"}}))))

    def test_the_usual_is_what_the_program_takes_for_usual(self):
        """A value's default is the program's, but for those that are said here."""
        help_text = support.read("Sources", "Core", "S3ProxyConfiguration", "S3ProxyHelp.swift")
        for name, value in settings(configuration(objects())).items():
            case = name.split("-")[0] + "".join(word.capitalize() for word in name.split("-")[1:])
            said = re.search(rf"case \.{case}:\s*((?:\"[^\"]*\"[\s+]*)+)", help_text)
            usual = said and re.search(r"\((\w+)\)$", said.group(1).strip().strip('"'))
            if usual and usual.group(1) != "required" and name != "vault-auth-method":
                with self.subTest(name):
                    self.assertEqual(value, [usual.group(1)])

    def test_no_secret_has_a_place_in_the_file(self):
        text = support.dump(objects(CHANGED))
        for word in "secret-id", "VAULT_TOKEN", "access_key", '"Secret"':
            self.assertNotIn(word, text)


class Program(unittest.TestCase):
    """The rendered file, by the program."""

    @classmethod
    def setUpClass(cls):
        if not os.access(PROGRAM, os.X_OK):
            raise AssertionError(f"{PROGRAM} is not there: make build/cloudtaser-s3-proxy, or set "
                                 "CLOUDTASER_S3_PROXY to the program")
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.certificate = os.path.join(cls.folder, "made.crt"), os.path.join(cls.folder, "made.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "2", "-subj", "/CN=s3.example.eu", "-out", cls.certificate[0], "-keyout", cls.certificate[1]],
            check=True, capture_output=True)

    def file(self, found, text=None):
        """Everything that the pod mounts is below a folder of its own; the settings name it there."""
        folder = tempfile.mkdtemp(dir=self.folder)
        contents = {"tls.crt": self.certificate[0], "tls.key": self.certificate[1], "ca.crt": self.certificate[0]}
        text = text or configuration(found)
        for mount in container(found)["volumeMounts"]:
            path = folder + mount["mountPath"]
            os.makedirs(path)
            text = text.replace(f" {mount['mountPath']}/", f" {path}/")
        for name, (value,) in ((name, value) for name, value in settings(text).items() if len(value) == 1):
            if value.startswith(folder):
                source = contents.get(os.path.basename(value))
                with open(value, "w", encoding="utf-8") as target:
                    if source:
                        with open(source, encoding="utf-8") as file:
                            target.write(file.read())
                    else:
                        target.write("a.projected.token")
        path = os.path.join(folder, "s3-proxy.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    @staticmethod
    def arguments(path):
        # Flags count more than the file: ports that nobody else has, and memory that the machine gives.
        return [PROGRAM, "--config", path, "--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0",
                "--minimum-tier=ordinary", "--drain-seconds=0"]

    @contextlib.contextmanager
    def running(self, path):
        with subprocess.Popen(self.arguments(path), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, text=True, env={"PATH": os.environ["PATH"]}) as process:
            try:
                yield process
            finally:
                process.kill()

    def serving(self, process):
        """What it says when it serves; fails with what it says in place of it."""
        deadline = time.monotonic() + SECONDS_MAX
        said = []
        while time.monotonic() < deadline:
            line = process.stderr.readline()
            if not line:
                break
            said.append(line)
            if '"serving"' in line:
                return json.loads(line)
        raise AssertionError(f"does not serve ({process.wait(10)}): {''.join(said)}")

    def test_serves_with_the_rendered_file(self):
        for name, more in VARIANTS.items():
            with self.subTest(name), self.running(self.file(objects(more))) as process:
                said = self.serving(process)
                self.assertEqual(said["tls"], "false" if name == "plain" else "true")
                base = f"http://127.0.0.1:{said['healthPort']}"
                self.assertEqual(self.status(f"{base}/healthz"), 200)
                # The vault of this file is nowhere.
                self.assertEqual(self.status(f"{base}/readyz"), 503)
                self.assertEqual(self.status(f"{base}/metrics"), 200)

    @staticmethod
    def status(url):
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def refused(self, path):
        return subprocess.run(self.arguments(path), capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
                              env={"PATH": os.environ["PATH"]})

    def test_the_certificates_key_opens_no_recorded_session(self):
        """The key may lie in a Secret. Of an RSA key: with it there would be such sessions."""
        path = self.file(objects())
        pair = settings(support.read(path))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=s3.example.eu",
             "-out", pair["tls-certificate"][0], "-keyout", pair["tls-key"][0]], check=True, capture_output=True)
        with self.running(path) as process:
            port = self.serving(process)["port"]
            def agrees(*words):
                run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *words], input="",
                                     capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
                return "Cipher is (NONE)" not in run.stdout and "Cipher is" in run.stdout
            for words in ["-tls1_3"], ["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE+AESGCM"]:
                self.assertTrue(agrees(*words), words)
            for words in ["-tls1_2", "-cipher", "kRSA"], ["-tls1_2", "-cipher", "SHA1"], ["-tls1_1"]:
                self.assertFalse(agrees(*words), words)

    def test_a_file_with_a_wrong_line_is_refused(self):
        """The control: the program does look at every line."""
        found = objects(CHANGED)
        text = configuration(found)
        for line in text.splitlines():
            name = line.split()[0]
            if name in ("listen", "health-listen", "minimum-tier", "drain-seconds"):
                continue  # A flag counts more.
            with self.subTest(name):
                run = self.refused(self.file(found, text.replace(f"{line}\n", f"{name}-misspelt x\n")))
                self.assertEqual(run.returncode, 64, run.stderr)
                self.assertIn(f"unknown setting '{name}-misspelt'", run.stderr)

    def test_a_file_without_what_is_needed_is_refused(self):
        found = objects()
        for name in ("upstream-endpoint", "upstream-credentials-path", "clients-path", "vault-address",
                     "vault-role", "transit-key", "tls-certificate"):
            with self.subTest(name):
                text = re.sub(rf"(?m)^{name} .*\n", "", configuration(found))
                run = self.refused(self.file(found, text))
                self.assertEqual(run.returncode, 64, run.stderr)
                self.assertIn(f"--{name}", run.stderr)

    def test_a_certificate_that_is_not_mounted_is_refused(self):
        found = objects()
        path = self.file(found)
        os.remove(settings(configuration(found))["tls-key"][0].replace("/tls/", f"{os.path.dirname(path)}/tls/"))
        run = self.refused(path)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("/tls/tls.key cannot be read", run.stderr)


class Pod(unittest.TestCase):
    def test_every_file_that_is_named_is_mounted(self):
        for name, more in VARIANTS.items():
            found = objects(more)
            with self.subTest(name):
                files = [value for values in settings(configuration(found)).values() for value in values
                         if value.startswith("/")]
                self.assertGreater(len(files), 0)
                used = {mounted(found, path)[0]["name"] for path in [*files, container(found)["args"][1]]}
                # And nothing is there that nobody reads.
                self.assertEqual(used, {one["name"] for one in pod(found)["spec"]["volumes"]})
                for mount in container(found)["volumeMounts"]:
                    self.assertIs(mount["readOnly"], True)

    def test_volumes_are_of_what_was_named(self):
        found = objects(CHANGED)
        said = settings(configuration(found))
        self.assertEqual(mounted(found, said["tls-certificate"][0])[0]["secret"], {"secretName": "s3-proxy-tls"})
        for setting, name in ("upstream-ca", "store-ca"), ("vault-ca", "vault-ca"):
            volume, file = mounted(found, said[setting][0])
            self.assertEqual((volume["configMap"], file), ({"name": name}, "ca.crt"))
        found = objects(BY_CSI)
        volume, _ = mounted(found, settings(configuration(found))["tls-key"][0])
        self.assertEqual(volume["csi"], support.merged({"readOnly": True}, BY_CSI["tls"]["csi"]))

    def test_its_identity_is_for_the_vault_only(self):
        found = objects(CHANGED)
        spec = pod(found)["spec"]
        self.assertIs(spec["automountServiceAccountToken"], False)
        account = support.named(found, "ServiceAccount", spec["serviceAccountName"])
        self.assertIs(account["automountServiceAccountToken"], False)
        volume, file = mounted(found, settings(configuration(found))["vault-jwt-file"][0])
        self.assertEqual(volume["projected"], {"sources": [{"serviceAccountToken": {
            "audience": "bao", "expirationSeconds": 1200, "path": file}}]})
        # Nobody grants it anything in the cluster.
        bindings = support.of_kind(found, "RoleBinding", "ClusterRoleBinding")
        self.assertNotIn(NAME, support.dump(bindings))

    def test_probes_and_ports_are_those_of_the_settings(self):
        found = objects()
        said = settings(configuration(found))
        ports = {one["name"]: one["containerPort"] for one in container(found)["ports"]}
        self.assertEqual(said["listen"], [f"0.0.0.0:{ports['s3']}"])
        self.assertEqual(said["health-listen"], [f"0.0.0.0:{ports['metrics']}"])
        for probe, path in ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz"):
            self.assertEqual(container(found)[probe]["httpGet"], {"path": path, "port": "metrics"})
        # The kubelet gives up on a container that says nothing: the vault being away is no reason to.
        page = support.read("Sources", "Executables", NAME, "HealthPage.swift")
        self.assertIn('case "/healthz": return (200, "ok\\n")', page)

    def test_there_is_time_for_what_is_under_way(self):
        answer = seconds_in("answerTime", "Sources", "Executables", NAME, "S3ProxyProgram.swift")
        for drain, vault in (0, 1), (5, 10), (15, 20), (3600, 300):
            found = objects({"drainSeconds": drain, "vault": {"seconds": vault}})
            grace = pod(found)["spec"]["terminationGracePeriodSeconds"]
            # Not ready, then answers, then tokens are given back.
            self.assertGreater(grace, drain + answer + vault)
            self.assertLess(grace, drain + answer + vault + 30)

    def test_a_changed_setting_rolls_the_pods(self):
        def checksum(more=None, **others):
            return pod(objects(more, **others))["metadata"]["annotations"]["checksum/settings"]
        first = checksum()
        self.assertEqual(first, checksum({"replicas": 3}))
        self.assertRegex(first, "^[0-9a-f]{64}$")
        for more in {"passThrough": ["public"]}, {"keys": {"tenant": "other"}}, {"logLevel": "debug"}:
            self.assertNotEqual(checksum(more), first)

    def test_services_of_the_namespace_are_no_settings(self):
        """Variables CLOUDTASER_S3_… are settings, and VAULT_…."""
        self.assertIs(pod(objects())["spec"]["enableServiceLinks"], False)

    def test_is_of_the_schemas_of_kubernetes(self):
        for version in support.VERSIONS:
            for name, more in VARIANTS.items():
                with self.subTest(version=version, variant=name):
                    found = [one for one in objects(more, version) if one["metadata"]["name"] == NAME]
                    self.assertEqual(len(found), 5)
                    self.assertEqual([complaint(one, version) for one in found], [None] * 5)

    def test_is_restricted(self):
        for name, more in VARIANTS.items():
            with self.subTest(name):
                self.assertEqual(list(pod_security.complaints(pod(objects(more)))), [])

    def test_one_is_there_at_any_time(self):
        found = objects()
        spec = support.named(found, "Deployment", NAME)["spec"]
        self.assertEqual(spec["replicas"], 2)
        self.assertEqual(spec["strategy"]["rollingUpdate"], {"maxSurge": 1, "maxUnavailable": 0})
        self.assertEqual(
            [one["topologyKey"] for one in spec["template"]["spec"]["topologySpreadConstraints"]],
            ["kubernetes.io/hostname", "topology.kubernetes.io/zone"])
        budget = support.named(found, "PodDisruptionBudget", NAME)
        self.assertEqual(budget["spec"]["maxUnavailable"], 1)

    def test_the_memory_limit_has_room_for_the_keys(self):
        """Memory that is locked counts as the container's."""
        limit = container(objects())["resources"]["limits"]["memory"]
        self.assertEqual(limit, "512Mi")
        text = support.read("deploy", "helm", "cloudtaser", "values.yaml")
        self.assertIn("RLIMIT_MEMLOCK", text)


class Network(unittest.TestCase):
    def test_the_service_leads_to_both_ports(self):
        for more, port in ({}, 443), (PLAIN, 80):
            found = objects(more)
            ports = {one["name"]: (one["port"], one["targetPort"]) for one in
                     support.named(found, "Service", NAME)["spec"]["ports"]}
            self.assertEqual(ports, {"s3": (port, "s3"), "metrics": (8081, "metrics")})

    def test_the_monitor_finds_it(self):
        for enabled in True, False:
            found = support.objects({"serviceMonitor": {"enabled": True}, "s3Proxy": support.S3_PROXY} if enabled
                                    else {"serviceMonitor": {"enabled": True}})
            monitor = support.named(found, "ServiceMonitor", "cloudtaser")["spec"]
            values = monitor["selector"]["matchExpressions"][0]["values"]
            self.assertEqual("s3-proxy" in values, enabled)
        labels = support.named(objects(), "Service", NAME)["metadata"]["labels"]
        self.assertEqual(labels["app.kubernetes.io/component"], "s3-proxy")

    def test_clients_come_to_one_port_and_metrics_are_kept(self):
        scraper = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
        client = {"namespaceSelector": {"matchLabels": {"team": "shop"}}}
        for clients_from, metrics_from in ([], []), ([client], [scraper]):
            found = objects(networkPolicy={
                "enabled": True, "metricsFrom": metrics_from, "s3ClientsFrom": clients_from})
            policy = support.named(found, "NetworkPolicy", NAME)["spec"]
            self.assertEqual(policy["policyTypes"], ["Ingress"])
            own, *more = policy["ingress"]
            self.assertEqual(own["ports"], [{"port": "s3", "protocol": "TCP"}])
            self.assertEqual(own.get("from"), clients_from or None)
            self.assertEqual([one["from"] for one in more], [metrics_from] if metrics_from else [])
            for one in more:
                self.assertEqual(one["ports"], [{"port": "metrics", "protocol": "TCP"}])

    def test_there_is_no_policy_for_what_is_not_there(self):
        found = support.objects({"networkPolicy": {"enabled": True}})
        self.assertEqual([one for one in support.of_kind(found, "NetworkPolicy")
                          if one["metadata"]["name"] == NAME], [])

    def test_the_notes_say_where_it_is_and_what_the_vault_needs(self):
        def notes(values):
            return next(text for path, text in support.templates(values).items() if path.endswith("NOTES.txt"))
        text = notes({"s3Proxy": support.S3_PROXY})
        for word in ("https://cloudtaser-s3-proxy.cloudtaser-system.svc", "derived=true", "s3-objects",
                     "secret/s3/clients", "docs/reference/s3-proxy.md"):
            self.assertIn(word, text)
        self.assertNotIn("s3-proxy", notes({}))


class Page(unittest.TestCase):
    def test_its_example_renders(self):
        page = support.read("docs", "reference", "s3-proxy.md")
        section = page.split("\n## In a cluster\n")[1].split("\n## ")[0]
        block = re.search(r"```yaml\n(.*?)```", section, re.S).group(1)
        values = support.load_all(block)[0]
        found = support.objects(values)
        self.assertIn("upstream-endpoint", configuration(found))
        self.assertIn(settings(configuration(found))["vault-role"][0], section)


class Image(unittest.TestCase):
    """What the program is linked with is in its image."""

    def test_has_every_library(self):
        text = support.read("deploy", "images", "s3-proxy.Dockerfile")
        self.assertIn("libssl.so.3", libraries.libraries(PROGRAM))
        self.assertEqual(libraries.missing(PROGRAM, text), {})

    def test_one_without_openssl_is_found(self):
        text = support.read("deploy", "images", "s3-proxy.Dockerfile").replace("libssl3 ", "")
        self.assertEqual(set(libraries.missing(PROGRAM, text)), {"libssl.so.3", "libcrypto.so.3"})

    def test_has_authorities_for_stores_that_anybody_knows(self):
        self.assertIn(
            "ca-certificates", libraries.installed(support.read("deploy", "images", "s3-proxy.Dockerfile")))
