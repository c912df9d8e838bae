# SPDX-License-Identifier: Apache-2.0
"""Commands that documents and the chart have people and pods run: their flags are those of the program.

    CLOUDTASER_TOOL=PROGRAM             by default .build/debug/cloudtaser; other programs of ours are beside it
    CLOUDTASER_KUBERNETES=DIRECTORY     by default what .ci/fetch-kubernetes has put into the cache: its kubectl
"""
import functools
import os
import re
import subprocess
import unittest

import command_lines
import support

PROGRAM = os.path.abspath(os.environ.get(
    "CLOUDTASER_TOOL", os.path.join(support.ROOT, ".build", "debug", "cloudtaser")))
KUBECTL = os.path.join(os.environ.get("CLOUDTASER_KUBERNETES", os.path.join(
    os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "cloudtaser", "kubernetes")), "kubectl")
# What is agreed on and still being written: a line goes when the program has it.
AGREED = {}
# `s3` hands its words on to the proxy's program, and has no flags of its own.
PASSED_ON = {"s3"}


# The domain of a checkpoint's signature, which begins as a command would.
NO_COMMANDS = {"event checkpoint v1"}
# How each program names a flag that it does not know.
REFUSALS = {
    "cloudtaser": "Unknown option '{}'", "cloudtaser-operator": "Unknown option '{}'",
    "cloudtaser-agent": "unknown flag '{}'", "cloudtaser-s3-proxy": "unknown flag '{}'", "kubectl": "unknown flag: {}"}
# These of the agent take one flag, and say so instead.
NO_FLAGS = {"self-test", "uninstall"}
# What stands for something that the programs look at.
PLACES = [
    ("SEGMENT:INDEX:HASH", "0" * 32 + ":7:" + "1" * 64), ("$last", "0" * 32 + ":7:" + "1" * 64),
    ("BUCKET/KEY", "bucket/key"), ("--bucket NAME", "--bucket name")]


def path_of(program):
    return KUBECTL if program == "kubectl" else os.path.join(os.path.dirname(PROGRAM), program)


def faults(program, text):
    """(arguments, what the program says) of each call of a text that it does not take."""
    for place, value in PLACES:
        text = text.replace(place, value)
    for arguments in command_lines.of(program, text):
        # Left out, since it stands before: then nothing can be said of the rest.
        if "…" in arguments or program == "cloudtaser-agent" and set(arguments) & NO_FLAGS == set(arguments):
            continue
        if " ".join(arguments) in NO_COMMANDS:
            continue
        if program == "cloudtaser" and help_of(*arguments[:1]) is None:
            # The program itself names the flag before the command.
            yield " ".join(arguments), "there is no such command"
            continue
        said = command_lines.complaint(path_of(program), arguments, REFUSALS[program])
        if said is not None:
            yield " ".join(arguments), said


def commands(text):
    """Words of each `cloudtaser …` in blocks and in code: what stands before a pipe, a redirection or a comment."""
    parts = re.findall(r"(?ms)^```\w*\n(.*?)^```", text) + re.findall(r"`([^`\n]+)`", text)
    for part in parts:
        for line in part.replace("\\\n", " ").splitlines():
            for match in re.finditer(r"(?:^|[\s|(])(?:build/)?cloudtaser ([a-z][a-z0-9-]*(?![\w/.-])[^|>#;&)]*)", line):
                yield match.group(1).split()


@functools.cache
def help_of(*words):
    """Flags of a command, or None where there is no such command."""
    run = subprocess.run([PROGRAM, *words, "--help"], capture_output=True, text=True, check=False)
    usage = re.search(r"(?m)^USAGE: cloudtaser ([a-z0-9 -]*)", run.stdout)
    if run.returncode != 0 or not usage or usage.group(1).split()[:len(words)] != list(words):
        return None
    # A flag begins a line of the options; sentences may name others.
    options = [line.split("   ")[0] for line in run.stdout.split("OPTIONS:")[-1].splitlines() if re.match(r" {2}-", line)]
    flags = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(options)))
    # What is run where none of its parts is named.
    usual = re.search(r"(?m)^  ([a-z-]+) \(default\)", run.stdout)
    return flags | ((help_of(*words, usual.group(1)) or set()) if usual else set())


def complaints(words):
    command = words[0]
    if command in PASSED_ON:
        return
    known = help_of(command)
    if known is None and command not in AGREED:
        yield f"there is no command cloudtaser {command}"
        return
    if known is not None and words[1:2] and re.fullmatch(r"[a-z-]+", words[1]):
        known = help_of(*words[:2]) or known
    for word in words[1:]:
        flag = word.split("=")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", flag) and flag not in (known or set()) | AGREED.get(command, set()):
            yield f"cloudtaser {command} has no {flag}"


