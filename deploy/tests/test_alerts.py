# SPDX-License-Identifier: Apache-2.0
"""The chart's alerts: that they ask for metrics that there are, have their page, and tell what they should.

    CLOUDTASER_PROMTOOL=PROGRAM     by default what .ci/fetch-promtool has put into the cache
"""
import os
import re
import subprocess
import tempfile
import unittest

import helm_python
import yaml

import support

PROMTOOL = os.environ.get("CLOUDTASER_PROMTOOL", os.path.join(
    os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "cloudtaser", "promtool", "promtool"))
EVERYTHING = support.merged(support.EVERYTHING, {"audit": {"pushURL": "http://push.example.eu:9091"}})
PAGES = os.path.join(support.ROOT, "docs", "runbooks")
# Of Prometheus, the API server and kube-state-metrics.
OTHERS = {
    "up", "apiserver_admission_webhook_rejection_count", "kube_cronjob_created",
    "kube_cronjob_status_last_schedule_time", "kube_cronjob_status_last_successful_time",
    "kube_daemonset_status_number_unavailable", "kube_pod_container_status_last_terminated_exitcode",
    "kube_pod_container_status_restarts_total"}
WORDS = {
    "absent", "and", "by", "count", "increase", "max", "max_over_time", "min", "offset", "on", "or", "rate", "sum",
    "time", "unless"}
# Their lists of metrics, the page that tells what they mean, and what is left out of the names there.
PROGRAMS = {"agent": "cloudtaser_agent_", "operator": "", "s3-proxy": ""}
OPERATOR = f'job="cloudtaser-operator",namespace="{support.NAMESPACE}"'
PROXY = f'job="cloudtaser-s3-proxy",namespace="{support.NAMESPACE}"'
OF_CRON = f'cronjob="cloudtaser-audit",namespace="{support.NAMESPACE}"'
CONTAINER = 'namespace="shop",pod="web-1",container="web"'
EXIT = f"kube_pod_container_status_last_terminated_exitcode{{{CONTAINER}}}"
RESTARTS = f"kube_pod_container_status_restarts_total{{{CONTAINER}}}"
REJECTED = "apiserver_admission_webhook_rejection_count"
EVENTS = "cloudtaser_agent_events_total"
ATTEMPTS = "cloudtaser_agent_attempts_total"
DENIED = "cloudtaser_agent_denied_total"
PASS = "cloudtaser_agent_selftest_pass"
DOWNGRADES = "cloudtaser_agent_tier_downgrades_total"
STATE = "cloudtaser_operator_vault_state"
UP = "cloudtaser_operator_vault_up"
S3 = "cloudtaser_s3_requests_total"

