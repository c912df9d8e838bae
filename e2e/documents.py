# SPDX-License-Identifier: Apache-2.0
"""A user's shell, in which command blocks of the documents are played."""
import json
import os
import re
import stat
import subprocess
import sys

import support

# Kinds that 1.20 does not know. It has another version of one more, and kubectl has its word on fields from there.
UNKNOWN = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
# In the place of a user's kubectl. What only a controller or a kubelet does is written down and not done, but for the
# tutorial's vault, whose commands go to a real one.
KUBECTL = """#!{python}
import json, os, subprocess, sys
words = sys.argv[1:]
given = None
if "deployment/openbao" in words and "logs" in words:
    print("Root Token: " + os.environ["PLAYED_TOKEN"])
    sys.exit(0)
if "deployment/openbao" in words and "exec" in words:
    command = [one.replace("http://127.0.0.1:8200", os.environ["PLAYED_VAULT"]) for one in words[words.index("--") + 1:]]
    sys.exit(subprocess.run(command).returncode)
if {{"rollout", "logs", "exec"}} & set(words):
    with open({log!r}, "a", encoding="utf-8") as file:
        file.write(" ".join(words) + "\\n")
    sys.exit(0)
if {{"apply", "delete"}} & set(words) and "-" in words:
    import yaml
    documents = [one for one in yaml.safe_load_all(sys.stdin.read()) if one]
    for one in documents:
        if one["kind"] == "PodDisruptionBudget":
            one["apiVersion"] = "policy/v1beta1"
    given = "".join("---\\n" + json.dumps(one) + "\\n" for one in documents if one["kind"] not in {unknown!r})
if "apply" in words:
    words.append("--validate=false")
if "delete" in words:
    # Nobody ends what has a finalizer.
    words.append("--wait=false")
sys.exit(subprocess.run([{kubectl!r}, *words], input=given, text=True).returncode)
"""


def kubeconfig(server, token, authority=None, contexts=("x",)):
    cluster = {"server": server} | ({"certificate-authority": authority} if authority else {})
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": contexts[0],
        "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in contexts]}


def blocks(page):
    """(language, text) of each block of a page, in their order."""
    return re.findall(r"(?ms)^```(\w*)\n(.*?)^```", support.read("docs", page))


class Shell:
    def __init__(self, server, folder):
        self.server = server
        self.folder = folder
        self.tool = os.path.abspath(os.environ["CLOUDTASER_TOOL"])
        self.home = os.path.join(folder, "home")
        self.kubeconfig = os.path.join(folder, "kubeconfig")
        os.makedirs(self.home, exist_ok=True)
        with open(self.kubeconfig, "w", encoding="utf-8") as file:
            json.dump(kubeconfig(server.address, "administrator", os.path.join(server.folder, "certificate.pem"),
                                 ("prod-eu-1", "production")), file)
        self._log = os.path.join(folder, "not-done")
        self._programs = self._folder("bin", {
            "kubectl": None, "cloudtaser": self.tool, "bao": os.path.abspath(os.environ["CLOUDTASER_OPENBAO"])})
        self._helm = self._folder("helm", {"helm": os.path.abspath(os.environ["CLOUDTASER_HELM"])})
        path = os.path.join(self._programs, "kubectl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(KUBECTL.format(
                python=sys.executable, unknown=UNKNOWN, log=self._log, kubectl=os.path.join(server.programs, "kubectl")))
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def _folder(self, name, programs):
        place = os.path.join(self.folder, name)
        os.makedirs(place, exist_ok=True)
        for program, path in programs.items():
            if path:
                os.symlink(path, os.path.join(place, program))
        return place

    def environment(self, without_helm=False):
        folders = [self._programs, *([] if without_helm else [self._helm]), "/usr/bin", "/bin"]
        return {"HOME": self.home, "KUBECONFIG": self.kubeconfig, "PATH": ":".join(folders)}

    def play(self, text, variables=None):
        """Each line has to be content, but for what stands before a pipe."""
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text], cwd=self.folder, env=self.environment() | (variables or {}),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def not_done(self):
        """Since it was asked last: words of kubectl that need a controller or a kubelet."""
        if not os.path.exists(self._log):
            return []
        with open(self._log, encoding="utf-8") as file:
            lines = file.read().splitlines()
        os.unlink(self._log)
        return lines

    def forget_namespace(self, name):
        """As the namespaces' controller, which there is none of."""
        self.server.kubectl("delete", "namespace", name, "--wait=false")
        ok, text = self.server.kubectl("get", "namespace", name, "-o", "json")
        if ok:
            body = json.loads(text)
            body["spec"]["finalizers"] = []
            self.server.kubectl("replace", "--raw", f"/api/v1/namespaces/{name}/finalize", "-f", "-", text=json.dumps(body))
