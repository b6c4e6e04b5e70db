"""mcpctl connect --write into an empty home, then the real client reads the result. Not in the default run: the packages are large.
`scripts/test-clients` puts them into BUILD/clients and runs this file.

Codex and opencode also make one real tool call, with a stand-in for the model.
"""

import contextlib
import http.server
import json
import os
import re
import subprocess
import threading
from pathlib import Path

from harness import BUILD, MCPCTL, NODE, Gateway, until

PACKAGES = BUILD / "clients/node_modules"
VARIABLE = "MCPCTL_TOKEN_DEMO"


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        gateway.ready(gateway.token("warm-up"), "example")
        yield gateway


class Home:
    """An empty home with the configuration that mcpctl wrote, and what runs in it."""

    def __init__(self, gateway, client, *words, token=None):
        self.gateway = gateway
        self.name = token or client
        self.dir = gateway.dir / f"home-{self.name}"
        self.work = self.dir / "work"
        self.work.mkdir(parents=True)
        self.token = gateway.token(self.name)
        self.environment = {"HOME": str(self.dir), "PATH": f"{NODE.parent}:{MCPCTL.parent}:{os.environ['PATH']}", "TERM": "dumb",
                            "NO_COLOR": "1", "CI": "1", VARIABLE: self.token, "MCPCTL_SERVER": gateway.url,
                            "DO_NOT_TRACK": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1",
                            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
                            "GEMINI_TELEMETRY_ENABLED": "false", "NO_UPDATE_NOTIFIER": "1"}
        done = self.run([MCPCTL, "connect", client, "-p", "demo", "--write", *words])
        self.file = Path(done.stdout.split()[0])
        assert self.file.stat().st_mode & 0o777 == 0o600, self.file
        assert self.token not in self.file.read_text() and self.token not in done.stdout + done.stderr

    def run(self, words, code=0, **more):
        done = subprocess.run([str(word) for word in words], cwd=self.work, env={**self.environment, **more}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)
        assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        done.stdout, done.stderr = (re.sub(r"\x1b\[[0-9;]*m", "", text) for text in (done.stdout, done.stderr))
        return done

    def node(self, script, *words, **more):
        return self.run([NODE, PACKAGES / script, *words], **more)

    def calls(self):
        """The calls that the audit record has of this client's token."""
        return self.gateway.rest("GET", f"audit/events?tokenName={self.name}&kind=tool_call_trace").json["items"]


