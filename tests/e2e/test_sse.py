"""Servers that speak only HTTP+SSE, the transport of 2024-11-05: the official one, and one that misbehaves."""

import http.server
import json
import threading
import time
from contextlib import contextmanager

import wire
from harness import Gateway, NodeClient, until

TOOL = "old__trigger-long-running-operation"


@contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.process_of_old = gateway.everything_http("old", sse=True)
        gateway.project("demo", "old")
        gateway.bearer = gateway.token("sse")
        gateway.ready(gateway.bearer, "old")
        yield gateway


def test_both_eras_list_and_call(gateway):
    for kind in (wire.Legacy, wire.Modern):
        client = kind(gateway.port, gateway.bearer)
        assert "old__echo" in client.tools()
        assert client.text("old__echo", {"message": "grüße"}) == "Echo: grüße"
        heard = []
        params = {"name": TOOL, "arguments": {"duration": 0.4, "steps": 4}, "_meta": {"progressToken": "mine"}}
        assert "result" in client.request("tools/call", params, heard=heard)
        assert [one["params"]["progress"] for one in heard] == [1, 2, 3, 4] and heard[0]["params"]["progressToken"] == "mine"


def test_many_at_once(gateway):
    """Answers of one stream reach their askers."""
    wrong = []

    def ask(number):
        client = wire.Modern(gateway.port, gateway.bearer)
        for turn in range(20):
            text = f"{number}.{turn}"
            if client.text("old__echo", {"message": text}) != f"Echo: {text}":
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def test_it_may_ask(gateway):
    for flavour in ("v1", "modern"):
        with NodeClient(gateway, gateway.token(f"asked-{flavour}"), flavour, "elicit") as client:
            told = client.call("old__trigger-elicitation-request")
            assert told["asked"] and "- Name: Ada" in told["text"], told


class Liar(http.server.BaseHTTPRequestHandler):
    """An event stream that names somebody else's address for messages, or ends at once."""
    protocol_version = "HTTP/1.1"
    posts = []

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.path == "/elsewhere":
            self.wfile.write(f"event: endpoint\ndata: http://127.0.0.1:{self.server.server_port + 1}/steal\n\n".encode())
            self.wfile.flush()
            time.sleep(1)
        if self.path == "/scheme":
            self.wfile.write(b"event: endpoint\ndata: mailto:me@example.com\n\n")
            self.wfile.flush()
            time.sleep(1)
        if self.path == "/deep/stream":
            self.wfile.write(b"event: endpoint\ndata: .././deep/messages?back=http://other.example/\n\n")
            self.wfile.flush()
            time.sleep(1)
        if self.path == "/no":
            self.wfile.write(b"event: endpoint\ndata: ?taken\n\n")
            refusal = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"not today"}}'
            self.wfile.write(b"event: message\ndata: " + refusal + b"\n\n")
            self.wfile.flush()
            time.sleep(1)
        if self.path == "/deaf":
            self.wfile.write(b"event: endpoint\ndata: messages\n\n")
            self.wfile.flush()
            time.sleep(30)

    def do_POST(self):
        Liar.posts.append(self.path)
        self.send_response(202 if self.path.endswith("taken") else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


def test_servers_that_misbehave(gateway):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        paths = {"thief": "/elsewhere", "short": "/end", "deaf": "/deaf", "no": "/no", "scheme": "/scheme", "deep": "/deep/stream"}
        for name, path in paths.items():
            gateway.http(name, server.server_port, transport="SSE", path=path)
        gateway.project("liars", *paths)
        client = wire.Modern(gateway.port, gateway.token("liars", "liars"), "liars")
        began = time.monotonic()
        answer = client.request("tools/list")
        assert time.monotonic() - began < 15  # "deaf" takes 30 s
        assert sorted(answer["result"]["_meta"]["io.mcptoken/unavailable"]) == sorted(paths), answer
        deep = "/deep/messages?back=http://other.example/"
        assert deep in Liar.posts and set(Liar.posts) <= {"/messages", "/no?taken", deep}, Liar.posts
        refused = client.call("thief__x")
        assert "not its own, but of another origin" in json.dumps(refused), refused
        refused = client.call("scheme__x")
        assert "that is none (URL: " in json.dumps(refused), refused
    finally:
        server.shutdown()


def test_a_server_that_comes_back(gateway):
    gateway.process_of_old.close()
    client = wire.Modern(gateway.port, gateway.bearer)
    until(lambda: "error" in client.call("old__echo", {"message": "x"}))
    assert "old" in json.dumps(client.call("old__echo", {"message": "x"}))
