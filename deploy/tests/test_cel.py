# SPDX-License-Identifier: Apache-2.0
"""Every expression in CEL that the chart renders, over objects that must pass and objects that must not."""
import unittest

import crd
import support

RENDERED = support.objects(support.EVERYTHING)


def crd_named(name):
    return support.named(RENDERED, "CustomResourceDefinition", f"{name}.cloudtaser.io")


def admission_policy(name):
    return support.named(RENDERED, "ValidatingAdmissionPolicy", name)


def outcomes():
    """Of every case as (file and name, beginnings of messages that are wanted, messages that came)."""
    base, *rest = support.cases("wrapped.yaml")
    for case in rest:
        given = support.merged(base["base"], case.get("change", {}))
        params = given.pop("params")
        yield "wrapped.yaml", case, support.denials(
            admission_policy("cloudtaser-wrapped"), **given) + support.denials(
                admission_policy("cloudtaser-vaults"), object=given["object"], params=params)
    base, *rest = support.cases("debug.yaml")
    for case in rest:
        given = support.merged(base["base"], case.get("change", {}))
        yield "debug.yaml", case, support.denials(admission_policy("cloudtaser-debug"), **given)
    base, *rest = support.cases("policies.yaml")
    for case in rest:
        policy = {
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
            "metadata": {"name": "cluster"},
            "spec": support.merged(base["base"], case.get("change", {}))}
        rules = crd.complaints(crd_named("cloudtaserpolicies"), policy)
        yield "policies.yaml", case, [rule.split(": ", 1)[1] for rule in rules] + support.denials(
            admission_policy("cloudtaser-policies"), object=policy)
    base, *rest = support.cases("reports.yaml")
    for case in rest:
        report = support.merged(base["base"], case.get("change", {}))
        former = support.merged(base["base"], case["former"]) if "former" in case else None
        yield "reports.yaml", case, crd.complaints(crd_named("protectionreports"), report, former)


def messages():
    """Of every expression that decides, each once."""
    found = []
    for definition in support.of_kind(RENDERED, "CustomResourceDefinition"):
        found += [rule["message"] for _, rule in crd.rules(crd.schema(definition))]
    for policy in support.of_kind(RENDERED, "ValidatingAdmissionPolicy"):
        found += [validation["message"] for validation in policy["spec"]["validations"]]
    return found


class Expressions(unittest.TestCase):
    def test_decide_as_each_object_says(self):
        for file, case, came in outcomes():
            with self.subTest(f"{file}: {case['name']}"):
                self.assertEqual(len(came), len(case["denied"]), came)
                for message, beginning in zip(came, case["denied"]):
                    self.assertTrue(message.startswith(beginning), message)

    def test_each_has_an_object_that_it_alone_of_its_kind_lets_fail(self):
        found = messages()
        self.assertEqual(len(found), len(set(found)), "two expressions with one message")
        texts = [message for _, _, came in outcomes() for message in came]
        for message in found:
            with self.subTest(message):
                self.assertTrue(any(text.endswith(message) for text in texts))

    def test_some_object_passes_everything(self):
        for file in "wrapped.yaml", "debug.yaml", "policies.yaml", "reports.yaml":
            with self.subTest(file):
                self.assertTrue([1 for name, _, came in outcomes() if name == file and not came])

    def test_every_place_for_an_expression_is_looked_at(self):
        """A matchCondition or a rule deeper down would not be evaluated by the tests above."""
        def count(node):
            if isinstance(node, dict):
                here = sum(1 for name in ("rule", "expression", "messageExpression")
                           if isinstance(node.get(name), str))
                return here + sum(count(child) for child in node.values())
            return sum(count(child) for child in node) if isinstance(node, list) else 0
        variables = sum(
            len(policy["spec"].get("variables", []))
            for policy in support.of_kind(RENDERED, "ValidatingAdmissionPolicy"))
        self.assertEqual(count(RENDERED), len(messages()) + variables)

    def test_policies_fail_closed_unless_that_could_stop_the_cluster(self):
        for policy in support.of_kind(RENDERED, "ValidatingAdmissionPolicy"):
            with self.subTest(policy["metadata"]["name"]):
                spec = policy["spec"]
                # Without its parameters' kind, a policy that fails stops all that it is asked about.
                asked = spec["matchConstraints"]["resourceRules"][0]["resources"]
                could_stop = "paramKind" in spec and asked == ["pods"]
                self.assertEqual(spec["failurePolicy"], "Ignore" if could_stop else "Fail")
                bindings = [
                    one["spec"] for one in support.of_kind(RENDERED, "ValidatingAdmissionPolicyBinding")
                    if one["spec"]["policyName"] == policy["metadata"]["name"]]
                self.assertEqual([one["validationActions"] for one in bindings], [["Deny"]])
                self.assertEqual("paramRef" in bindings[0], "paramKind" in spec)
