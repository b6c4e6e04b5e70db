"""The official conformance suite against the gateway: both frozen lists of server scenarios.

    suite -> hop.mjs (adds the bearer) -> mcpd -> fixture.mjs

One project with one server whose names and URIs stay as they are, because the suite asks for them by name. Each scenario
that a list scores is a test here.
"""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import harness
from harness import BUILD, NODE, Gateway, until

HERE = Path(__file__).resolve().parent
PACKAGE = BUILD / "node/node_modules/@modelcontextprotocol/conformance/dist/index.js"
LOOPBACK = harness.HERE / "node/loopback_only.cjs"
SUITE_S = 400


def module(name):
    """Beside the packages, so that its imports are found."""
    copy = BUILD / "node" / name
    partial = copy.with_suffix(f".{os.getpid()}")
    shutil.copy(HERE / name, partial)
    partial.rename(copy)
    return copy


def listening(process):
    def port():
        assert process.popen.poll() is None, process.text()
        return process.text().endswith("\n") and process.text().rsplit(":", 1)[1]

    return int(until(port))


def suite(*words, **options):
    environment = os.environ | {"NODE_OPTIONS": f"--require {LOOPBACK}"}
    return subprocess.run([NODE, PACKAGE, *map(str, words)], capture_output=True, text=True, timeout=SUITE_S, env=environment,
                          **options)


def read_checks(folder):
    """Checks by scenario. A result's folder is named after its scenario and the time."""
    found = {}
    for file in folder.glob("server-*/checks.json"):
        scenario = file.parent.name.removeprefix("server-").rsplit("-20", 1)[0]
        found[scenario] = json.loads(file.read_text())
    return found


class Run:
    def __init__(self, gateway, url, revision):
        folder = gateway.dir / f"results-{revision}"
        self.done = suite("server", "--url", url, "--requirements", revision, "-o", folder, cwd=gateway.dir)
        self.checks = read_checks(folder)


@contextmanager
def fixture():
    with Gateway() as gateway:
        server = gateway.spawn([NODE, module("fixture.mjs")], "fixture.out")
        gateway.http("fixture", listening(server), ["--share", "principal"])
        made = gateway.rest("POST", "projects", {"name": "demo", "proxyModel": "none", "servers": [{"server": "fixture", "prefix": ""}]})
        assert made.status == 201, made
        token = gateway.token("suite")
        hop = gateway.spawn([NODE, module("hop.mjs"), gateway.endpoint()], "hop.out", env=os.environ | {"E2E_TOKEN": token})
        url = f"http://127.0.0.1:{listening(hop)}/mcp"
        yield {revision: Run(gateway, url, revision) for revision in PASSING}


# The scenarios that must pass.
PASSING = {
    "2025-11-25": (),
    "2026-07-28": (),
}


def passes(revision, scenario):
    def test(runs):
        run = runs[revision]
        assert scenario in run.checks, f"it did not run: {run.done.stdout[-2000:]}{run.done.stderr[-2000:]}"
        wrong = [check for check in run.checks[scenario] if check["status"] == "FAILURE"]
        assert run.checks[scenario] and not wrong, json.dumps(wrong, indent=1)

    return test


for one_revision, scenarios in PASSING.items():
    for one in scenarios:
        globals()[f"test_{one_revision}_{one}"] = passes(one_revision, one)
