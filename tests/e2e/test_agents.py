"""The clients that people put in front of agents, with a project token: libraries, bridges and command lines. Those that
have sessions keep them over a restart of mcpd, and never hear of it."""

import json
import os
import subprocess
from contextlib import contextmanager

import wire
from harness import BUILD, EVERYTHING, NODE, PATIENCE_S, Gateway, NodeClient

PACKAGES = BUILD / "node/node_modules"
REMOTE = PACKAGES / "mcp-remote/dist/proxy.js"
MCPORTER = PACKAGES / "mcporter/dist/cli.js"
INSPECTOR = PACKAGES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
TOOL = "example__echo"
PINNED = {"@ai-sdk/mcp": "1.0.101", "mcp-remote": "0.15.1", "mcporter": "0.9.0", "@modelcontextprotocol/inspector": "2.12.0",
          "@modelcontextprotocol/sdk": "1.32.2", "@modelcontextprotocol/client": "2.4.0"}
INSPECTOR_AUTH_REQUIRED = 3


@contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example()
        gateway.example_http()
        gateway.project("demo", "example", "web")
        gateway.ready(gateway.token("warm-up"), "example", "web")
        yield gateway


def environment(gateway):
    """Of a program that keeps files in its user's home."""
    return {**os.environ, "HOME": str(gateway.dir), "NO_COLOR": "1", "CI": "1"}


def run(gateway, *words, code=0):
    done = subprocess.run([str(word) for word in (NODE, *words)], capture_output=True, text=True, timeout=PATIENCE_S,
                          stdin=subprocess.DEVNULL, env=environment(gateway), cwd=gateway.dir)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class Bridge:
    """mcp-remote: a server over stdio for clients that know nothing else."""

    def __init__(self, gateway, token):
        self.errors = open(gateway.dir / "mcp-remote.out", "w+b")
        words = [NODE, REMOTE, gateway.endpoint(), "--transport", "http-only", "--header", "Authorization:${E2E_HEADER}"]
        self.popen = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.errors, text=True,
                                      env={**environment(gateway), "E2E_HEADER": f"Bearer {token}"})
        self.last_id = 0
        self.ask("initialize", {"protocolVersion": wire.LEGACY, "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"}})
        self.send({"method": "notifications/initialized"})

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.popen.stdin.close()
        try:
            self.popen.wait(PATIENCE_S)
        finally:
            self.popen.kill()
            self.popen.stdout.close()
            self.errors.close()

    def send(self, message):
        self.popen.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
        self.popen.stdin.flush()

    def ask(self, method, params):
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params})
        for line in self.popen.stdout:
            message = json.loads(line)
            if message.get("id") == self.last_id:
                assert "result" in message, message
                return message["result"]
        self.errors.seek(0)
        raise AssertionError("mcp-remote ended: " + self.errors.read().decode())

    def tools(self):
        return [tool["name"] for tool in self.ask("tools/list", {})["tools"]]

    def text(self, tool, **arguments):
        return self.ask("tools/call", {"name": tool, "arguments": arguments})["content"][0]["text"]


def restarts(gateway):
    """The process that served the session goes, and another takes its place."""
    old = gateway.process.pid
    assert gateway.stop() == 0
    gateway.start()
    assert gateway.process.pid != old


def keeps_its_session(gateway, flavour, program="clients.mjs"):
    with NodeClient(gateway, gateway.token(f"kept-{flavour}"), flavour, program=program) as client:
        assert {TOOL, "web__echo"} <= set(client.do("list")["tools"])
        for text in ("one", "two"):
            assert client.call(TOOL, message=text)["text"] == text
            restarts(gateway)
        assert client.call("web__echo", message="three")["text"] == "three"
        assert TOOL in client.do("list")["tools"]


def test_the_versions_are_those_that_are_promised():
    for name, version in PINNED.items():
        assert json.loads((PACKAGES / name / "package.json").read_text())["version"] == version, name
    assert EVERYTHING.exists()


def test_sdk_1_over_a_restart(gateway):
    keeps_its_session(gateway, "v1")


def test_client_2_legacy_over_a_restart(gateway):
    keeps_its_session(gateway, "legacy")


def test_client_2_auto_over_a_restart(gateway):
    keeps_its_session(gateway, "auto")


def test_client_2_modern_over_a_restart(gateway):
    keeps_its_session(gateway, "modern")


def test_ai_sdk_over_a_restart(gateway):
    keeps_its_session(gateway, "ai", "agents.mjs")


def test_mcporter_library_over_a_restart(gateway):
    keeps_its_session(gateway, "mcporter", "agents.mjs")


def test_mcp_remote_over_a_restart(gateway):
    with Bridge(gateway, gateway.token("bridge")) as bridge:
        assert {TOOL, "web__echo"} <= set(bridge.tools())
        assert bridge.text(TOOL, message="one") == "one"
        restarts(gateway)
        assert bridge.text(TOOL, message="two") == "two"
        assert "web__echo" in bridge.tools()


def test_mcporter_command_line(gateway):
    """Its configuration names the variable that holds the token."""
    config = gateway.dir / "mcporter.json"
    config.write_text(json.dumps({"mcpServers": {"gateway": {
        "baseUrl": gateway.endpoint(), "headers": {"Authorization": "Bearer ${E2E_TOKEN}"}}}}))
    os.environ["E2E_TOKEN"] = gateway.token("command-line")
    try:
        listed = run(gateway, MCPORTER, "--config", config, "list", "gateway", "--json")
        assert TOOL in [tool["name"] for tool in json.loads(listed)["tools"]], listed
        assert "hello" in run(gateway, MCPORTER, "--config", config, "call", f"gateway.{TOOL}", "message=hello")
    finally:
        del os.environ["E2E_TOKEN"]


def inspect(gateway, token, *words, code=0):
    return run(gateway, INSPECTOR, "--cli", gateway.endpoint(), "--transport", "http", "--header", f"Authorization: Bearer {token}",
               "--format", "json", "-q", "--stored-auth-only", *words, code=code)


def test_inspector_in_both_eras(gateway):
    """Each run is one session of its own."""
    token = gateway.token("inspector")
    for era in ("legacy", "modern"):
        listed = inspect(gateway, token, "--protocol-era", era, "--method", "tools/list")
        assert TOOL in listed and "web__echo" in listed, listed
        told = inspect(gateway, token, "--protocol-era", era, "--method", "tools/call", "--tool-name", TOOL, "--tool-arg", "message=hello")
        assert "hello" in told, told
    inspect(gateway, token[:-1] + ("A" if token[-1] != "A" else "B"), "--method", "tools/list", code=INSPECTOR_AUTH_REQUIRED)