# By alert: series of 3 hours, a value a minute, where it fires at their end, and others where it is silent. The second
# of a pair of numbers is added each minute; `_` is a minute without a value.
QUIET = "0x180"
CASES = {
    "CloudTaserOperatorDown": (
        [{f'up{{{OPERATOR},pod="a"}}': "1x100 0x80"}, {}, {'up{job="cloudtaser-operator",namespace="other"}': "1x180"}],
        [{f'up{{{OPERATOR},pod="a"}}': QUIET, f'up{{{OPERATOR},pod="b"}}': "1x180"}]),
    "CloudTaserWebhookFailing": (
        [{f'{REJECTED}{{name="pods.cloudtaser.io",error_type="calling_webhook_error"}}': "7x170 7+1x10"},
         # The first of its kind.
         {f'{REJECTED}{{name="namespaces.cloudtaser.io",error_type="calling_webhook_error"}}': "_x175 1x5"}],
        # A pod that the policy refuses is no failure, nor is another webhook's.
        [{f'{REJECTED}{{name="pods.cloudtaser.io",error_type="no_error"}}': "0+1x180",
          f'{REJECTED}{{name="pods.other.io",error_type="calling_webhook_error"}}': "0+1x180",
          f'{REJECTED}{{name="namespaces.cloudtaser.io",error_type="calling_webhook_error"}}': "7x180"}]),
    "CloudTaserNoPolicyInForce": (
        [{'cloudtaser_operator_policy_in_force{pod="a"}': "1x100 0x80", 'cloudtaser_operator_policy_in_force{pod="b"}': "1x180"}],
        [{'cloudtaser_operator_policy_in_force{pod="a"}': "1x180"}]),
    "CloudTaserCertificateExpiring": (
        [{"cloudtaser_operator_certificate_expiration_timestamp_seconds": "604000x180"},
         # One replica has not read the new files.
         {'cloudtaser_operator_certificate_expiration_timestamp_seconds{pod="a"}': "604000x180",
          'cloudtaser_operator_certificate_expiration_timestamp_seconds{pod="b"}': "8640000x180"}],
        [{"cloudtaser_operator_certificate_expiration_timestamp_seconds": "864000x180"}, {}]),
    "CloudTaserCertificateRoundsFailing": (
        [{"cloudtaser_operator_certificate_failed_rounds_total": "0x120 0+1x60"}],
        [{"cloudtaser_operator_certificate_failed_rounds_total": "0x120 3x60"}]),
    "CloudTaserPodsNotInjected": (
        [{"cloudtaser_operator_uninjected_pods": "0x120 2x60"}], [{"cloudtaser_operator_uninjected_pods": "0x120 2x50 0x10"}]),
    "CloudTaserWorkloadsUnprotected": (
        [{"cloudtaser_operator_unprotected_workloads": "0x120 1x60"}],
        # While its pods start.
        [{"cloudtaser_operator_unprotected_workloads": "0x175 1x5"}]),
    "CloudTaserVaultSealed": (
        [{EXIT: "90x180", RESTARTS: "0x120 0+1x60"}, {EXIT: "91x180", RESTARTS: "0x120 0+1x60"},
         # Nobody has tried to start yet.
         {f'{STATE}{{vault="main",state="active"}}': "1x120 stale", f'{STATE}{{vault="main",state="sealed"}}': "_x121 1x59",
          f'{UP}{{vault="main"}}': "1x120 0x60"},
         {f'{STATE}{{vault="main",state="not_initialized"}}': "1x180"}],
        # Another's exit code; one that has not restarted since.
        [{EXIT: "1x180", RESTARTS: "0x120 0+1x60"}, {EXIT: "92x180", RESTARTS: "0x120 0+1x60"},
         {EXIT: "89x180", RESTARTS: "0x120 0+1x60"}, {EXIT: "90x180", RESTARTS: "3x180"},
         {f'{STATE}{{vault="main",state="standby"}}': "1x180", f'{UP}{{vault="main"}}': "1x180"},
         {f'{STATE}{{vault="main",state="unreachable"}}': "1x180", f'{UP}{{vault="main"}}': QUIET},
         # It was, and is not any more; for a moment.
         {f'{STATE}{{vault="main",state="sealed"}}': "1x100 stale", f'{STATE}{{vault="main",state="active"}}': "_x101 1x79"},
         {f'{STATE}{{vault="main",state="sealed"}}': "_x179 1x1"}]),
    "CloudTaserVaultUnreachable": (
        [{EXIT: f"{code}x180", RESTARTS: "0x120 0+1x60"} for code in (83, 89, 92, 94)] + [
            {f'{UP}{{vault="main"}}': "1x100 0x80", f'{UP}{{vault="other"}}': "1x180",
             f'{STATE}{{vault="main",state="timed_out"}}': "_x101 1x79"}],
        [{EXIT: f"{code}x180", RESTARTS: "0x120 0+1x60"} for code in (82, 90, 91, 95)] + [
            {EXIT: "83x180", RESTARTS: "3x180"}, {f'{UP}{{vault="main"}}': "1x180"},
            # That is the other alert's.
            {f'{UP}{{vault="main"}}': QUIET, f'{STATE}{{vault="main",state="sealed"}}': "1x180"}]),
    "CloudTaserAgentMissing": (
        [{f'kube_daemonset_status_number_unavailable{{daemonset="cloudtaser-agent",namespace="{support.NAMESPACE}"}}': "0x120 1x60"}],
        [{f'kube_daemonset_status_number_unavailable{{daemonset="cloudtaser-agent",namespace="{support.NAMESPACE}"}}': "0x175 1x5",
          f'kube_daemonset_status_number_unavailable{{daemonset="other",namespace="{support.NAMESPACE}"}}': "1x180"}]),
    "CloudTaserNodeDeniesNothing": (
        [{f'{PASS}{{node="a",vector="AV-001"}}': QUIET, f'{PASS}{{node="a",vector="AV-004"}}': QUIET,
          f'{PASS}{{node="b",vector="AV-001"}}': "1x180"}],
        [{f'{PASS}{{node="a",vector="AV-001"}}': QUIET, f'{PASS}{{node="a",vector="AV-004"}}': "1x180"}]),
    "CloudTaserTierDowngrade": (
        [{f'{PASS}{{node="a",vector="AV-001"}}': "1x100 0x80"},
         # The agent's pod was replaced.
         {f'{PASS}{{node="a",vector="AV-001",pod="old"}}': "1x100 stale", f'{PASS}{{node="a",vector="AV-001",pod="new"}}': "_x102 0x78"},
         # It is still denied, by a weaker tier; the node was away for longer than a day.
         {f'{PASS}{{node="a",vector="AV-001"}}': "1x180", f'{DOWNGRADES}{{node="a",vector="AV-001"}}': "_x100 1x80"},
         {f'{PASS}{{node="a",vector="AV-001"}}': "_x100 0x80", f'{DOWNGRADES}{{node="a",vector="AV-001"}}': "_x100 1x80"}],
        # It never was denied there; it is denied again; another node's.
        [{f'{PASS}{{node="a",vector="AV-001"}}': QUIET, f'{PASS}{{node="b",vector="AV-001"}}': "1x180",
          f'{PASS}{{node="a",vector="AV-004"}}': "1x60 0x60 1x60"},
         # The agent was started again since.
         {f'{DOWNGRADES}{{node="a",vector="AV-001",pod="old"}}': "1x100 stale", f'{PASS}{{node="a",vector="AV-001",pod="new"}}': "_x102 1x78"}]),
    "CloudTaserEventLoss": (
        [{'cloudtaser_agent_losses_told_total{node="a"}': "0x175 1x5"},
         # Told at the start of an agent: what its log shows of the one before.
         {'cloudtaser_agent_losses_told_total{node="a",pod="old"}': "0x170 stale",
          'cloudtaser_agent_losses_told_total{node="a",pod="new"}': "_x175 1x5"},
         {'cloudtaser_agent_sink_lost_total{node="a",sink="file"}': "0x175 5x5"}],
        [{'cloudtaser_agent_losses_told_total{node="a",pod="old"}': "3x170 stale",
          'cloudtaser_agent_losses_told_total{node="a",pod="new"}': "_x175 0x5"},
         {'cloudtaser_agent_losses_told_total{node="a"}': "5x180",
          'cloudtaser_agent_sink_lost_total{node="a",sink="file"}': "5x180",
          'cloudtaser_agent_sink_delivered_total{node="a",sink="file"}': "0+9x180"}]),
    "CloudTaserCheckpointsUnsigned": (
        [{'cloudtaser_agent_checkpoints_unsigned_total{node="a"}': "0x60 0+1x120"}],
        [{'cloudtaser_agent_checkpoints_unsigned_total{node="a"}': "0x60 1x120"}]),
    "CloudTaserAttackNotDenied": (
        # The first attempt of its kind, and one more that was observed, or killed after it had begun.
        [{f'{ATTEMPTS}{{node="a",vector="AV-008"}}': "_x175 1x5", f'{DENIED}{{node="a",vector="AV-008"}}': "_x175 0x5"},
         {f'{ATTEMPTS}{{node="a",vector="AV-008"}}': "9x175 11x5", f'{DENIED}{{node="a",vector="AV-008"}}': "9x175 10x5"}],
        # All were denied; one of long ago; one that is observed by its nature, as `kubectl exec` makes it.
        [{f'{ATTEMPTS}{{node="a",vector="AV-008"}}': "0+1x180", f'{DENIED}{{node="a",vector="AV-008"}}': "0+1x180"},
         {f'{ATTEMPTS}{{node="a",vector="AV-008"}}': "9x180", f'{DENIED}{{node="a",vector="AV-008"}}': "7x180"},
         {f'{ATTEMPTS}{{node="a",vector="AV-016"}}': "0+1x180", f'{DENIED}{{node="a",vector="AV-016"}}': QUIET},
         # The agent's pod was replaced, and its counters are those of before.
         {f'{ATTEMPTS}{{node="a",vector="AV-008",pod="old"}}': "9x175 stale",
          f'{DENIED}{{node="a",vector="AV-008",pod="old"}}': "7x175 stale",
          f'{ATTEMPTS}{{node="a",vector="AV-008",pod="new"}}': "_x176 9x4",
          f'{DENIED}{{node="a",vector="AV-008",pod="new"}}': "_x176 7x4"}]),
    "CloudTaserAgentAttacked": (
        [{f'{EVENTS}{{node="a",type="GUARD_DENIED",verdict="denied"}}': "_x175 1x5"},
         {f'{EVENTS}{{node="a",type="GUARD_DENIED",verdict="denied"}}': "4x175 5x5"}],
        [{f'{EVENTS}{{node="a",type="PROCMEM_READ",verdict="denied"}}': "0+1x180",
          f'{EVENTS}{{node="a",type="GUARD_DENIED",verdict="denied"}}': "5x180"}]),
    "CloudTaserS3ProxyDown": (
        [{f'up{{{PROXY},pod="a"}}': "1x100 0x80"}, {}],
        [{f'up{{{PROXY},pod="a"}}': QUIET, f'up{{{PROXY},pod="b"}}': "1x180"}]),
    "CloudTaserS3CertificateExpiring": (
        [{"cloudtaser_s3_certificate_expiration_timestamp_seconds": "604000x180"},
         {'cloudtaser_s3_certificate_expiration_timestamp_seconds{pod="a"}': "604000x180",
          'cloudtaser_s3_certificate_expiration_timestamp_seconds{pod="b"}': "8640000x180"}],
        [{"cloudtaser_s3_certificate_expiration_timestamp_seconds": "864000x180"}, {},
         # Renewed within the hour.
         {"cloudtaser_s3_certificate_expiration_timestamp_seconds": "604000x60 8640000x120"}]),
    "CloudTaserS3WithoutKey": (
        [{"cloudtaser_s3_without_key_total": "0x170 0+1x10"}], [{"cloudtaser_s3_without_key_total": "5x180"}]),
    "CloudTaserS3ObjectsUnopened": (
        [{"cloudtaser_s3_unopened_total": "0x175 1x5"}], [{"cloudtaser_s3_unopened_total": "5x180"}]),
    "CloudTaserS3Errors": (
        [{f'{S3}{{operation="GetObject",code="ok"}}': "0+9x180", f'{S3}{{operation="GetObject",code="InternalError"}}': "0+1x180"}],
        # A client's own mistakes are no errors of the proxy.
        [{f'{S3}{{operation="GetObject",code="ok"}}': "0+99x180", f'{S3}{{operation="GetObject",code="InternalError"}}': "0+1x180",
          f'{S3}{{operation="GetObject",code="NoSuchKey"}}': "0+99x180"}]),
    "CloudTaserS3KeyMemoryRefused": (
        [{"cloudtaser_s3_key_memory_refused_total": "0x175 1x5"}], [{"cloudtaser_s3_key_memory_refused_total": "5x180"}]),
    # 3 hours are 10800 s, and the limit of these tests is 3600.
    "CloudTaserAuditTooOld": (
        [{f"kube_cronjob_status_last_successful_time{{{OF_CRON}}}": "6000x180", f"kube_cronjob_created{{{OF_CRON}}}": QUIET},
         {f"kube_cronjob_created{{{OF_CRON}}}": QUIET},
         {f"kube_cronjob_created{{{OF_CRON}}}": QUIET,
          'cloudtaser_audit_last_success_timestamp_seconds{job="cloudtaser-audit"}': "6000x180"}],
        [{f"kube_cronjob_status_last_successful_time{{{OF_CRON}}}": "8000x180", f"kube_cronjob_created{{{OF_CRON}}}": QUIET},
         {f"kube_cronjob_created{{{OF_CRON}}}": "8000x180"},
         {'kube_cronjob_created{cronjob="other",namespace="shop"}': QUIET},
         # What was pushed is later: its Job failed for what it found, and it did look.
         {f"kube_cronjob_created{{{OF_CRON}}}": QUIET,
          'cloudtaser_audit_last_success_timestamp_seconds{job="cloudtaser-audit"}': "8000x180"}]),
    "CloudTaserAuditFailed": (
        [{f"kube_cronjob_status_last_schedule_time{{{OF_CRON}}}": "60x180",
          f"kube_cronjob_status_last_successful_time{{{OF_CRON}}}": "30x180", f"kube_cronjob_created{{{OF_CRON}}}": QUIET},
         {f"kube_cronjob_status_last_schedule_time{{{OF_CRON}}}": "60x180", f"kube_cronjob_created{{{OF_CRON}}}": QUIET}],
        [{f"kube_cronjob_status_last_schedule_time{{{OF_CRON}}}": "60x180",
          f"kube_cronjob_status_last_successful_time{{{OF_CRON}}}": "90x180", f"kube_cronjob_created{{{OF_CRON}}}": QUIET},
         # One is under way.
         {f"kube_cronjob_status_last_schedule_time{{{OF_CRON}}}": "60x175 10500x5",
          f"kube_cronjob_status_last_successful_time{{{OF_CRON}}}": "90x180"}]),
    "CloudTaserAuditRegressed": (
        [{'cloudtaser_audit_regressions{job="cloudtaser-audit"}': "0x175 2x5"}],
        [{'cloudtaser_audit_regressions{job="cloudtaser-audit"}': "2x175 0x5"}]),
}