class Model(http.server.BaseHTTPRequestHandler):
    """The first turn calls the tool whose name ends in `echo`, the second says what it answered."""

    protocol_version = "HTTP/1.1"
    seen = []

    def do_GET(self):
        self.send_json({"object": "list", "data": [{"id": "stand-in", "object": "model"}]})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, request))
        self.answer_responses(request) if self.path.endswith("/responses") else self.answer_chat(request)

    def answer_chat(self, request):
        answered = any(message["role"] == "tool" for message in request["messages"])
        tools = [tool["function"]["name"] for tool in request.get("tools", [])]
        name = next((tool for tool in tools if tool.endswith("echo")), None)
        if answered or not name:
            delta, reason = {"role": "assistant", "content": "The tool said hello."}, "stop"
        else:
            call = {"index": 0, "id": "call-1", "type": "function", "function": {"name": name, "arguments": '{"message":"hello"}'}}
            delta, reason = {"role": "assistant", "tool_calls": [call]}, "tool_calls"
        base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "stand-in"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self.send_events([{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
                     {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}, "[DONE]"])

    def answer_responses(self, request):
        answered = any(item.get("type") == "function_call_output" for item in request["input"])
        found = [(tool.get("name"), None) for tool in request.get("tools", []) if tool.get("type") == "function"]
        for space in request.get("tools", []):
            found += [(tool["name"], space.get("name")) for tool in space.get("tools", [])]
        name, namespace = next(((name, space) for name, space in found if name and name.endswith("echo")), (None, None))
        if answered or not name:
            item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "The tool said hello.", "annotations": []}]}
        else:
            item = {"type": "function_call", "id": "f1", "call_id": "call-1", "name": name, "arguments": '{"message":"hello"}',
                    "status": "completed"} | ({"namespace": namespace} if namespace else {})
        response = {"id": "r1", "object": "response", "created_at": 1, "model": "stand-in", "status": "completed", "output": [item],
                    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "input_tokens_details": {"cached_tokens": 0},
                              "output_tokens_details": {"reasoning_tokens": 0}}}
        self.send_events([{"type": "response.created", "response": {**response, "status": "in_progress", "output": []}},
                     {"type": "response.output_item.added", "output_index": 0, "item": item},
                     {"type": "response.output_item.done", "output_index": 0, "item": item},
                     {"type": "response.completed", "response": response}], named=True)

    def send_events(self, events, named=False):
        body = ""
        for event in events:
            if named:
                body += f"event: {event['type']}\n"
            body += "data: " + (event if isinstance(event, str) else json.dumps(event)) + "\n\n"
        self.send(body.encode(), "text/event-stream")

    def send_json(self, value):
        self.send(json.dumps(value).encode(), "application/json")

    def send(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def model():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        Model.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_codex_has_the_server_and_calls_its_tool(gateway):
    home = Home(gateway, "codex")
    told = json.loads(home.node("@openai/codex/bin/codex.js", "mcp", "get", "demo", "--json").stdout)
    assert told["transport"]["url"] == gateway.endpoint() and told["transport"]["bearer_token_env_var"] == VARIABLE, told
    with model() as url:
        provider = f'{{name="stand-in", base_url="{url}", wire_api="responses", request_max_retries=0, stream_max_retries=0}}'
        done = home.node("@openai/codex/bin/codex.js", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
                         "-c", f"model_providers.standin={provider}", "-c", 'model_provider="standin"', "-c", 'model="stand-in"',
                         "call the echo tool", code=None)
    assert "The tool said hello." in done.stdout, (done, Model.seen[-1:])
    until(home.calls)
    assert [(one["tool"], one["outcome"]) for one in home.calls()] == [("echo", "ok")], home.calls()


def test_opencode_lists_it_connected_and_calls_its_tool(gateway):
    home = Home(gateway, "opencode")
    binary = next(path for path in PACKAGES.glob("opencode-linux-*/bin/opencode") if not re.search("musl|baseline", str(path)))
    told = home.run([binary, "mcp", "list"])
    assert re.search(r"demo\W+connected", told.stdout + told.stderr), told
    with model() as url:
        settings = json.loads(home.file.read_text())
        settings["provider"] = {"standin": {"npm": "@ai-sdk/openai-compatible", "name": "stand-in",
                                            "options": {"baseURL": url, "apiKey": "none"},
                                            "models": {"stand-in": {"name": "stand-in", "tool_call": True}}}}
        home.file.write_text(json.dumps(settings))
        # What mcpctl does to a file with more in it: nothing of that is lost.
        home.run([MCPCTL, "connect", "opencode", "-p", "demo", "--write"])
        assert json.loads(home.file.read_text())["provider"] == settings["provider"]
        done = home.run([binary, "run", "--model", "standin/stand-in", "call the echo tool"], code=None)
    assert "The tool said hello." in done.stdout, (done, Model.seen[-1:])
    until(home.calls)
    assert [(one["tool"], one["outcome"]) for one in home.calls()] == [("echo", "ok")], home.calls()


def test_gemini_lists_it_connected(gateway):
    home = Home(gateway, "gemini")
    (home.dir / ".gemini/trustedFolders.json").write_text(json.dumps({str(home.work): "TRUST_FOLDER"}))
    told = home.node("@google/gemini-cli/bundle/gemini.js", "mcp", "list", GEMINI_CLI_TRUST_WORKSPACE="true")
    assert re.search(r"demo: .*- Connected", told.stdout + told.stderr), told


def test_qwen_lists_it_connected(gateway):
    home = Home(gateway, "qwen")
    told = home.node("@qwen-code/qwen-code/cli.js", "mcp", "list")
    assert re.search(r"demo: .*- Connected", told.stdout + told.stderr), told


def test_mcporter_lists_and_calls(gateway):
    home = Home(gateway, "mcporter")
    told = home.node("mcporter/dist/cli.js", "list", "demo", "--json")
    assert "example__echo" in told.stdout, told
    called = home.node("mcporter/dist/cli.js", "call", "demo.example__echo", "message=hello")
    assert "hello" in called.stdout, called
    until(home.calls)


def test_a_wrong_token_is_seen_by_the_client_not_hidden_by_the_configuration(gateway):
    home = Home(gateway, "qwen", "--name", "other", token="ended")
    gateway.mcpctl("delete", "mcptoken", "ended", "-p", "demo")
    told = home.node("@qwen-code/qwen-code/cli.js", "mcp", "list")
    assert re.search(r"other: .*- Disconnected", told.stdout + told.stderr), told
