# SPDX-License-Identifier: Apache-2.0
"""The chapters of the story, in their order. Each checks what it shows, and has its control: what is not found any
more is what the same search found before."""
import argparse
import contextlib
import glob
import json
import os
import shutil
import subprocess
import sys
import time

import demo

import bucket
import kubernetes
import proxy
import shop
import stage

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Where the pages are that stay, from ROOT.
PAGES = "build/demo"
DOCUMENT_MARK = "invoice-canary-7f3a9c"
DOCUMENT = f"{DOCUMENT_MARK}: 1200 EUR, to be paid within 30 days\n" * 40


def audit_of(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def web(audit):
    """(standing, score's bounds) of the application."""
    standing, = (one["standing"] for one in audit["workloads"] if one["container"] == "web")
    score, = (one["score"]["ofPlatform"] for one in audit["protection"]["containers"] if one["container"] == "web")
    return standing, (score["lower"], score["upper"])


def told(score):
    return " to ".join(str(one) for one in dict.fromkeys(score))


class Chapters:
    def __init__(self, telling, application):
        """application: a shop.Shop"""
        self.telling = telling
        self.shop = application
        self.stage = application.stage
        self.limits = demo.host_limits()
        self.can_attack = os.geteuid() == 0 and not self.limits
        self.who = "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"

    def all(self):
        return (self.before, self.convert, self.deliver, self.attack, self.encrypt, self.after)

    # 1

    def before(self):
        tell = self.telling
        tell.chapter("Before: a Deployment and its Secret, as people have them")
        tell.show(tell.run("kubectl apply -f shop.yaml").stdout)
        pod = self.shop.roll_out(1)
        tell.check("the webhook leaves alone a pod that does not ask for it", not stage.is_wrapped(pod))
        found = tell.run("cloudtaser discover -n shop --kubeconfig $KUBECONFIG")
        tell.show(found.stdout, r"^CT1\d\d\d ")
        tell.check("discover finds the use of the Secret, and that it converts",
                   any(line.startswith("CT1001") and line.endswith("yes") for line in found.stdout.splitlines()))
        tell.show(tell.run("cloudtaser audit -n shop").stdout, " unprotected ·", "^protection of", " web .*exposed")
        tell.run("cloudtaser audit -n shop -o json > before.json")
        standing, score = web(audit_of(os.path.join(self.shop.folder, "before.json")))
        tell.check(f"audit says {standing}, and a protection of {told(score)} of 100",
                   standing == "unprotected" and score[1] <= 20)
        # What the last chapter's control compares.
        tell.run("kubectl get pods,secrets,deployments,replicasets -n shop -o json > before-objects.json")
        tell.text(f"The container's command line, run here; then {self.who} of the machine looks:")
        line, pid = self.shop.started(pod)
        tell.check("the application serves with the Secret's value", line == self.shop.first_line(self.shop.old_value))
        environment = tell.run(f"tr '\\0' '\\n' < /proc/{pid}/environ | grep DB_PASSWORD").stdout
        tell.show(environment)
        tell.check("the value is in /proc/PID/environ", self.shop.old_value in environment)
        self.search_memory(pid, "old.txt", "leaked", "the value is in its memory")
        files = tell.run("grep -rlaF -f old.txt etcd/", code=None).stdout
        tell.show(files)
        tell.check("the value is in the files of etcd", "member/" in files)
        self.shop.end_programs()

    def search_memory(self, pid, needle, expected, text):
        """Of the pod's own program; the fourth chapter has the other attacks."""
        if not self.can_attack:
            return
        done = self.telling.run(f"attack mem {pid} --needle-file {needle}")
        outcome = json.loads(done.stdout.splitlines()[-1])["outcome"]
        self.telling.show(outcome)
        self.telling.check(text, outcome == expected)

    # 2

    def convert(self):
        tell = self.telling
        tell.chapter("Convert it, and give the vault a new value")
        done = tell.run("cloudtaser discover --patch --vault-role shop -n shop > converted.yaml")
        tell.show(done.stderr)
        with open(os.path.join(self.shop.folder, "converted.yaml"), encoding="utf-8") as file:
            converted = file.read()
        tell.show(converted, r"^kind: ", r"^  name: ", r"cloudtaser\.io/", limit=12)
        tell.check("the patch names the vault's path, and no Secret",
                   "secret-paths: secret/shop/db" in converted and "secretKeyRef" not in converted)
        command = tell.run("cloudtaser discover --patch --vault-commands --vault-role shop -n shop").stdout.strip()
        tell.show(command)
        # Printed by the program; only this form is run.
        tell.check("the vault's command takes the value from a file",
                   command == "bao kv put secret/shop/db password=@password")
        tell.text("The old value stays in etcd's history: what moves to the vault is rotated.")
        tell.run("bao kv put secret/shop/db password=@password")
        stored = self.stage.vault.call("GET", "secret/data/shop/db")["data"]["data"]["password"]
        tell.check("the vault has the new value", stored == self.shop.new_value)
        tell.show(tell.run("kubectl apply --dry-run=server -f converted.yaml").stdout)
        applied = tell.run("kubectl apply -f converted.yaml").stdout
        tell.show(applied)
        tell.check("the API server takes it", "deployment.apps/web configured" in applied)

    # 3

    def deliver(self):
        tell = self.telling
        tell.chapter("A pod through the webhook, and its secret from the vault")
        pod = self.shop.roll_out(2)
        tell.show(tell.run(
            "kubectl get pod web-2 -n shop -o jsonpath='{.spec.containers[0].command}'").stdout)
        tell.check("the operator's webhook stored it to start by the wrapper (its predecessor did not)",
                   stage.is_wrapped(pod))
        refused = self.stage.tried(stage.pod("thief", more={"cloudtaser.io/secret-paths": "secret/bank/db"}))
        tell.show(refused or "")
        tell.check("a pod that asks for another's path is refused: the policy does not grant it",
                   refused is not None and "denied the request" in refused)
        tell.text("The stored command line, run here with the pod's projected token:")
        line, pid = self.shop.started(pod)
        tell.show(line)
        tell.check("the application serves with the value from the vault",
                   line == self.shop.first_line(self.shop.new_value))
        environment = tell.run(f"tr '\\0' '\\n' < /proc/{pid}/environ | grep DB_PASSWORD").stdout
        tell.show(environment)
        tell.check("/proc/PID/environ has the name without a value", environment.strip() == "DB_PASSWORD=")
        self.search_memory(pid, "password", "refused", "the kernel refuses the memory that has the value")
        tell.run("kubectl delete secret db -n shop")
        new = tell.run("grep -rlaF -f new.txt etcd/", code=None)
        tell.check("the new value is in no file of etcd", new.returncode == 1)
        old = tell.run("grep -rlaF -f old.txt etcd/", code=None)
        tell.show(old.stdout)
        tell.check("while the old one still is, without its Secret (the search works, and rotating was right)",
                   old.returncode == 0)
        kinds = ",".join(self.stage.kubectl("api-resources", "--verbs=list", "-o", "name").split())
        objects = self.stage.kubectl("get", kinds, "-A", "-o", "json", "--ignore-not-found")
        tell.check("the new value is in no object of the API server (which has web-2)",
                   self.shop.new_value not in objects and '"web-2"' in objects)
        self.shop.end_programs()

    # 4

    def attack(self):
        tell = self.telling
        tell.chapter(f"Attacked as {self.who}, next to the classic way")
        if self.limits:
            tell.text(f"This host cannot show the attacks ({self.limits}); a guest in QEMU does, and takes longer.")
            tell.text("$ make vm-demo")
            done = subprocess.run(["make", "--no-print-directory", "vm-demo"], cwd=ROOT, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, check=False)
            tell.show(done.stdout, limit=40)
            tell.check("every cell is as expected in a guest", done.returncode == 0)
            return
        arguments = argparse.Namespace(
            attack=os.path.abspath(os.environ["CLOUDTASER_ATTACK"]), wrapper=self.stage.programs["wrapper"],
            application=self.stage.programs["application"],
            expected=os.path.join(ROOT, "Fixtures", "demo", "expected.json"))
        tell.text("$ cloudtaser-wrapper run -- demo-application DB_PASSWORD")
        value = self.shop.new_value
        self.stage.vault.store("demo", {"password": value})
        rows = demo.run_attacks(arguments, self.stage.vault, value, self.shop.folder)
        demo.print_table(rows)
        tell.count([row["title"] for row, classic, _, fits in rows if fits and classic != "not run"],
                   [row["title"] for row, *_, fits in rows if not fits])
        tell.check("the classic way leaks to somebody who attacks so",
                   any(classic == "leaked" for _, classic, *_ in rows))
        if glob.glob(os.path.join(os.environ.get("CLOUDTASER_KERNELS", ""), "*", "vmlinuz")):
            tell.text("Real kernels are in the cache: `make vm-demo` plays this in a guest, `make vm-test` everything.")
        else:
            tell.text("On real kernels in QEMU: `make vm-demo`, and `make vm-test` for everything.")

    # 5

    def encrypt(self):
        with contextlib.ExitStack() as servers:
            self._encrypt(servers)

    def _encrypt(self, servers):
        tell = self.telling
        tell.chapter("Objects are encrypted before they leave")
        store = bucket.Store(
            self.shop.folder, os.path.abspath(os.path.join(os.environ["CLOUDTASER_S3"], "rclone")))
        servers.callback(store.kill)
        store.start()
        login = bucket.set_up_vault(self.stage.vault)
        front = proxy.Proxy(self.shop.folder, "proxy", store.endpoint, self.stage.vault, login,
                            dialect="simple", log_level="notice")
        servers.callback(front.stop)
        tell.text("$ rclone serve s3 store/ &")
        tell.text("$ cloudtaser-s3-proxy --config proxy.conf &")
        front.start()
        tell.environment.update(bucket.remotes(store, front))
        self.shop.write("invoice.txt", DOCUMENT)
        tell.run("rclone copyto invoice.txt store:invoices/classic.txt")
        tell.run("rclone copyto invoice.txt proxy:invoices/sealed.txt")
        tell.run("rclone copyto proxy:invoices/sealed.txt back.txt")
        same = tell.run("cmp invoice.txt back.txt", code=None)
        tell.check("what comes back through the proxy is what was put", same.returncode == 0)
        tell.show(tell.run("ls -l store/invoices").stdout, r"\.txt$")
        found = tell.run(f"grep -rlF {DOCUMENT_MARK} store/").stdout.split()
        tell.show("\n".join(found))
        tell.check("the store has the text of what was put past the proxy, and of nothing else",
                   found == ["store/invoices/classic.txt"])
        tell.check("and it has an object of what was put through it",
                   os.path.getsize(os.path.join(store.files, "invoices", "sealed.txt")) >= len(DOCUMENT))

    # 6

    def after(self):
        tell = self.telling
        tell.chapter("After: the audit, and evidence for an auditor")
        done = tell.run("cloudtaser audit -n shop --baseline before.json", code=None)
        tell.show(done.stdout, " unprotected ·", "^protection of", " web  .*exposed")
        tell.check("nothing is worse than in the first audit", done.returncode == 0)
        tell.run("cloudtaser audit -n shop -o json > after.json")
        before, after = (web(audit_of(os.path.join(self.shop.folder, name)))
                         for name in ("before.json", "after.json"))
        tell.check(f"the application is {after[0]}: {told(before[1])} has become {told(after[1])} of 100",
                   after[0] == "protected" and after[1][0] > before[1][1])
        back = tell.run("cloudtaser audit --baseline after.json before-objects.json", code=None)
        tell.check("compared the other way round the same command ends with 3", back.returncode == 3)
        self.evidence()

    def evidence(self):
        tell = self.telling
        pages = os.path.join(ROOT, PAGES)
        # Of an earlier run.
        shutil.rmtree(pages, ignore_errors=True)
        os.makedirs(os.path.join(self.shop.folder, "audits"))
        os.makedirs(pages)
        # As if one stood in the repository.
        for name in "build", "Fixtures":
            os.symlink(os.path.join(ROOT, name), os.path.join(self.shop.folder, name))
        for name in "before.json", "after.json":
            path = os.path.join(self.shop.folder, name)
            shutil.copy(path, pages)
            at = audit_of(path)["run"]["time"].replace(":", "")
            shutil.copy(path, os.path.join(self.shop.folder, "audits", at + ".json"))
        tell.run(f"cloudtaser audit -n shop --baseline before.json -o html --out {PAGES}/audit.html")
        records = "build/evidence"
        if not glob.glob(os.path.join(ROOT, records, "*.json")):
            records = "records"
            os.makedirs(os.path.join(self.shop.folder, records))
            tell.text("No records of tests are there yet: `make test` and the others write them.")
        tell.run("cloudtaser evidence keygen --out keys")
        today = time.strftime("%Y-%m-%d", time.gmtime())
        made = tell.run(
            f"cloudtaser evidence package --for nis2 --from {today} --to {today} --records {records} --audits audits "
            f"--sign --key keys/evidence-key.pem --out {PAGES}/evidence", code=None)
        tell.show(made.stdout + made.stderr)
        # 3 and 4: what it found in the records of earlier runs, and what is open.
        tell.check("the package is written, and says itself what is open",
                   made.returncode in (0, 3, 4) and os.path.exists(f"{pages}/evidence/sheet.html"))
        shutil.copy(os.path.join(self.shop.folder, "keys", "evidence-key.pub.pem"), pages)
        verify = "cloudtaser evidence verify {} --public-key keys/evidence-key.pub.pem"
        good = tell.run(verify.format(f"{PAGES}/evidence"), code=None)
        tell.show(good.stdout)
        tell.check("its signature and its files are verified", good.returncode == 0)
        shutil.copytree(f"{pages}/evidence", os.path.join(self.shop.folder, "changed"))
        with open(os.path.join(self.shop.folder, "changed", "sheet.html"), "a", encoding="utf-8") as file:
            file.write(" ")
        bad = tell.run(verify.format("changed"), code=None)
        tell.show(bad.stdout + bad.stderr, limit=3)
        tell.check("a copy with one byte more is refused", bad.returncode == 3)
        self.search_pages(pages)
        tell.text(f"Pages: {PAGES}/audit.html, {PAGES}/evidence/sheet.html")

    def search_pages(self, pages):
        content = b""
        for folder, _, names in os.walk(pages):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    content += file.read()
        values = (self.shop.old_value, self.shop.new_value)
        self.telling.check("the pages name the application, and no value",
                           b"web-2" in content and not any(one.encode() in content for one in values))
