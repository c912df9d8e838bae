# SPDX-License-Identifier: Apache-2.0
"""The application of the story, as people have it; and what stands in for a kubelet and the controllers of
workloads, of which there are none here."""
import base64
import json
import os
import secrets
import subprocess

import demo

import containers
import kubernetes
import stage

NAMESPACE = "shop"
CORE = f"{kubernetes.CORE}/namespaces/{NAMESPACE}"
APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
# A wrapper that is asked to end has this long.
END_SECONDS_MAX = 15
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  selector:
    matchLabels: {{app: web}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      serviceAccountName: app
      automountServiceAccountToken: false
      containers:
      - name: web
        image: {image}
        command: ["{command}"]
        args: ["{argument}"]
        env:
        - name: DB_PASSWORD
          valueFrom:
            secretKeyRef: {{name: db, key: password}}
---
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
stringData:
  password: {value}
"""


class Shop:
    def __init__(self, scene, folder):
        """scene: a stage.Stage; folder: for files that go with the story."""
        self.stage = scene
        self.folder = folder
        # Marked, worth nothing, and of this run: they may be printed.
        self.old_value = f"demo-canary-old-{secrets.token_hex(8)}"
        self.new_value = f"demo-canary-new-{secrets.token_hex(8)}"
        self.processes = []
        self.write("shop.yaml", MANIFEST.format(
            image=stage.APPLICATION_IMAGE, command=stage.COMMAND[0], argument=stage.COMMAND[1],
            value=self.old_value))
        # What the vault's command reads, and what is looked for.
        self.write("password", self.new_value)
        self.write("old.txt", self.old_value)
        self.write("new.txt", self.new_value + "\n" + base64.b64encode(self.new_value.encode()).decode() + "\n")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    # In the place of controllers

    def roll_out(self, revision):
        """A ReplicaSet and a pod of the Deployment as it is stored; those of the revision before go."""
        api = self.stage.api
        deployment = api.get(f"{APPS}/deployments/web")
        template = deployment["spec"]["template"]
        labels = template["metadata"]["labels"]
        replicas = api.call("POST", f"{APPS}/replicasets", {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": self._owned(f"web-{revision}", deployment, {"labels": labels}),
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}})
        kept = {part: template["metadata"][part] for part in ("labels", "annotations")
                if part in template["metadata"]}
        api.create_pod(NAMESPACE, {
            "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
            "metadata": self._owned(f"web-{revision}", replicas, kept)})
        if revision > 1:
            self.stage.kubectl("delete", f"replicaset/web-{revision - 1}", f"pod/web-{revision - 1}",
                               "-n", NAMESPACE, "--grace-period=0", "--force")
        return self.stage.stored(f"web-{revision}")

    @staticmethod
    def _owned(name, owner, more):
        return more | {"name": name, "namespace": NAMESPACE, "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": owner["kind"], "controller": True,
            "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}]}

    # In the place of a kubelet

    def started(self, pod):
        """The first line and the id of the pod's program, which runs on this host."""
        box = containers.Sandbox(
            self.stage.api, self._with_values(pod), self._own_folder(pod), self.stage.images())
        for one in pod["spec"].get("initContainers", []):
            code, _, errors = box.run(one["name"])
            if code != 0:
                raise demo.DemoError(f"{one['name']} ended with {code}: {errors}")
        process = box.start("web")
        self.processes.append(process)
        line = process.stdout.readline()
        pid = demo.application_below(process.pid)
        if not line or pid is None:
            raise demo.DemoError(f"web ended with {process.wait()}: {process.stderr.read()}")
        return line.strip(), pid

    def _own_folder(self, pod):
        folder = os.path.join(self.folder, "pod-" + pod["metadata"]["name"])
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        return folder

    def _with_values(self, pod):
        """As the kubelet reads Secrets into variables."""
        pod = json.loads(json.dumps(pod))
        for container in pod["spec"]["containers"]:
            for entry in container.get("env", []):
                reference = entry.pop("valueFrom", {}).get("secretKeyRef")
                if reference:
                    data = self.stage.api.get(f"{CORE}/secrets/{reference['name']}")["data"]
                    entry["value"] = base64.b64decode(data[reference["key"]]).decode()
        return pod

    def end_programs(self):
        for process in self.processes:
            process.terminate()
            try:
                process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
            process.stderr.close()
        self.processes.clear()

    @staticmethod
    def first_line(value):
        """What the demo-application says of a value that it holds."""
        return f"ready {len(value)} {demo.fingerprint(value)}"
