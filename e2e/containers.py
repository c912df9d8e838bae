# SPDX-License-Identifier: Apache-2.0
"""Runs a container of a pod as it is stored, on this host: what a kubelet and a run-time make of it, as
far as the pods here use it. Everything else is refused, so that nothing is left out in silence."""
import base64
import json
import os
import re
import shutil
import subprocess
import sys

import kubernetes

FOLDER = os.path.dirname(os.path.abspath(__file__))
# Of images that name no user; what the wrapper's image says, too.
USER = 65532
_WORD = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


def expanded(text, variables):
    """As the kubelet expands `command`, `args` and values."""
    def one(match):
        if match.group(0) == "$$":
            return "$"
        return variables.get(match.group(1), match.group(0))
    return _WORD.sub(one, text)


class Sandbox:
    """The volumes of a pod, and its containers one after the other."""

    def __init__(self, connection, pod, folder, images, account=None):
        """images: by name, {path in the image: file of the host}; account: whose token is projected
        instead of the pod's."""
        self._connection = connection
        self._pod = pod
        self._folder = folder
        self._images = images
        self._account = account
        self._volumes = {one["name"]: self._volume(one) for one in pod["spec"].get("volumes", [])}

    def _volume(self, volume):
        path = os.path.join(self._folder, "volume-" + volume["name"])
        os.makedirs(path)
        os.chmod(path, 0o777)
        for name, content in self._files(volume):
            file = os.path.join(path, name)
            with open(file, "w", encoding="utf-8") as opened:
                opened.write(content)
            os.chmod(file, 0o644)
        return path

    def _files(self, volume):
        """(name, content) of what is in it at the beginning."""
        (kind, wanted), = ((kind, wanted) for kind, wanted in volume.items() if kind != "name")
        if kind == "projected":
            for source in wanted["sources"]:
                yield from self._projected(source)
        elif kind == "configMap":
            yield from self._object("configmaps", wanted["name"])["data"].items()
        elif kind == "secret":
            for name, content in self._object("secrets", wanted["secretName"])["data"].items():
                yield name, base64.b64decode(content).decode()
        elif kind != "emptyDir":
            raise NotImplementedError(kind)

    def _object(self, kind, name):
        return self._connection.get(
            f"{kubernetes.CORE}/namespaces/{self._pod['metadata']['namespace']}/{kind}/{name}")

    def _projected(self, source):
        (kind, wanted), = source.items()
        namespace = self._pod["metadata"]["namespace"]
        if kind == "serviceAccountToken":
            other = self._account
            yield wanted["path"], self._connection.token(
                namespace, other or self._pod["spec"]["serviceAccountName"], wanted.get("audience"),
                None if other else self._pod, wanted["expirationSeconds"])
        elif kind == "configMap":
            found = self._object("configmaps", wanted["name"])
            for item in wanted["items"]:
                yield item["path"], found["data"][item["key"]]
        else:
            raise NotImplementedError(kind)

    def container(self, name):
        spec = self._pod["spec"]
        return next(one for one in spec.get("initContainers", []) + spec["containers"]
                    if one["name"] == name)

    def start(self, name, is_offline=False):
        """A started container, with its output in pipes. is_offline: in a network of its own."""
        container = self.container(name)
        variables = {}
        for entry in container.get("env", []):
            assert set(entry) <= {"name", "value"}, entry
            variables[entry["name"]] = expanded(entry.get("value", ""), variables)
        image = self._images[container["image"]]
        argv = [expanded(word, variables)
                for word in container.get("command", image.get("entrypoint", []))
                + container.get("args", [])]
        wanted = {
            "root": self._root(name, image["files"]), "argv": argv,
            "environment": {"PATH": "/usr/bin:/bin"} | variables,
            "user": USER if os.geteuid() == 0 else None,
            "mounts": [
                {"source": self._volumes[mount["name"]], "target": mount["mountPath"],
                 "readOnly": mount.get("readOnly", False)}
                for mount in container.get("volumeMounts", [])]}
        path = os.path.join(self._folder, name + ".json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(wanted, file)
        own = ([] if os.geteuid() == 0 else ["--map-root-user"]) + (["--net"] if is_offline else [])
        return subprocess.Popen(
            ["unshare", *own, "--mount", "--propagation", "private", "--", sys.executable,
             os.path.join(FOLDER, "enter.py"), path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, name, is_offline=False):
        """(exit code, output, errors)"""
        process = self.start(name, is_offline)
        output, errors = process.communicate()
        return process.returncode, output, errors

    def _root(self, name, files):
        root = os.path.join(self._folder, "root-" + name)
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        for path, source in files.items():
            target = root + path
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)
            os.chmod(target, 0o755)
        return root
