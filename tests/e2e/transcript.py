"""Transcripts: commands and what they print, compared with a file that people can read.

A file is blocks: "$ COMMAND" (a line of bash; "mcpctl" is the one that was built), then standard output as it is,
standard error with "! " in front of each line, and "[exit N]" unless that is 0. A line "< TEXT" behind the command is
given to its standard input. What differs from run to run is masked. UPDATE_TRANSCRIPTS=1 writes the files anew: read
the difference before it is committed.
"""

import os
import re
import subprocess
from pathlib import Path

from harness import BUILD, HERE, PATIENCE_S

FOLDER = HERE / "transcripts"
UPDATE = os.environ.get("UPDATE_TRANSCRIPTS") == "1"
MASKS = [
    (re.compile(r"mcpctl_(pat|ses)_[0-9A-Za-z]{43}"), r"mcpctl_\1_RAW"),
    (re.compile(r"mcpctl_(pat|ses)_[0-9A-Za-z]{4}\b"), r"mcpctl_\1_XXXX"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b"), "TIME"),
    (re.compile(r"(?<=\s)\d+[smhd](?=\s|$)"), "AGE"),
    (re.compile(r"\b\d+[smhd] ago\b"), "AGE ago"),
    (re.compile(r"\(in \d+[smhd]\)"), "(in AGE)"),
    (re.compile(r"\b\d+ ms\b"), "N ms"),
    (re.compile(r"^! request id: .*"), "! request id: ID"),
    (re.compile(r"\b(?=[a-z0-9]*\d)(?=[a-z0-9]*[a-z])[a-z0-9]{20}\b"), "ID"),
    (re.compile(r"(\w)-[a-z0-9]{6}\b(?=\s+(RUNNING|STOPPED|is RUNNING))"), r"\1-INSTANCE"),
]


class Shell:
    """Commands of a transcript, one after the other, in one folder and environment."""

    def __init__(self, gateway, **environment):
        self.gateway = gateway
        self.folder = gateway.dir / "work"
        self.folder.mkdir(exist_ok=True)
        self.environment = {"HOME": str(gateway.dir), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "LC_ALL": "C.UTF-8",
                            "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}", "MCPCTL_SERVER": gateway.url,
                            "TMPDIR": str(self.folder)} | environment
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def mask(self, line):
        line = line.replace(str(self.folder), "WORK").replace(str(self.gateway.dir), "HOME")
        line = line.replace(self.gateway.url, "http://SERVER").replace(f"127.0.0.1:{self.gateway.port}", "SERVER")
        line = re.sub(r"mcpctl-edit-\w{6}", "mcpctl-edit-X", line)
        for pattern, text in MASKS:
            line = pattern.sub(text, line)
        if not line.startswith(("+", "-")):  # the width of a column follows its widest cell; a diff has none
            line = re.sub(r"(?<=\S) {2,}(?=\S)", "  ", line)
        return line.rstrip()

    def run(self, command, given):
        done = subprocess.run(["bash", "-c", command], input="".join(line + "\n" for line in given), capture_output=True,
                              text=True, timeout=PATIENCE_S, cwd=self.folder, env=self.environment)
        lines = done.stdout.splitlines() + ["! " + line for line in done.stderr.splitlines()]
        lines = [self.mask(line) for line in lines]
        return lines + ([f"[exit {done.returncode}]"] if done.returncode else [])


def blocks_of(text):
    """[(command, [lines of standard input], [expected lines])], with the comments in front of each."""
    blocks, comments = [], []
    for line in text.splitlines():
        if line.startswith("$ "):
            blocks.append((comments, line[2:], [], []))
            comments = []
        elif line.startswith("#") and (not blocks or not blocks[-1][3] or blocks[-1][3][-1] == ""):
            comments.append(line)
        elif line.startswith("< ") and not blocks[-1][3]:
            blocks[-1][2].append(line[2:])
        elif blocks:
            blocks[-1][3].append(line)
    return blocks


def written(comments, command, given, lines):
    return "".join(line + "\n" for line in [*comments, "$ " + command, *("< " + line for line in given), *lines, ""])


def check(name, shell):
    """Runs the file's commands and compares."""
    path = FOLDER / f"{name}.txt"
    out, differences = "", []
    for comments, command, given, expected in blocks_of(path.read_text()):
        lines = shell.run(command, given)
        out += written(comments, command, given, lines)
        while expected and expected[-1] == "":
            expected = expected[:-1]
        if lines != expected:
            differences.append("\n".join([f"$ {command}", "--- expected", *expected, "--- got", *lines]))
    if UPDATE:
        path.write_text(out)
        return
    assert not differences, f"{name}.txt:\n" + "\n\n".join(differences)


def exit_codes(name, verbs):
    """{verb: codes that it ends with in a transcript}. A line of several commands counts for the last one."""
    found = {}
    for _, command, _, expected in blocks_of((FOLDER / f"{name}.txt").read_text()):
        code = next((int(line[6:-1]) for line in reversed(expected) if re.fullmatch(r"\[exit \d+\]", line)), 0)
        run = re.findall(r"(?:^|[\s|&;(])mcpctl ([^|&;)]*)", command)
        verb = max((verb for verb in verbs if run and (run[-1] + " ").startswith(verb + " ")), key=len, default=None)
        if verb:
            found.setdefault(verb, set()).add(code)
    return found


def commands(name):
    """Everything that a transcript runs, as words behind "mcpctl"."""
    return [words for _, command, _, _ in blocks_of((FOLDER / f"{name}.txt").read_text())
            for words in re.findall(r"(?:^|[\s|&;(])mcpctl ([^|&;)]*)", command)]
