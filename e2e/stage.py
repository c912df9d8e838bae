# SPDX-License-Identifier: Apache-2.0
"""What all tests share: a real API server with the chart's objects, two replicas of the operator, and a
real vault that believes the API server's tokens."""
import atexit
import base64
import contextlib
import functools
import json
import os
import tempfile
import time

import api_server
import openbao
import support

import kubernetes
import operators

# On a busy machine.
SECONDS_MAX = 240
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/cloudtaser"
SECRET = f"{kubernetes.CORE}/namespaces/{support.NAMESPACE}/secrets/cloudtaser-operator-tls"
POLICY = "/apis/cloudtaser.io/v1alpha1/cloudtaserpolicies/cluster"
# What no API object and no file of etcd may hold.
VALUE = "canary-5b0c1f7e9a7d4b42"
WRAPPER_IMAGE = "registry.example.eu/cloudtaser/cloudtaser-wrapper:1"
APPLICATION_IMAGE = "registry.example.eu/shop/web:1"
COMMAND = ["/demo-application", "DB_PASSWORD"]


def eventually(what, is_true):
    """Waits; what is true at last is returned."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        found = is_true()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


def believe_tokens(vault, server, api):
    """The vault has logins checked by a TokenReview of the API server, as the account vault of the namespace vault."""
    ok, output = server.kubectl(
        "create", "clusterrolebinding", "vault", "--clusterrole=system:auth-delegator", "--serviceaccount=vault:vault")
    assert ok, output
    with open(os.path.join(server.folder, "certificate.pem"), encoding="utf-8") as file:
        authority = file.read()
    vault.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    vault.call("POST", "auth/kubernetes/config", {
        "kubernetes_host": server.address, "kubernetes_ca_cert": authority,
        "token_reviewer_jwt": api.token("vault", "vault")})


class Version:
    """A chart as it is rendered here, and the operator that it starts."""

    def __init__(self, program, chart=support.CHART):
        self.program = os.path.abspath(program)
        self.rendered = support.objects({}, support.OLD_VERSION, chart)
        deployment = support.named(self.rendered, "Deployment", operators.NAME)
        self.arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]


class Stage:
    def __init__(self, folder, version):
        self.folder = folder
        self.version = version
        self.programs = {
            name: os.path.abspath(os.environ[variable]) for name, variable in {
                "wrapper": "CLOUDTASER_WRAPPER", "application": "CLOUDTASER_APPLICATION",
                "tool": "CLOUDTASER_TOOL"}.items()}
        self._open = contextlib.ExitStack()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def close(self):
        self._open.close()

    # What is there at the beginning

    def _start(self):
        self.server = self._open.enter_context(api_server.ApiServer(
            # Calls webhooks by their endpoints: nobody here routes a Service's address.
            "--enable-aggregator-routing=true",
            # Pods' tokens without a controller that makes Secrets of them.
            "--feature-gates=BoundServiceAccountTokenVolume=true,RootCAConfigMap=true",
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"))
        self.api = kubernetes.Connection(self.server)
        for namespace in support.NAMESPACE, "shop", "bank", "vault":
            # By which pods are left out; servers from 1.21 set it themselves.
            self.kubectl("create", "-f", "-", text=json.dumps({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {
                    "name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}}}))
        self.apply(self.version)
        self.kubectl("wait", "--for=condition=Established", "--timeout=120s",
                     "crd/cloudtaserpolicies.cloudtaser.io")
        for namespace, account in ("shop", "app"), ("shop", "other"), ("bank", "app"), ("vault", "vault"):
            self.kubectl("create", "serviceaccount", account, "-n", namespace)
        self.vault = self._open.enter_context(openbao.OpenBao(os.environ["CLOUDTASER_OPENBAO"]))
        self._set_up_vault()
        self.set_policy(["shop"])
        self._kubeconfig = self._operators_kubeconfig()
        self.replicas = []
        self._open.callback(lambda: [one.kill() for one in self.replicas])
        for _ in range(2):
            self.add_replica()
        self.endpoints = operators.Endpoints(
            kubernetes.Connection(self.server), lambda: list(self.replicas))
        self.endpoints.start()
        self._open.callback(self.endpoints.end)
        self.wait_until_asked()

    def kubectl(self, *arguments, text=""):
        ok, output = self.server.kubectl(*arguments, text=text)
        assert ok, output
        return output

    def apply(self, version):
        # The server's word, not kubectl's.
        self.kubectl("apply", "--validate=false", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": version.rendered}))

    def _set_up_vault(self):
        believe_tokens(self.vault, self.server, self.api)
        with open(self.vault.ca_file, encoding="utf-8") as file:
            self.kubectl("create", "-f", "-", text=json.dumps({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "vault-ca", "namespace": "shop"}, "data": {"ca.crt": file.read()}}))
        self.vault.store("shop/db", {"password": VALUE})
        self.vault.call("PUT", "sys/policies/acl/shop", {
            "policy": 'path "secret/data/shop/*" { capabilities = ["read"] }'})
        self.vault.call("POST", "auth/kubernetes/role/shop", {
            "bound_service_account_names": ["app"], "bound_service_account_namespaces": ["shop"],
            "audience": "vault", "token_policies": ["shop"], "token_ttl": "10m"})

    def _operators_kubeconfig(self):
        path = os.path.join(self.server.folder, "operator-kubeconfig")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "x",
                "clusters": [{"name": "c", "cluster": {
                    "server": self.server.address,
                    "certificate-authority": os.path.join(self.server.folder, "certificate.pem")}}],
                "users": [{"name": "u", "user": {
                    "token": self.api.token(support.NAMESPACE, operators.NAME)}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}, file)
        return path

    # Who answers

    def add_replica(self):
        log = os.path.join(self.folder, f"operator-{time.monotonic_ns()}.log")
        self.replicas.append(operators.Replica(
            self.version.program, self.version.arguments, self._kubeconfig, log))
        return self.replicas[-1]

    def remove(self, replica, end):
        """end: how it goes; the endpoints' controller learns of it after that."""
        end()
        self.replicas.remove(replica)
        self.endpoints.seen()

    def wait_until_all_are_ready(self, count=2):
        while len(self.replicas) < count:
            self.add_replica()
        eventually("all replicas are ready", lambda: all(one.is_ready for one in self.replicas))
        self.endpoints.seen()
        self.wait_until_asked()

    def wait_until_asked(self):
        """Until the API server has seen the configuration and the endpoints."""
        eventually("a pod that asks is wrapped", lambda: self.tried(pod("probe")) is None)

    def tried(self, wanted, connection=None):
        """Why a pod would not start wrapped; None: it would."""
        try:
            made = (connection or self.api).create_pod(wanted["metadata"]["namespace"], wanted, dry_run=True)
        except kubernetes.Refused as refusal:
            return refusal.message
        return None if is_wrapped(made) else "it is not wrapped"

    def set_policy(self, namespaces):
        """Who may read below secret/shop."""
        self.api.apply(POLICY, {
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
            "metadata": {"name": "cluster"}, "spec": {
                "vaults": [{
                    "name": "main", "address": self.vault.address, "audience": "vault",
                    "trustAnchors": {"configMap": "vault-ca", "key": "ca.crt"}}],
                "grants": [{"namespaces": namespaces, "vault": "main", "roles": ["shop"],
                            "paths": ["secret/shop/*"]}],
                "wrapper": {"image": WRAPPER_IMAGE},
                # There is no node, and this host's kernel is what it is.
                "agent": "none", "minimumTier": "ordinary", "entrypoints": "explicit-command"}})

    # What is in the cluster

    def configuration(self):
        return self.api.found(CONFIGURATION)

    def stored(self, name, namespace="shop"):
        return self.api.found(f"{kubernetes.CORE}/namespaces/{namespace}/pods/{name}")

    def images(self):
        return {
            WRAPPER_IMAGE: {"files": {"/cloudtaser-wrapper": self.programs["wrapper"]},
                            "entrypoint": ["/cloudtaser-wrapper"]},
            APPLICATION_IMAGE: {"files": {COMMAND[0]: self.programs["application"]}}}


def pod(name, namespace="shop", asks=True, more=None, account="app"):
    annotations = {
        "cloudtaser.io/vault-role": "shop", "cloudtaser.io/secret-paths": "secret/shop/db",
        "cloudtaser.io/env-map": "password=DB_PASSWORD"} | (more or {})
    made = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {
            "serviceAccountName": account, "automountServiceAccountToken": False,
            "containers": [{"name": "web", "image": APPLICATION_IMAGE, "command": COMMAND[:1],
                            "args": COMMAND[1:]}]}}
    if asks:
        made["metadata"]["labels"] = {"cloudtaser.io/inject": "true"}
    return made


def is_wrapped(made):
    """Each of its containers that its author wrote."""
    return all(
        one["command"] == ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", *COMMAND[:1]]
        for one in made["spec"]["containers"])


@functools.cache
def shared():
    folder = tempfile.TemporaryDirectory(prefix="cloudtaser-e2e-")
    atexit.register(folder.cleanup)
    stage = Stage(folder.name, Version(os.environ["CLOUDTASER_OPERATOR"]))
    atexit.register(stage.close)
    return stage
