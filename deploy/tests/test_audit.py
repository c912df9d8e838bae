# SPDX-License-Identifier: Apache-2.0
"""The chart's CronJob that audits: what it runs, what it may read, where its series is.

    CLOUDTASER_TOOL=PROGRAM     by default .build/debug/cloudtaser
"""
import os
import re
import unittest

import helm_python

import libraries
import support
from test_images import instructions

PROGRAM = os.path.abspath(os.environ.get(
    "CLOUDTASER_TOOL", os.path.join(support.ROOT, ".build", "debug", "cloudtaser")))
NAME = "cloudtaser-audit"


def objects(**audit):
    return support.objects({"audit": support.merged(support.AUDIT, audit)})


def cron_job(found):
    return support.named(found, "CronJob", NAME)["spec"]


def pod(found):
    return support.pod_templates(found)[NAME]["spec"]


def arguments(found):
    return pod(found)["containers"][0]["args"]


def listed(found):
    """Resources of which the account may read lists."""
    role = support.named(found, "ClusterRole", NAME)
    return {(group, resource) for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]}


class Job(unittest.TestCase):
    def test_is_not_there_unless_it_is_wanted(self):
        names = [one["metadata"]["name"] for one in support.objects()]
        self.assertNotIn(NAME, names)
        self.assertIn(NAME, [one["metadata"]["name"] for one in objects()])

    def test_runs_the_command_with_what_was_set(self):
        self.assertEqual(arguments(objects()), [
            "audit", "--in-cluster", "--without-secrets", "--fail-on=high", "--series=/series",
            "--metrics-file=/series/metrics.prom", "--output=json"])
        self.assertEqual(
            arguments(objects(
                readSecrets=True, baseline="first.json", declarations="declared", vaultAuthorities="ca",
                failOn="critical", retention=30, signingSecret="auditor", pushURL="http://push.example.eu:9091")),
            ["audit", "--in-cluster", "--declarations=/declarations/declarations.yaml",
             "--vault-cacert=/vault-authorities/ca.crt", "--baseline=/series/first.json", "--fail-on=critical",
             "--series=/series", "--keep=30", "--signing-key=/signing/key", "--metrics-file=/series/metrics.prom",
             "--push-url=http://push.example.eu:9091", "--output=json"])

    def test_each_file_that_it_is_told_is_mounted(self):
        found = objects(
            declarations="declared", vaultAuthorities="authorities", signingSecret="auditor", baseline="first.json")
        mounts = {mount["mountPath"]: mount["name"] for mount in pod(found)["containers"][0]["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod(found)["volumes"]}
        self.assertEqual(set(mounts.values()), set(volumes))
        for argument in arguments(found):
            path = argument.partition("=")[2]
            if path.startswith("/"):
                self.assertIn("/" + path.split("/")[1], mounts, argument)
        self.assertEqual(volumes[mounts["/declarations"]]["configMap"], {"name": "declared"})
        self.assertEqual(volumes[mounts["/vault-authorities"]]["configMap"], {"name": "authorities"})

    def test_one_runs_at_a_time_once_and_ends(self):
        spec = cron_job(objects(secondsMax=600))
        self.assertEqual(spec["concurrencyPolicy"], "Forbid")
        job = spec["jobTemplate"]["spec"]
        self.assertEqual((job["backoffLimit"], job["activeDeadlineSeconds"]), (0, 600))
        self.assertEqual(job["template"]["spec"]["restartPolicy"], "Never")

    def test_its_clock_is_utc_where_kubernetes_can_be_told(self):
        for version, zone in ("1.26", None), ("1.27", "Etc/UTC"):
            found = support.objects({"audit": support.AUDIT}, version)
            self.assertEqual(cron_job(found).get("timeZone"), zone)

    def test_its_api_is_the_versions(self):
        for version, api in ("1.20", "batch/v1beta1"), ("1.21", "batch/v1"), ("1.36", "batch/v1"):
            found = support.objects({"audit": support.AUDIT}, version)
            self.assertEqual(support.named(found, "CronJob", NAME)["apiVersion"], api)

    def test_a_schedule_that_is_none_is_refused(self):
        for schedule in "17 3 * *", "17 3 * * * *", "", "17 3 * * ; true":
            with self.subTest(schedule), self.assertRaises(helm_python.HelmError):
                objects(schedule=schedule)
        for schedule in "@daily", "*/5 0-3 1,15 JAN MON-FRI":
            self.assertEqual(cron_job(objects(schedule=schedule))["schedule"], schedule)

    def test_nobody_comes_to_it(self):
        found = support.objects({"audit": support.AUDIT, "networkPolicy": {"enabled": True}})
        policy = support.named(found, "NetworkPolicy", NAME)["spec"]
        self.assertEqual(policy["policyTypes"], ["Ingress"])
        self.assertNotIn("ingress", policy)


class Series(unittest.TestCase):
    def test_is_a_claim_and_nothing_that_goes_with_the_pod(self):
        with self.assertRaisesRegex(helm_python.HelmError, "audit.series.claim.*emptyDir is not offered"):
            objects(series={"claim": ""})
        with self.assertRaisesRegex(helm_python.HelmError, "emptyDir"):
            objects(series={"emptyDir": {}})
        volumes = {volume["name"]: volume for volume in pod(objects())["volumes"]}
        self.assertEqual(volumes, {
            "series": {"name": "series", "persistentVolumeClaim": {"claimName": "audit-series"}}})

    def test_may_be_a_folder_of_a_volume(self):
        mount, = pod(objects(series={"folder": "cluster-a/audit"}))["containers"][0]["volumeMounts"]
        self.assertEqual(mount, {"name": "series", "mountPath": "/series", "subPath": "cluster-a/audit"})
        for folder in "../other", "/root", "a/../b", "a//b":
            with self.subTest(folder), self.assertRaises(helm_python.HelmError):
                objects(series={"folder": folder})

    def test_a_baseline_lies_in_it(self):
        for name in "../baseline.json", "/etc/passwd", "a/b", "-x":
            with self.subTest(name), self.assertRaises(helm_python.HelmError):
                objects(baseline=name)

    def test_can_be_written_by_the_images_user(self):
        text = support.read("deploy", "images", "cloudtaser.Dockerfile")
        user = next(rest for instruction, rest in instructions(text) if instruction == "USER")
        context = pod(objects())["securityContext"]
        self.assertEqual(str(context["fsGroup"]), user.split(":")[1])
        self.assertNotIn("fsGroup", pod(objects(series={"group": 0}))["securityContext"])

    def test_a_key_is_mounted_for_the_pods_group_only(self):
        volumes = {volume["name"]: volume for volume in pod(objects(signingSecret="auditor"))["volumes"]}
        self.assertEqual(volumes["signing"]["secret"], {
            "secretName": "auditor", "items": [{"key": "key", "path": "key"}], "defaultMode": 0o440})

    def test_reports_are_kept_unless_a_number_is_said(self):
        self.assertFalse([word for word in arguments(objects()) if word.startswith("--keep")])
        for retention in 0, -1, "x", 100001, 1.5:
            with self.subTest(retention), self.assertRaises(helm_python.HelmError):
                objects(retention=retention)


class Rights(unittest.TestCase):
    def test_it_reads_lists_and_nothing_else(self):
        for audit in {}, {"readSecrets": True}:
            role = support.named(objects(**audit), "ClusterRole", NAME)
            for rule in role["rules"]:
                self.assertEqual(rule["verbs"], ["list"], rule)

    def test_secrets_are_read_only_where_that_was_said(self):
        self.assertNotIn(("", "secrets"), listed(objects()))
        self.assertIn(("", "secrets"), listed(objects(readSecrets=True)))
        # What it may not read it is told not to ask for, so that a run without it is no incomplete one.
        self.assertIn("--without-secrets", arguments(objects()))
        self.assertNotIn("--without-secrets", arguments(objects(readSecrets=True)))

    def test_what_a_scan_reads_is_granted_and_nothing_else(self):
        source = support.read("Sources", "Components", "Inspector", "ScannedKind.swift")
        kinds = re.findall(r'(?:ScannedKind|custom)\(\s*"\w+", "([\w.-]*)", \[[^\]]*\],\s*"(\w+)"', source)
        self.assertEqual(len(kinds), len(re.findall(r'(?:ScannedKind|custom)\(\s*"', source)))
        self.assertIn(("", "pods"), kinds)
        self.assertEqual(listed(objects(readSecrets=True)), set(kinds))
        self.assertEqual(listed(objects()), set(kinds) - {("", "secrets")})

    def test_what_is_lost_without_secrets_is_said(self):
        page = support.read("docs", "how-to", "schedule-audits.md")
        self.assertIn("audit.readSecrets", page)
        self.assertIn("every Secret of the cluster", page)


class CommandImage(unittest.TestCase):
    """What the command is linked with is in its image."""

    def test_has_every_library(self):
        text = support.read("deploy", "images", "cloudtaser.Dockerfile")
        self.assertIn("libssl.so.3", libraries.libraries(PROGRAM))
        self.assertEqual(libraries.missing(PROGRAM, text), {})

    def test_one_without_openssl_is_found(self):
        text = support.read("deploy", "images", "cloudtaser.Dockerfile").replace("libssl3 libcurl4 ", "")
        self.assertLessEqual({"libssl.so.3", "libcrypto.so.3"}, set(libraries.missing(PROGRAM, text)))

    def test_what_a_library_needs_comes_with_it(self):
        self.assertIn("libssh2-1", libraries.brought("libcurl4"))
        self.assertNotIn("libcurl4", libraries.brought("libssl3"))
