# SPDX-License-Identifier: Apache-2.0
"""Reports of protection on a real API server, with the chart's rights. There is no node: the test writes what
a kubelet and a DaemonSet would, and answers as the agent does (docs/reference/agent.md, GET /workloads)."""
import http.server
import json
import threading
import unittest

import kubernetes
import stage
import support

NODE = "node-1"
ADDRESS, PORT = "127.0.0.3", 9464
REPORTS = "/apis/cloudtaser.io/v1alpha1/namespaces/shop/protectionreports"
PODS = f"{kubernetes.CORE}/namespaces/shop/pods"
AGENTS = f"{kubernetes.CORE}/namespaces/{support.NAMESPACE}/pods"
APPS = "/apis/apps/v1/namespaces/shop"


class Agent:
    """Answers as an agent at its observation port."""

    def __init__(self):
        self.containers = []
        self.asked = []
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                agent.asked.append((self.path, dict(self.headers)))
                text = json.dumps({
                    "tier": "lsm", "mode": "deny", "scans": True, "workloads": [
                        {"pod": uid, "container": container, "enrolment": 16 + index, "scanned": True}
                        for index, (uid, container) in enumerate(agent.containers)],
                    "more": False}, separators=(",", ":")).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer((ADDRESS, PORT), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self):
        self._server.shutdown()
        self._server.server_close()


def identifier(digit):
    return digit * 64


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()
        cls.stage.wait_until_all_are_ready()
        cls.api = cls.stage.api

    def setUp(self):
        self.agent = Agent()
        self.addCleanup(lambda: self.agent and self.agent.end())

    def put(self, path, body):
        """Taken away at the end."""
        made = self.api.call("POST", path, body)
        self.addCleanup(self.api.call, "DELETE", f"{path}/{made['metadata']['name']}?gracePeriodSeconds=0")
        return made

    def run_agent(self):
        """As the DaemonSet's controller and the kubelet would."""
        template = support.named(self.stage.version.rendered, "DaemonSet", "cloudtaser-agent")["spec"]["template"]
        made = self.put(AGENTS, {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "cloudtaser-agent-1", "labels": template["metadata"]["labels"]},
            "spec": {"nodeName": NODE, "serviceAccountName": "cloudtaser-agent",
                     "automountServiceAccountToken": False,
                     "containers": [{"name": "agent", "image": "agent"}]}})
        self.say(f"{AGENTS}/{made['metadata']['name']}", {"phase": "Running", "podIP": ADDRESS})

    def say(self, path, status):
        """What a kubelet says of a pod."""
        self.api.call("PATCH", path + "/status", {"status": status}, "application/merge-patch+json")

    def start(self, name, container, owner=None):
        """A pod by the webhook, which runs on the node. Returns it as it is stored."""
        wanted = stage.pod(name)
        wanted["spec"]["nodeName"] = NODE
        if owner:
            wanted["metadata"]["ownerReferences"] = [owner]
        made = self.put(PODS, wanted)
        self.assertTrue(stage.is_wrapped(made))
        self.say(f"{PODS}/{name}", {"phase": "Running", "containerStatuses": [{
            "name": "web", "image": stage.APPLICATION_IMAGE, "imageID": "", "ready": True, "restartCount": 0,
            "state": {"running": {}}, "containerID": f"containerd://{container}"}]})
        return made

    def owned(self):
        """A Deployment's ReplicaSet; nobody makes pods of it here. Returns the Deployment and a reference."""
        spec = {"selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": stage.APPLICATION_IMAGE}]}}}
        deployment = self.put(f"{APPS}/deployments", {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
        replicas = self.put(f"{APPS}/replicasets", {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {
                "name": "web-5d", "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": True,
                    "uid": deployment["metadata"]["uid"]}]}, "spec": spec})
        return deployment, {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d", "controller": True,
            "uid": replicas["metadata"]["uid"]}

    def condition(self, name):
        report = self.api.found(f"{REPORTS}/{name}") or {}
        return next((one for one in report.get("status", {}).get("conditions", [])
                     if one["type"] == "Protected"), {})

    def wait(self, name, status, reason):
        stage.eventually(f"{name} is {reason}", lambda: (
            found := self.condition(name)) and (found["status"], found["reason"]) == (status, reason))

    def counted(self):
        """As the leader says it."""
        found = [one.metric("cloudtaser_operator_unprotected_workloads") for one in self.stage.replicas]
        return next((count for count in found if count is not None), None)

    def test_say_what_the_agents_of_their_pods_nodes_say(self):
        for name in "deployment-web", "pod-open":
            self.addCleanup(lambda name=name: self.api.found(f"{REPORTS}/{name}") and self.api.call(
                "DELETE", f"{REPORTS}/{name}"))
        deployment, owner = self.owned()
        web = self.start("web-5d-1", identifier("a"), owner)
        # The control: one that no agent has enrolled, beside it.
        self.start("open", identifier("b"))
        self.wait("deployment-web", "Unknown", "NoAgent")

        self.run_agent()
        self.agent.containers = [(web["metadata"]["uid"], identifier("a"))]
        self.wait("deployment-web", "True", "AllEnrolled")
        self.wait("pod-open", "False", "NotEnrolled")
        stage.eventually("one is counted", lambda: self.counted() == 1)
        report = self.api.get(f"{REPORTS}/deployment-web")
        self.assertEqual(report["spec"]["workload"],
                         {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
        self.assertEqual([one["uid"] for one in report["metadata"]["ownerReferences"]],
                         [deployment["metadata"]["uid"]])
        self.assertEqual(report["status"]["facts"], {
            "pods": 1, "enrolledPods": 1, "enforcementTier": "lsm", "mode": "deny", "outputIsScanned": True})
        self.assertEqual(report["status"]["observedGeneration"], report["metadata"]["generation"])
        self.assertIn("not protected: open (1 of 1 pods)", self.condition("pod-open")["message"])
        path, headers = self.agent.asked[0]
        self.assertEqual(path, "/workloads")
        self.assertNotIn("Authorization", headers)

        # Nothing is written while nothing changes.
        asked = len(self.agent.asked)
        stage.eventually("it is looked at again", lambda: len(self.agent.asked) > asked + 1)
        self.assertEqual(self.api.get(f"{REPORTS}/deployment-web")["metadata"]["resourceVersion"],
                         report["metadata"]["resourceVersion"])

        self.agent.containers = []
        self.wait("deployment-web", "False", "NotEnrolled")
        self.assertIn("web-5d-1", self.condition("deployment-web")["message"])
        stage.eventually("both are counted", lambda: self.counted() == 2)

        self.agent.end()
        self.agent = None
        self.wait("deployment-web", "Unknown", "AgentUnreachable")
        facts = self.api.get(f"{REPORTS}/deployment-web")["status"]["facts"]
        self.assertEqual(facts, {"pods": 1, "enrolledPods": 0})
        # Pods of others have none.
        names = {one["metadata"]["name"] for one in self.api.get(REPORTS)["items"]}
        self.assertEqual(names, {"deployment-web", "pod-open"})
