"""The official conformance suite against the gateway: both frozen lists of server scenarios.

    suite -> hop.mjs (adds the bearer) -> mcpd -> fixture.mjs

One project with one server whose names and URIs stay as they are, because the suite asks for them by name. Each scenario
that a list scores is a test here.
"""

import json
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from harness import BUILD, NODE, Gateway, until

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import suite  # noqa: E402  (found through the path set above)


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


class Run:
    def __init__(self, gateway, url, revision):
        folder = gateway.dir / f"results-{revision}"
        self.done = suite.run("server", "--url", url, "--requirements", revision, "-o", folder, cwd=gateway.dir)
        self.checks = suite.read_checks(folder, "server")


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
        yield {revision: Run(gateway, url, revision) for revision in REQUIRED}


# What the suite requires of a server for each revision; `test_the_lists_are_the_suites_own` holds it against the suite.
REQUIRED = {
    "2025-11-25": (
        "server-initialize", "logging-set-level", "ping", "completion-complete", "tools-list", "tools-call-simple-text",
        "tools-call-image", "tools-call-audio", "tools-call-embedded-resource", "tools-call-mixed-content",
        "tools-call-with-logging", "tools-call-error", "tools-call-with-progress", "tools-call-sampling",
        "tools-call-elicitation", "elicitation-sep1034-defaults", "server-sse-multiple-streams", "elicitation-sep1330-enums",
        "resources-list", "resources-read-text", "resources-read-binary", "resources-templates-read", "resources-subscribe",
        "resources-unsubscribe", "prompts-list", "prompts-get-simple", "prompts-get-with-args",
        "prompts-get-embedded-resource", "prompts-get-with-image", "dns-rebinding-protection",
    ),
    "2026-07-28": (
        "server-stateless", "completion-complete", "tools-list", "tools-call-simple-text", "tools-call-image",
        "tools-call-audio", "tools-call-embedded-resource", "tools-call-mixed-content", "tools-call-error",
        "tools-call-with-progress", "server-sse-multiple-streams", "resources-list", "resources-read-text",
        "resources-read-binary", "resources-templates-read", "sep-2164-resource-not-found", "prompts-list",
        "prompts-get-simple", "prompts-get-with-args", "prompts-get-embedded-resource", "prompts-get-with-image",
        "dns-rebinding-protection", "caching", "input-required-result-basic-elicitation",
        "input-required-result-basic-sampling", "input-required-result-basic-list-roots",
        "input-required-result-request-state", "input-required-result-multiple-input-requests",
        "input-required-result-multi-round", "input-required-result-missing-input-response",
        "input-required-result-non-tool-request", "input-required-result-result-type",
        "input-required-result-unsupported-methods", "input-required-result-tampered-state",
        "input-required-result-capability-check", "input-required-result-ignore-extra-params",
        "input-required-result-validate-input",
    ),
}


def test_the_lists_are_the_suites_own(runs):
    for revision, run in runs.items():
        listed = suite.listed(revision, "Server scenarios (test against a server):")
        assert listed == list(REQUIRED[revision]), listed
        assert run.done.returncode == 0, run.done.stdout[-2000:]


def passes(revision, scenario):
    def test(runs):
        run = runs[revision]
        assert scenario in run.checks, f"it did not run: {run.done.stdout[-2000:]}{run.done.stderr[-2000:]}"
        wrong = suite.wrong(run.checks[scenario])
        assert run.checks[scenario] and not wrong, json.dumps(wrong, indent=1)

    return test


for one_revision, scenarios in REQUIRED.items():
    for one in scenarios:
        globals()[f"test_{one_revision}_{one}"] = passes(one_revision, one)
