# SPDX-License-Identifier: Apache-2.0
"""The match conditions that the operator writes ask about the pods that the admission policy wants wrapped."""
import re
import unittest

import support

KEY = "cloudtaser.io/inject"
SOURCE = support.read("Sources", "Core", "AdmissionTrust", "WebhookConfiguration.swift")
POLICY = support.named(support.objects(), "ValidatingAdmissionPolicy", "cloudtaser-wrapped")
# Which pods nobody asks the webhook about although they ask: the policy alone refuses them.
NOT_ASKED_ABOUT = {
    "the namespace asks by an annotation", "a pod of kube-system that asks is not started without"}


def condition(name):
    """As Swift puts it together, for labels and annotations."""
    has = re.search(r'func has\(.*?"(.*?)"\n', SOURCE, re.S).group(1)
    body = re.search(r"var " + name + r": String \{(.*?)\n    \}", SOURCE, re.S).group(1)
    *parts, joint = re.findall(r'"((?:[^"\\]|\\\(.*?\)+)*)"', body)
    part = parts[0] if "Self.has" in parts[0] else parts[0] + r"\(Self.has(field))"

    def fill(field):
        text = part.replace(r"\(Self.has(field))", has)
        return text.replace(r"\(field)", field).replace(r"\(Self.key)", KEY).replace(r"\(key)", KEY)
    return joint.join(fill(field) for field in ("labels", "annotations"))


ASKS, SAYS_NOTHING = condition("asks"), condition("saysNothing")


def is_asked_about(pod, namespace):
    """Whether one of the two webhooks is called about it."""
    name, labels = namespace["metadata"]["name"], namespace["metadata"].get("labels", {})
    if name in ("kube-system", support.NAMESPACE):
        return False
    if support.cel(ASKS, object=pod):
        return True
    return labels.get(KEY, "false") not in ("false", "0") and bool(support.cel(SAYS_NOTHING, object=pod))


class Rules(unittest.TestCase):
    def test_ask_about_what_the_admission_policies_are_about(self):
        """A server without those policies (before 1.30) asks the operator about the same."""
        asked = set(re.findall(r'Self\.rule\("(\w+)", "([\w/]+)"\)', SOURCE))
        wanted = set()
        for name in "cloudtaser-wrapped", "cloudtaser-debug":
            policy = support.named(support.objects(), "ValidatingAdmissionPolicy", name)
            for rule in policy["spec"]["matchConstraints"]["resourceRules"]:
                wanted |= {(operation, resource)
                           for operation in rule["operations"] for resource in rule["resources"]}
        self.assertEqual(asked, wanted)
        self.assertEqual(asked, {("CREATE", "pods"), ("UPDATE", "pods/ephemeralcontainers")})


class MatchConditions(unittest.TestCase):
    def test_ask_about_what_the_policy_wants_wrapped(self):
        base, *rest = support.cases("wrapped.yaml")
        answers, wanted = set(), set()
        for case in rest:
            given = support.merged(base["base"], case.get("change", {}))
            asks = support.variables(
                POLICY, object=given["object"], namespaceObject=given["namespace"])["asks"]
            called = is_asked_about(given["object"], given["namespace"])
            answers.add(called)
            wanted.add(bool(asks))
            with self.subTest(case["name"]):
                self.assertEqual(called, bool(asks) and case["name"] not in NOT_ASKED_ABOUT)
        self.assertEqual((answers, wanted), ({True, False}, {True, False}))

    def test_are_both_true_and_false_of_some_pod(self):
        base, *rest = support.cases("wrapped.yaml")
        pods = [support.merged(base["base"], case.get("change", {}))["object"] for case in rest]
        for expression in ASKS, SAYS_NOTHING:
            with self.subTest(expression):
                self.assertEqual({bool(support.cel(expression, object=pod)) for pod in pods}, {True, False})
