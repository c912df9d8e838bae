# SPDX-License-Identifier: Apache-2.0
"""Command lines of documents, and what the programs say of them before they do anything."""
import os
import re
import shlex
import subprocess

import support

# No program has it, and each names the first flag that it does not know: when it is this one, it took all the others.
UNKNOWN = "--no-program-has-this"
BLOCK = re.compile(r"(?ms)^( *)```(\w*)\n(.*?)^\1```")
# Blocks that are no shell's.
OTHERS = {"yaml", "json", "toml", "python", "swift", "c", "text", "hcl", "promql", "mermaid", "xml"}


def pages():
    """(path, text) of every document."""
    run = subprocess.run(
        ["git", "-C", support.ROOT, "ls-files", "*.md"], capture_output=True, text=True, check=False)
    # Where there is no git, by the files.
    names = run.stdout.split() or [
        os.path.relpath(os.path.join(folder, name), support.ROOT)
        for top in ("docs", "deploy", "Fixtures") for folder, _, found in os.walk(os.path.join(support.ROOT, top))
        for name in found if name.endswith(".md")] + ["README.md", "SECURITY.md", "CONTRIBUTING.md"]
    for name in sorted(names):
        yield name, support.read(name)


def blocks(text):
    """Blocks of a shell, and those that are indented by four spaces."""
    for _, language, body in BLOCK.findall(text):
        if language not in OTHERS:
            yield body
    bare = BLOCK.sub("", text)
    for body in re.findall(r"(?m)(?:^ {4}[^ ].*\n?)+", bare):
        yield re.sub(r"(?m)^ {4}", "", body)


def simple(block):
    """Words of each simple command of a block: what stands between `|`, `;`, `&&` and brackets."""
    text = block.replace("\\\n", " ")
    for _ in range(3):
        # Whatever it prints is one word.
        text = re.sub(r"\$\([^()]*\)", "X", text)
    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        while True:
            try:
                words = tokens(line)
                break
            except ValueError:
                # A quoted text goes on.
                if not lines:
                    words = []
                    break
                line += "\n" + lines.pop(0)
        here = re.search(r"<<-? *'?(\w+)'?", line)
        if here and here.group(1) in [one.strip() for one in lines]:
            while lines.pop(0).strip() != here.group(1):
                pass
        yield from split(words)


def tokens(line):
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    return list(lexer)


def split(words):
    command, skips = [], False
    for word in words:
        if skips:
            skips = False
        elif re.fullmatch(r"[<>]+&?", word):
            skips = True
            if command and command[-1] in "12":
                command.pop()
        elif re.fullmatch(r"[|&;()<>]+", word):
            yield command
            command = []
        else:
            command.append(word)
    yield command


def of(program, text):
    """Arguments of each call of a program in a document."""
    for block in blocks(text):
        for words in simple(block):
            while words and (re.match(r"[A-Za-z_]+=", words[0]) or words[0] in ("$", "!", "sudo", "time", "then", "do", "if")):
                words = words[1:]
            if words and words[0] in (program, f"build/{program}"):
                yield words[1:]


def complaint(program, arguments, refusal):
    """What a program says of arguments; None: it takes them, but for the flag that no program has.

    - refusal: how it names a flag that it does not know.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    run = subprocess.run(
        [program, *arguments[:end], UNKNOWN, *arguments[end:]], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "KUBECONFIG": "/nonexistent/config"})
    said = (run.stderr + run.stdout).strip()
    if run.returncode != 0 and refusal.format(UNKNOWN) in said.split("\n")[0]:
        return None
    return said.split("\n")[0] or f"it ends with {run.returncode}"
