"""The official conformance suite's client mode: the library's own session against the suite's servers, all scenarios of both
frozen lists but those of OAuth, which the session does not speak. Each scenario is a test here, with the suite's own verdict
on it, its time limit and the exit code of client.cc."""

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import suite  # noqa: E402  (found through the path set above)
from harness import BUILD  # noqa: E402

CLIENT = BUILD / "tests/conformance/conformance-client"
# `test_the_lists_are_the_suites_own` holds it against the suite.
REQUIRED = {
    "2025-11-25": ("initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"),
    "2026-07-28": ("tools_call", "request-metadata", "sep-2322-client-request-state", "http-standard-headers", "http-custom-headers",
                   "http-invalid-tool-headers", "json-schema-ref-no-deref"),
}


def test_the_lists_are_the_suites_own():
    for revision, scenarios in REQUIRED.items():
        required = suite.listed(revision, "Client scenarios (test against a client):")
        assert [name for name in required if not name.startswith("auth/")] == list(scenarios), required


def passes(revision, scenario):
    def test():
        with tempfile.TemporaryDirectory(prefix="mcptoken-client-") as folder:
            done = suite.run("client", "--command", CLIENT, "--scenario", scenario, "--spec-version", revision, "-o", folder, cwd=folder)
            told = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
            checks = suite.read_checks(Path(folder), "client")
            assert list(checks) == [scenario], (list(checks), told)
            assert checks[scenario] and not suite.wrong(checks[scenario]), json.dumps(suite.wrong(checks[scenario]), indent=1)
            assert done.returncode == 0, told

    return test


for one_revision, scenarios in REQUIRED.items():
    for one in scenarios:
        globals()[f"test_{one_revision}_{one}"] = passes(one_revision, one)
