# SPDX-License-Identifier: Apache-2.0
"""The CRD CloudTaserPolicy takes what PolicyParser takes, and refuses what it refuses."""
import copy
import unittest

import crd
import support
import swift_cases

RENDERED = support.objects()
DEFINITION = support.named(RENDERED, "CustomResourceDefinition", "cloudtaserpolicies.cloudtaser.io")
OLD = support.named(
    support.objects(version=support.OLD_VERSION), "CustomResourceDefinition",
    "cloudtaserpolicies.cloudtaser.io")
UNKNOWN_FIELDS = support.named(RENDERED, "ValidatingAdmissionPolicy", "cloudtaser-policies")


def policy(spec):
    return {"apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
            "metadata": {"name": "cluster"}, "spec": spec}


def complaints(spec, definition=DEFINITION):
    wrong = crd.complaints(definition, policy(spec))
    return wrong or support.denials(UNKNOWN_FIELDS, object=policy(spec))


def put(spec, place, value):
    """A copy with another value, or without one, at a place like vaults.0.name."""
    spec = copy.deepcopy(spec)
    *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    node = spec
    for part in way:
        node = node[part]
    if value is None:
        node.pop(last, None)
    elif last == len(node) and isinstance(node, list):
        node.append(value)
    else:
        node[last] = value
    return spec


def needs_server_of_today(name):
    """What only CEL can refuse; before 1.25 the operator does alone."""
    return name.startswith("grants[0].vault:")


