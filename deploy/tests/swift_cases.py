# SPDX-License-Identifier: Apache-2.0
"""The policies that the tests of PolicyParser take and refuse, read from those tests."""
import json
import re
import textwrap

from support import read

_TEXT = r'(?:#"(?P<raw{0}>.*?)"#|"(?P<plain{0}>[^"\\]*)")'
_TUPLE = re.compile(
    r"\(" + r",\s*".join([_TEXT.format(0), _TEXT.format(1)])
    + r"(?:,\s*" + _TEXT.format(2) + r")?\s*\)")


def _literal(source, before):
    """The multi-line string that comes after `before`."""
    match = re.search(re.escape(before) + r'[^"]*"""\n(.*?)\n\s*"""', source, re.S)
    return textwrap.dedent(match.group(1))


def _arguments(source, name):
    """Tuples of texts that the test of this name gets."""
    block = re.search(
        r"@Test\(arguments: \[((?:(?!@Test).)*?)\]\)\s*func `" + re.escape(name) + "`", source, re.S)
    found = []
    for match in _TUPLE.finditer(block.group(1)):
        groups = match.groupdict()
        texts = [groups[f"raw{n}"] if groups[f"raw{n}"] is not None else groups[f"plain{n}"]
                 for n in range(3)]
        found.append([text for text in texts if text is not None])
    # A tuple that this does not understand must not be left out in silence.
    assert len(found) == len(re.findall(r'\((?=#?")', block.group(1))), name
    return found


_POLICY_TESTS = read("Tests", "InjectionTests", "PolicyTests.swift")
STANDARD = _literal(read("Tests", "InjectionTests", "Cases.swift"), "static let policyText =")


def accepted():
    """By name."""
    def limits(vaults=1, grants=1, paths=1):
        grant = {"namespaces": ["n"], "vault": "v0", "roles": ["r"],
                 "paths": [f"p/{n}" for n in range(paths)]}
        return {
            "vaults": [{"name": f"v{n}", "address": f"https://v{n}", "audience": "a"}
                       for n in range(vaults)],
            "grants": [grant] * grants, "wrapper": {"image": "w"}}
    everything = _literal(_POLICY_TESTS, "func `may say everything`() throws {")
    sizes = {name: int(number.replace("_", "")) for name, number in re.findall(
        r"let (\w+CountMax) = ([\d_]+)",
        read("Sources", "Core", "Injection", "CloudTaserPolicy.swift"))}
    wanted = {"vaults": sizes["vaultCountMax"], "grants": sizes["grantCountMax"],
              "paths": sizes["entryCountMax"]}
    good = {"standard": json.loads(STANDARD), "everything": json.loads(everything)}
    bad = {}
    for name, most in wanted.items():
        good[f"{most} {name}"] = limits(**{name: most})
        bad[f"{most + 1} {name}"] = limits(**{name: most + 1})
    return good, bad


def refused():
    """By name; each is one change to STANDARD that the parser refuses."""
    found = {}
    for text, field in _arguments(_POLICY_TESTS, "that is wrong is refused with the field"):
        found[f"{field}: {text}"] = STANDARD.replace('"wrapper"', text)
    for right, wrong, field in _arguments(
            _POLICY_TESTS, "of which a part is wrong is refused with the field"):
        assert right in STANDARD, right
        found[f"{field}: {wrong}"] = STANDARD.replace(right, wrong)
    return {name: json.loads(text) for name, text in found.items()}


def raw_values(source, name):
    """Of an enumeration of texts."""
    body = re.search(r"enum " + name + r": String[^{]*\{(.*?)\n\s*\}\n|enum " + name
                     + r": String[^{]*\{(.*?)\}", source, re.S)
    lines = [line for line in (body.group(1) or body.group(2)).splitlines()
             if re.match(r"\s*case [a-z`]", line)]
    found = []
    for line in lines:
        for case in line.strip().removeprefix("case ").split(","):
            word, _, text = case.partition("=")
            found.append(text.strip().strip('"') or word.strip().strip("`"))
    return found