def specification(values=EVERYTHING):
    return support.named(support.objects(values), "PrometheusRule", "cloudtaser")["spec"]


def rules(values=EVERYTHING):
    return [rule for group in specification(values)["groups"] for rule in group["rules"]]


def metrics(expression):
    """Names of metrics in an expression of PromQL."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\b(by|on)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\[[^\]]*\]|\boffset \S+", "", bare)
    return set(re.findall(r"\b[a-z][a-z0-9_]*\b", bare)) - WORDS


def exported(program):
    """Names of metrics that a program exports. Its own tests hold its page to this list."""
    return set(support.read("Fixtures", "metrics", f"{program}.txt").split())


def pushed():
    text = support.read("Sources", "Core", "Reporting", "AuditMetrics.swift")
    return set(re.findall(r'"(cloudtaser_audit_[a-z_]+)', text))


def emitted():
    return pushed().union(*map(exported, PROGRAMS))


def promtool(*arguments):
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)


class Rules(unittest.TestCase):
    def test_are_not_there_unless_they_are_wanted(self):
        self.assertEqual(support.of_kind(support.objects(), "PrometheusRule"), [])

    def test_where_the_pages_are_has_to_be_said(self):
        with self.assertRaisesRegex(helm_python.HelmError, "alerts.runbooks is not set"):
            support.objects({"alerts": {"enabled": True}})
        for place in "docs/runbooks", "https://a.example.eu/", "ftp://a.example.eu/b":
            with self.subTest(place), self.assertRaises(helm_python.HelmError):
                support.objects({"alerts": {"enabled": True, "runbooks": place}})

    def test_each_says_how_bad_it_is_and_what_to_do(self):
        for rule in rules():
            with self.subTest(rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
                self.assertRegex(rule["annotations"]["summary"], r"^[A-Z{].*\.$")
                words = re.findall(r"[A-Z][a-z]+|S3", rule["alert"].removeprefix("CloudTaser"))
                page = "-".join(words).lower() + ".md"
                self.assertEqual(
                    rule["annotations"]["runbook_url"], f"{support.ALERTS['runbooks']}/{page}")
                self.assertIn(f"# {rule['alert']}\n", support.read("docs", "runbooks", page))

    def test_there_is_no_page_without_an_alert(self):
        pages = {rule["annotations"]["runbook_url"].split("/")[-1] for rule in rules()}
        self.assertEqual(pages, set(os.listdir(PAGES)) - {"README.md"})
        index = support.read("docs", "runbooks", "README.md")
        for rule in rules():
            page = rule["annotations"]["runbook_url"].split("/")[-1]
            self.assertIn(f"[{rule['alert']}]({page}) | {rule['labels']['severity']} |", index)

    def test_each_page_has_its_sections(self):
        for page in set(os.listdir(PAGES)) - {"README.md"}:
            with self.subTest(page):
                text = support.read("docs", "runbooks", page)
                self.assertEqual(
                    re.findall(r"(?m)^## (.*)$", text),
                    ["What it means", "What works, and what does not", "First look", "Fix", "Verify", "Escalate"])
                look = text.split("## First look\n")[1].split("## ")[0]
                self.assertIn("```sh\n", look)

    def test_each_metric_is_one_that_there_is(self):
        there = emitted()
        self.assertIn("cloudtaser_operator_uninjected_pods", there)
        self.assertIn("cloudtaser_agent_sink_lost_total", there)
        for rule in rules():
            with self.subTest(rule["alert"]):
                used = metrics(rule["expr"])
                self.assertNotEqual(used, set())
                self.assertEqual(used - there - OTHERS, set())

    def test_each_that_there_is_stands_on_its_page(self):
        for program, prefix in PROGRAMS.items():
            page = support.read("docs", "reference", f"{program}.md")
            for name in exported(program):
                with self.subTest(name):
                    self.assertRegex(page, rf"`{name.removeprefix(prefix)}(`|{{)")
        self.assertIn("cloudtaser_agent_losses_told_total", exported("agent"))

    def test_pages_name_no_other(self):
        there = emitted() | OTHERS
        count = 0
        for folder in "reference", "runbooks", "how-to":
            for name in sorted(os.listdir(os.path.join(support.ROOT, "docs", folder))):
                if not name.endswith(".md"):
                    continue
                text = support.read("docs", folder, name)
                for word in re.findall(r"\bcloudtaser_(?:agent|operator|s3|audit)_[a-z0-9_]*[a-z0-9]\b(?!…)", text):
                    count += 1
                    with self.subTest(page=name, metric=word):
                        self.assertIn(re.sub(r"_(bucket|sum|count)$", "", word), there)
        self.assertGreater(count, 20)

    def test_one_that_there_is_not_is_found(self):
        expression = 'sum by (node) (rate(cloudtaser_agent_misspelt_total{node="a"}[5m])) > 0 and on (node) up == 1'
        self.assertEqual(metrics(expression), {"cloudtaser_agent_misspelt_total", "up"})
        self.assertNotIn("cloudtaser_agent_misspelt_total", emitted())

    def test_attacks_that_should_be_denied_are_those_of_an_enforcing_policy(self):
        source = support.read("Sources", "Core", "Enforcement", "EnforcedVector.swift")
        rows = re.findall(r'(?:workload|machine)\(\s*"(\w+)", \.(\w+),\s*\[([^\]]*)\]\)', source)
        wanted = {
            f"AV-{int(number):03}" for event, action, numbers in rows
            if action == "deny" and event != "GUARD_DENIED" for number in numbers.split(",")}
        self.assertIn("AV-008", wanted)
        self.assertNotIn("AV-016", wanted)
        rule, = [rule for rule in rules() if rule["alert"] == "CloudTaserAttackNotDenied"]
        patterns = set(re.findall(r'vector=~"([^"]*)"', rule["expr"]))
        self.assertEqual(len(patterns), 1)
        numbers = re.fullmatch(r"AV-\(([0-9|]+)\)", patterns.pop()).group(1).split("|")
        self.assertEqual({f"AV-{number}" for number in numbers}, wanted)

    def test_what_an_audit_writes_is_on_its_page(self):
        page = support.read("docs", "how-to", "schedule-audits.md")
        told = set(re.findall(r"`(cloudtaser_audit_[a-z_]+)", page))
        self.assertIn("cloudtaser_audit_regressions", told)
        self.assertLessEqual(told, emitted())

    def test_whom_they_name_is_what_the_chart_renders(self):
        found = support.objects(EVERYTHING)
        monitor = support.named(found, "ServiceMonitor", "cloudtaser")["spec"]
        port, = {endpoint["port"] for endpoint in monitor["endpoints"]}
        components = monitor["selector"]["matchExpressions"][0]["values"]
        # A job is named after the Service that is scraped.
        there = {"namespace": {support.NAMESPACE}, "job": {
            one["metadata"]["name"] for one in support.of_kind(found, "Service")
            if one["metadata"]["labels"]["app.kubernetes.io/component"] in components
            and port in [given["name"] for given in one["spec"]["ports"]]}}
        for label, kind in ("daemonset", "DaemonSet"), ("cronjob", "CronJob"):
            there[label] = {one["metadata"]["name"] for one in support.of_kind(found, kind)}
        named = [match for rule in rules() for match in re.findall(r'\b(job|daemonset|cronjob|namespace)="([^"]*)"', rule["expr"])]
        self.assertEqual({label for label, _ in named}, set(there))
        for label, name in named:
            self.assertIn(name, there[label])
        # By node, since that is what a monitor is told to say.
        self.assertIn("node", [one["targetLabel"] for endpoint in monitor["endpoints"] for one in endpoint["relabelings"]])

    def test_pages_ask_what_the_chart_renders(self):
        found = support.objects(EVERYTHING)
        kinds = {"deploy": "Deployment", "daemonset": "DaemonSet", "cronjob": "CronJob"}
        there = {word: {one["metadata"]["name"] for one in support.of_kind(found, kind)} for word, kind in kinds.items()}
        components = {one["metadata"]["labels"].get("app.kubernetes.io/component") for one in found}
        ports = {port["containerPort"] for template in support.pod_templates(found).values()
                 for container in template["spec"]["containers"] for port in container.get("ports", [])}
        count = 0
        for page in set(os.listdir(PAGES)):
            text = support.read("docs", "runbooks", page)
            with self.subTest(page):
                for word, name in re.findall(r"\b(deploy|daemonset|cronjob)[/ ](cloudtaser-[a-z0-9-]+)", text):
                    count += 1
                    self.assertIn(name, there[word])
                for name in re.findall(r"app\.kubernetes\.io/component=([a-z0-9-]+)", text):
                    count += 1
                    self.assertIn(name, components)
                for port, path in re.findall(r"pods/[A-Z]+:(\d+)/proxy/([a-z]+)", text):
                    count += 1
                    self.assertIn(int(port), ports)
                    self.assertIn(path, {"healthz", "readyz", "metrics"} | ({"status", "workloads"} if port == "9464" else set()))
                # Names of ours are in the release's namespace.
                for line in re.findall(r"kubectl [^\n|]*cloudtaser-(?:operator|agent|s3-proxy|audit)\b[^\n|]*", text):
                    self.assertRegex(line, rf"-n {support.NAMESPACE}|/namespaces/{support.NAMESPACE}/|clusterrole")
        self.assertGreater(count, 30)

    def test_webhooks_are_those_that_the_operator_keeps(self):
        source = support.read("Sources", "Core", "AdmissionTrust", "WebhookConfiguration.swift")
        names = re.findall(r'"(\w+\.cloudtaser\.io)"', source)
        rule, = [rule for rule in rules() if rule["alert"] == "CloudTaserWebhookFailing"]
        pattern, = set(re.findall(r'name=~"([^"]*)"', rule["expr"]))
        self.assertGreater(len(names), 1)
        for name in names:
            self.assertRegex(name, f"^(?:{pattern})$")

    def test_exit_codes_are_the_wrappers(self):
        page = support.read("docs", "reference", "exit-codes.md")
        for code, words in [(83, "nothing answers there"), (84, "did not answer"), (89, "redirects"), (90, "sealed"),
                            (91, "not initialised"), (92, "standby"), (94, "server error"), (95, "refuses the login")]:
            self.assertRegex(page, rf"\| {code} \| [^|]*{words}")

    def test_are_of_what_is_there(self):
        def names(values):
            return {rule["alert"] for rule in rules(support.merged({"alerts": support.ALERTS}, values))}
        every = {rule["alert"] for rule in rules()}
        for values, gone in [
                ({"agent": {"enabled": False}}, "Agent"), ({}, "S3"), ({}, "Audit"),
                ({"agent": {"mode": "detect"}}, "CloudTaserNodeDeniesNothing")]:
            with self.subTest(gone):
                self.assertTrue([name for name in every if gone in name])
                self.assertEqual([name for name in names(values) if gone in name], [])
        self.assertNotIn("CloudTaserAuditRegressed", names({"audit": support.AUDIT}))
        self.assertIn("CloudTaserAuditTooOld", names({"audit": support.AUDIT}))


class Prometheus(unittest.TestCase):
    """By Prometheus' own code."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        values = support.merged(EVERYTHING, {"alerts": {"auditSecondsMax": 3600}, "audit": {"secondsMax": 600}})
        cls.rules = os.path.join(cls.folder, "rules.yaml")
        cls.specification = specification(values)
        cls.write("rules.yaml", cls.specification)

    @classmethod
    def write(cls, name, document):
        path = os.path.join(cls.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file)
        return path

    def play(self, alert, *cases):
        """What promtool says of (series, whether the alert is there at their end)."""
        rule, = [rule for group in self.specification["groups"] for rule in group["rules"] if rule["alert"] == alert]
        alone = self.write("alone.yaml", {"groups": [{"name": "alone", "rules": [rule]}]})
        return promtool("test", "rules", self.write("test.yaml", {
            "rule_files": [alone], "evaluation_interval": "1m",
            "tests": [{
                "name": f"{alert} {index}", "interval": "1m",
                "input_series": [{"series": key, "values": values} for key, values in series.items()],
                "promql_expr_test": [{
                    "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0', "eval_time": "180m",
                    "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}]}
                for index, (series, fires) in enumerate(cases)]}))

    def test_takes_them(self):
        run = promtool("check", "rules", self.rules)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_refuses_a_broken_one(self):
        path = self.write("broken.yaml", {"groups": [{"name": "a", "rules": [{"alert": "A", "expr": "sum("}]}]})
        self.assertNotEqual(promtool("check", "rules", path).returncode, 0)

    def test_there_is_a_case_of_each(self):
        self.assertEqual(
            {rule["alert"] for group in self.specification["groups"] for rule in group["rules"]}, set(CASES))

    def test_each_fires_where_it_should_and_nowhere_else(self):
        for alert, (bad, good) in CASES.items():
            with self.subTest(alert):
                self.assertTrue(bad and good)
                run = self.play(alert, *[(one, True) for one in bad], *[(one, False) for one in good])
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_one_that_does_not_fire_is_found(self):
        alert = "CloudTaserPodsNotInjected"
        (bad, *_), (good, *_) = CASES[alert]
        self.assertEqual(self.play(alert, (bad, True), (good, False)).returncode, 0)
        self.assertNotEqual(self.play(alert, (good, True)).returncode, 0)
        self.assertNotEqual(self.play(alert, (bad, False)).returncode, 0)