class Lines(unittest.TestCase):
    """Whole command lines of blocks: the program itself reads them, with one flag more, so that it does nothing."""

    def test_programs_take_them(self):
        for program, least in [("cloudtaser", 50), ("cloudtaser-agent", 4), ("cloudtaser-s3-proxy", 1), ("kubectl", 100)]:
            count = 0
            for name, text in command_lines.pages():
                count += len(list(command_lines.of(program, text)))
                with self.subTest(page=name, program=program):
                    self.assertEqual(list(faults(program, text)), [])
            self.assertGreaterEqual(count, least, program)

    def test_kubectl_takes_those_of_sentences(self):
        count = 0
        for name, text in command_lines.pages():
            for line in re.findall(r"`(kubectl [^`…]*[^`…. ])`", command_lines.BLOCK.sub("", text)):
                words = line.split()
                if words[-1].startswith("-") or "..." in line:
                    # Only that there is such a flag is said.
                    continue
                count += 1
                with self.subTest(page=name, command=line):
                    self.assertEqual(list(faults("kubectl", f"```\n{' '.join(words)}\n```\n")), [])
        self.assertGreater(count, 10)

    def test_what_is_wrong_is_found(self):
        for program, line, said in [
                ("cloudtaser", "audit --context a --fail-on hihg", "'hihg' is invalid"),
                ("cloudtaser", "audit --contxt a", "Unknown option '--contxt'"),
                ("cloudtaser", "adit -", "there is no such command"),
                ("cloudtaser", "events verify --public-key", "Missing value for '--public-key"),
                ("cloudtaser-agent", "run --mod detect", "unknown flag '--mod'"),
                ("kubectl", "-n a get pods --al-namespaces", "unknown flag: --al-namespaces"),
                ("kubectl", "gett pods", "unknown command"),
                ("kubectl", "logs a --tail=b", "invalid argument")]:
            with self.subTest(line):
                (_, told), = faults(program, f"```sh\n{program} {line} | head\n```\n")
                self.assertIn(said, told)

    def test_lines_are_read_as_a_shell_reads_them(self):
        text = """
```sh
X=1 sudo cloudtaser audit \\
    -o json > out.json 2> /dev/null   # with its answer
kubectl get pods -o jsonpath='{range .items[*]}{.a} | {.b}; (x){end}' | cloudtaser discover - && echo "cloudtaser no"
cat <<EOF
cloudtaser neither
EOF
kubectl create job "a-$(date +%s)" --image='a
b'
```

```yaml
cloudtaser nor
```

    build/cloudtaser status
"""
        self.assertEqual(
            list(command_lines.of("cloudtaser", text)),
            [["audit", "-o", "json"], ["discover", "-"], ["status"]])
        self.assertEqual(
            list(command_lines.of("kubectl", text)),
            [["get", "pods", "-o", "jsonpath={range .items[*]}{.a} | {.b}; (x){end}"],
             ["create", "job", "a-X", "--image=a\nb"]])


class Commands(unittest.TestCase):
    def test_documents_name_what_there_is(self):
        count = 0
        for name, text in command_lines.pages():
            for words in commands(text):
                if " ".join(words) in NO_COMMANDS:
                    continue
                count += 1
                with self.subTest(page=name, command=" ".join(words)):
                    self.assertEqual(list(complaints(words)), [])
        self.assertGreater(count, 20)

    def test_the_scheduled_audit_is_run_by_flags_that_there_are(self):
        found = support.objects({"audit": {
            **support.AUDIT, "baseline": "first.json", "declarations": "d", "vaultAuthorities": "ca", "retention": 30,
            "signingSecret": "key", "pushURL": "http://push.example.eu:9091"}})
        arguments = support.pod_templates(found)["cloudtaser-audit"]["spec"]["containers"][0]["args"]
        self.assertEqual(list(complaints(arguments)), [])

    def test_what_there_is_not_is_found(self):
        self.assertEqual(list(complaints(["adit", "-"])), ["there is no command cloudtaser adit"])
        self.assertEqual(list(complaints(["audit", "--misspelt=1", "-o", "json"])), ["cloudtaser audit has no --misspelt"])
        self.assertEqual(list(complaints(["events", "verify", "--key", "x"])), ["cloudtaser events has no --key"])
        self.assertEqual(
            list(commands("a\n```sh\nhelm template . | cloudtaser discover - --fail-on high > x   # y\n```\n")),
            [["discover", "-", "--fail-on", "high"]])
        self.assertEqual(list(commands("see `cloudtaser audit --context NAME`.")), [["audit", "--context", "NAME"]])