class PolicySchema(unittest.TestCase):
    def test_takes_what_the_parser_takes(self):
        good, _ = swift_cases.accepted()
        for name, spec in good.items():
            with self.subTest(name):
                self.assertEqual(complaints(spec), [])

    def test_knows_every_field_that_may_be_said(self):
        good, _ = swift_cases.accepted()
        fields = list(crd.undeclared(crd.schema(DEFINITION), policy(good["everything"])))
        self.assertEqual(fields, [])

    def test_refuses_what_the_parser_refuses(self):
        _, sizes = swift_cases.accepted()
        found = swift_cases.refused()
        self.assertGreater(len(found), 20)
        for name, spec in (found | sizes).items():
            with self.subTest(name):
                self.assertNotEqual(complaints(spec), [])

    def test_without_cel_only_a_grants_vault_is_left_to_the_operator(self):
        for name, spec in swift_cases.refused().items():
            with self.subTest(name):
                unknown = list(crd.undeclared(crd.schema(OLD), policy(spec)))
                taken = not crd.complaints(OLD, policy(spec)) and not unknown
                self.assertEqual(taken, needs_server_of_today(name))

    # One text at a time, as PolicyParser, SettingsParser and Pattern read it.
    TEXTS = {
        "address": (
            ["https://v", "HTTPS://V.example:1/", "https://[::1]:8200/a/b//", "https://v:65535",
             "https://v:0443", "https://a_b/..c/.d/e.", "https://v/a;b=c/[d]/~"],
            ["", "v", "http://v", "https://", "https://v:", "https://v:0", "https://v:65536",
             "https://v/a/../b", "https://v/./b", "https://v/a//b", "https://u@v", "https://[::1",
             "https://v w", "https://v/%41", "https://v/$a", "https://v/a?b", "https://v\n"]),
        "namespace": (["", "a", "a/b", "...", ".a", "..a/b."], ["/a", "a/", "a//b", ".", "a/..", "a b"]),
        "mount": (["", "a", "auth/a", "auth/a//", "auth", "a/b/"], ["/a", "auth/", "auth//", "a/../b", "a//b"]),
    }
    PATTERNS = (
        ["*", "+", "a", "a*", "a/*", "+/a/+", "a/+/b*", "{{namespace}}/*", "!"],
        ["", "/", "a/", "/a", "a//b", "*a", "a*b", "*/a", "a+", "+*", "a b", "a\n", "**"])

    def test_reads_texts_as_the_parser_does(self):
        standard = swift_cases.accepted()[0]["standard"]
        for field, (right, wrong) in self.TEXTS.items():
            for text in right + wrong:
                with self.subTest(field=field, text=text):
                    spec = copy.deepcopy(standard)
                    spec["vaults"][0][field] = text
                    self.assertEqual(not complaints(spec), text in right)
        for field in "roles", "paths":
            for text in self.PATTERNS[0] + self.PATTERNS[1]:
                with self.subTest(field=field, text=text):
                    spec = copy.deepcopy(standard)
                    spec["grants"][0][field] = [text]
                    self.assertEqual(not complaints(spec), text in self.PATTERNS[0])

    VAULT = {"name": "v", "address": "https://v", "audience": "a"}
    # What of the standard policy is put in whose place; None takes it out.
    PLACES = {
        "wrapper": ([], [None, {}]), "wrapper.image": ([], ["", 1]),
        "wrapper.pullPolicy": (["Never"], ["Sometimes"]),
        "vaults.2": ([VAULT, VAULT | {"name": "n" * 63}],
                     [VAULT | {"name": "main"}, VAULT | {"name": ""}, VAULT | {"name": "n" * 64}]),
        "vaults.0.address": (["https://v/" + "a" * 1014], ["https://v/" + "a" * 1015, None]),
        "vaults.0.namespace": (["a" * 1024], ["a" * 1025]),
        "vaults.0.mount": (["a" * 1024], ["a" * 1025]),
        "vaults.0.method": (["jwt"], ["token"]),
        "vaults.0.audience": ([], ["", None]),
        "vaults.0.trustAnchors": ([], [{}, {"key": "k"}, {"configMap": "c"}]),
        "vaults.0.trustAnchors.configMap": ([], [""]), "vaults.0.trustAnchors.key": ([], [""]),
        "grants.0.vault": ([], [None, "", "n" * 64]),
        "grants.0.namespaces": ([["n"] * 256], [["n"] * 257, None, [1]]),
        "grants.0.namespaceLabels": ([{"a": "b"}], [{"a": 1}]),
        "grants.0.roles": ([None, ["r"] * 256], [["r"] * 257]),
        "grants.0.paths": ([None, ["p"] * 256], [["p"] * 257]),
        "agentSocket": ([{"csiDriver": "d"}, {"hostPath": "/"}], [{"csiDriver": ""}]),
        "architectures": ([[], ["arm64"]], ["arm64", [1]]),
        "entrypoints": (["registry"], ["image"]),
        "ephemeralContainers": (["refuse"], ["allow"]),
    }

    def test_refuses_what_is_missing_or_too_large_also_without_cel(self):
        standard = swift_cases.accepted()[0]["standard"]
        for place, (right, wrong) in self.PLACES.items():
            for value in right + wrong:
                with self.subTest(place=place, value=str(value)[:80]):
                    spec = put(standard, place, value)
                    self.assertEqual(not crd.complaints(OLD, policy(spec)), value in right)
        nothing = policy(standard)
        nothing.pop("spec")
        self.assertNotEqual(crd.complaints(OLD, nothing), [])

    def test_names_the_values_of_the_sources(self):
        """An enumeration that Swift has grown and the schema has not would refuse a good policy."""
        properties = crd.schema(DEFINITION)["properties"]["spec"]["properties"]
        for values, path, name in [
            (properties["minimumTier"]["enum"], "WrapperConfiguration/VaultSettings", "MemoryTierRequirement"),
            (properties["agent"]["enum"], "WrapperConfiguration/WrapperSettings", "AgentPolicy"),
            (properties["delivery"]["items"]["enum"], "Delivery/DeliveryImage", "DeliveryMode"),
            (properties["entrypoints"]["enum"], "Injection/CloudTaserPolicy", "Entrypoints"),
            (properties["ephemeralContainers"]["enum"], "Injection/CloudTaserPolicy", "EphemeralContainers"),
            (properties["vaults"]["items"]["properties"]["method"]["enum"],
             "Injection/CloudTaserPolicy", "LoginMethod"),
        ]:
            with self.subTest(name):
                source = support.read("Sources", "Core", path + ".swift")
                self.assertEqual(sorted(values), sorted(swift_cases.raw_values(source, name)))

    def test_the_example_is_good(self):
        for example in support.load_all(support.read("deploy", "examples", "policy.yaml")):
            self.assertEqual(complaints(example["spec"]), [])
