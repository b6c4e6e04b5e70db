"""How the official conformance suite is run: its own Node program, kept on loopback, and what it found."""

import json
import os
import re
import subprocess

import harness
from harness import BUILD, NODE

PACKAGE = BUILD / "node/node_modules/@modelcontextprotocol/conformance/dist/index.js"
LOOPBACK = harness.HERE / "node/loopback_only.cjs"
SUITE_S = 400


def run(*words, **options):
    environment = os.environ | {"NODE_OPTIONS": f"--require {LOOPBACK}"}
    return subprocess.run([NODE, PACKAGE, *map(str, words)], capture_output=True, text=True, timeout=SUITE_S, env=environment,
                          **options)


def listed(revision, heading):
    """The scenarios that a revision requires of a server or a client."""
    text = run("list", "--requirements", revision).stdout
    part = text.split(heading)[1].split("\n\n")[0]
    return re.findall(r"^  - (\S+)$", part, re.M)


def read_checks(folder, kind):
    """Checks by scenario. A result's folder is named after its kind, its scenario and the time."""
    found = {}
    for file in folder.rglob("checks.json"):
        name = file.parent.relative_to(folder).as_posix()
        scenario = re.fullmatch(rf"(?:{kind}-)?(.+)-\d{{4}}-\d\d-\d\dT.*", name)[1]
        found[scenario] = json.loads(file.read_text())
    return found


def wrong(checks):
    return [check for check in checks if check["status"] == "FAILURE"]
