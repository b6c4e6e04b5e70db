"""Servers that say too much: their secrets stay out of logs, records and answers, their errors are cut, and they cannot fill the log."""

import json
import time
from contextlib import contextmanager

import doubles
import wire
from harness import Gateway, until
from wire import LEGACY

SECRET = "s3cr3t-Planted-77aa"
LARGE = 8 * 1024 * 1024
EVENTS = 20_000
NAMES = ("initialize", "list", "call", "opens-large", "flood")
TOOLS = {"tools": [{"name": "call", "inputSchema": {"type": "object"}}]}


class Server(doubles.Silent):
    """/METHOD answers that method with an error that has its credentials, and all else as it should. /opens-large has
    megabytes of text in it; /flood sends events that are none."""

    def do_POST(self):
        message, name = self.message(), self.path[1:]
        method = message["method"]
        if "id" not in message:
            return self.plain(202)
        if method == "server/discover":
            return self.plain(404)
        if method.endswith(name):
            return self.error(message, f"no {method} with {self.headers['Authorization']}")
        if (name, method) == ("opens-large", "initialize"):
            return self.error(message, "x" * LARGE)
        if method == "initialize":
            return self.result(message, {"protocolVersion": LEGACY, "capabilities": {"tools": {}},
                                         "serverInfo": {"name": name, "version": "1"}}, f"session-{name}")
        if name == "flood" and method == "tools/call":
            self.stream()
            return self.wfile.write(b"data: x\n\n" * EVENTS)
        return self.result(message, TOOLS if method == "tools/list" else {"content": []})

    def error(self, message, text):
        error = {"code": -32000, "message": text, "data": {"said": text[:1000]}}
        self.plain(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode())


@contextmanager
def fixture():
    with doubles.serving(Server) as server, Gateway(settings=["--upstream-backoff-ms", "50"]) as gateway:
        gateway.mcpctl("create", "secret", "cred", "--data", f"k=Bearer {SECRET}")
        for name in NAMES:
            gateway.http(name, server.server_port, path=f"/{name}", flags=["--header", "Authorization=secret:cred/k"])
        gateway.project("demo", *NAMES)
        gateway.bearer = gateway.token("t")
        yield gateway


def test_secrets_that_a_server_repeats_are_told_to_nobody(gateway):
    for kind in (wire.Legacy, wire.Modern):
        client = kind(gateway.port, gateway.bearer)
        answers = [client.call(f"{name}__call") for name in ("initialize", "list", "call")]
        told = json.dumps([*answers, client.request("tools/list", {})])
        assert "no initialize with" in told and "no tools/call with" in told, told
        assert SECRET not in told, told
    events = until(lambda: [one for one in gateway.rest("GET", "audit/events?kind=tool_call_trace").json["items"]
                            if "initialize with" in json.dumps(one)])
    for text in (json.dumps(events), json.dumps(gateway.rest("GET", "instances").json), gateway.process.text()):
        assert "[redacted]" in text and SECRET not in text, text[-2000:]


def test_credentials_that_no_header_can_have_are_not_named(gateway):
    gateway.rest("PATCH", "secrets/cred", {"data": {"odd": "a\x01b"}})
    gateway.http("odd", 9, flags=["--header", "X-Planted-Name=secret:cred/odd"])
    gateway.rest("PATCH", "projects/demo", {"servers": [{"server": "odd"}]})
    try:
        message = wire.Modern(gateway.port, gateway.bearer).call("odd__call")["error"]["message"]
        assert message == "odd: the server's credentials cannot be used: one has a control character", message
    finally:
        gateway.rest("PATCH", "projects/demo", {"servers": [{"server": name} for name in NAMES]})


def test_errors_of_megabytes_are_cut_wherever_they_are_kept(gateway):
    client = wire.Modern(gateway.port, gateway.bearer)
    for _ in range(6):
        message = client.call("opens-large__call")["error"]["message"]
        assert 8_000 < len(message) < 9_000, len(message)
        time.sleep(0.3)
    shown = json.dumps(gateway.rest("GET", "instances?server=opens-large").json)
    assert "initialize: xxxx" in shown and len(shown) < 40_000, len(shown)


def test_a_flood_of_junk_is_a_few_lines_of_the_log(gateway):
    client = wire.Modern(gateway.port, gateway.bearer)
    before = gateway.process.text().count("flood: an event is not")
    assert "error" in client.call("flood__call")
    lines = gateway.process.text().count("flood: an event is not") - before
    assert 0 < lines <= 40, lines
    assert "what else this server causes is left out" in gateway.process.text()
