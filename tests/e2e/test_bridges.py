"""mcpctl mcp and mcpctl proxy: clients that cannot send a token use a project all the same."""

import contextlib
import json
import os
import subprocess
import threading
import time

import doubles
from harness import MCPCTL, PATIENCE_S, Gateway, NodeClient, until
from wire import LEGACY, Connection


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.log_file = gateway.example()
        gateway.example("old", era="legacy")
        gateway.project("demo", "example", "old")
        gateway.token_text = gateway.token("agent")
        gateway.file = gateway.dir / "agent.token"
        gateway.file.write_text(gateway.token_text + "\n")
        gateway.ready(gateway.token_text, "example", "old")
        yield gateway


def environment(gateway, **more):
    return {"HOME": str(gateway.dir), "XDG_CONFIG_HOME": str(gateway.dir / "config"), "PATH": os.environ["PATH"],
            "MCPCTL_SERVER": gateway.url, **more}


@contextlib.contextmanager
def proxy(gateway, *words):
    """The port of a proxy that runs, and its process."""
    port = gateway.dir / "proxy.port"
    port.unlink(missing_ok=True)
    process = gateway.spawn([MCPCTL, "proxy", "-p", "demo", "--listen", "0", "--port-file", port, "--token-file", gateway.file, *words],
                            "proxy.log", env=environment(gateway))
    try:
        until(lambda: port.exists() or process.popen.poll() is not None, why=process.text)
        yield int(port.read_text()), process
    finally:
        process.close()


def calls(client):
    tools = client.do("list")["tools"]
    assert "example__echo" in tools and "old__echo" in tools, tools
    assert client.call("example__echo", message="hello")["text"] == "hello"
    slow = client.call("example__slow", seconds=0.4, steps=4)
    # The official client drops what it reads in one piece with the answer.
    assert slow["text"] == "done in 4 steps" and slow["progress"][:3] == [[1, 4], [2, 4], [3, 4]], slow


# --- mcp

def bridge(gateway, flavour, *wishes, **more):
    words = [MCPCTL, "mcp", "-p", "demo", "--token-file", gateway.file]
    return NodeClient(gateway, None, flavour, *wishes, place=words, env=environment(gateway, **more))


def test_stdio_clients_of_both_official_packages(gateway):
    for flavour in ("v1", "legacy", "modern", "auto"):
        with bridge(gateway, flavour) as client:
            calls(client)


def test_questions_of_a_server_reach_the_stdio_client(gateway):
    with bridge(gateway, "v1", "elicit") as client:
        told = client.call("old__ask")
        assert told["asked"] == ["Your name?"] and "answer: " in told["text"], told


def test_the_audit_names_the_token(gateway):
    with bridge(gateway, "v1") as client:
        client.call("example__echo", message="who")
    last = lambda: gateway.events("kind=tool_call_trace&tokenName=agent&limit=1")[0]  # noqa: E731
    wanted = ("example", "echo", "e2e-v1")
    until(lambda: (last()["server"], last()["tool"], last().get("clientName")) == wanted, why=last)


def test_a_restart_and_a_lost_session_go_unnoticed(gateway):
    with bridge(gateway, "v1") as client:
        assert client.call("example__echo", message="a")["text"] == "a"
        assert gateway.stop() == 0
        restarted = threading.Timer(0.5, gateway.start)
        restarted.start()
        assert client.call("example__echo", message="b")["text"] == "b"
        restarted.join()
        gateway.admin = gateway.login()


class Pipe:
    """mcpctl mcp with our hands on both ends."""

    def __init__(self, gateway, token_file=True, **more):
        words = ("--token-file", gateway.file) if token_file else ()
        self.popen = subprocess.Popen([str(word) for word in (MCPCTL, "mcp", "-p", "demo", *words)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(gateway, **more))

    def say(self, text):
        self.popen.stdin.write(text + "\n")
        self.popen.stdin.flush()

    def ask(self, identity, method, **params):
        self.say(json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}))

    def answer(self):
        return json.loads(self.popen.stdout.readline())

    def hello(self):
        self.ask(0, "initialize", protocolVersion=LEGACY, capabilities={}, clientInfo={"name": "pipe", "version": "1"})
        assert self.answer()["result"]["serverInfo"]["name"] == "demo"
        self.say('{"jsonrpc":"2.0","method":"notifications/initialized"}')

    def end(self):
        return self.popen.communicate(timeout=PATIENCE_S)


def test_a_revoked_token_is_told_with_its_reason(gateway):
    gateway.file.write_text(gateway.token("short") + "\n")
    pipe = Pipe(gateway)
    pipe.hello()
    gateway.mcpctl("delete", "mcptoken", "short", "-p", "demo")
    pipe.ask(1, "tools/list")
    refused = pipe.answer()
    assert refused["id"] == 1 and "revoked" in refused["error"]["message"], refused
    pipe.end()
    gateway.file.write_text(gateway.token_text + "\n")


class Forgetful(doubles.Handler):
    """A server that forgets its first session after the first request in it."""

    seen = []

    def do_POST(self):
        message, session = self.message(), self.headers.get("Mcp-Session-Id")
        self.seen.append((message["method"], session))
        if message["method"] == "initialize":
            return self.result(message, {"protocolVersion": LEGACY, "capabilities": {}, "serverInfo": {"name": "f", "version": "1"}},
                               f"s{sum(method == 'initialize' for method, _ in self.seen)}")
        if "id" not in message:
            return self.plain(202)
        return self.plain(404) if session == "s1" else self.result(message, {"tools": []})

    def do_GET(self):
        self.plain(405)

    def do_DELETE(self):
        self.plain(204)


def test_a_session_that_the_server_has_forgotten_is_begun_again(gateway):
    with doubles.serving(Forgetful) as server:
        pipe = Pipe(gateway, MCPCTL_SERVER=f"http://127.0.0.1:{server.server_port}")
        pipe.ask(0, "initialize", protocolVersion=LEGACY, capabilities={}, clientInfo={"name": "pipe", "version": "1"})
        assert "result" in pipe.answer()
        pipe.say('{"jsonrpc":"2.0","method":"notifications/initialized"}')
        pipe.ask(1, "tools/list")
        assert pipe.answer() == {"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}
        pipe.end()
    assert Forgetful.seen == [("initialize", None), ("notifications/initialized", "s1"), ("tools/list", "s1"), ("initialize", None),
                              ("notifications/initialized", "s2"), ("tools/list", "s2")], Forgetful.seen


def test_many_requests_at_once_keep_their_ids(gateway):
    pipe = Pipe(gateway)
    pipe.hello()
    for number in range(40):
        pipe.ask(f"id-{number}", "tools/call", name="example__echo", arguments={"message": str(number)})
    answers = [pipe.answer() for _ in range(40)]
    assert {one["id"]: one["result"]["content"][0]["text"] for one in answers} == {f"id-{n}": str(n) for n in range(40)}
    out, errors = pipe.end()
    assert (out, errors, pipe.popen.returncode) == ("", "", 0)


def test_answers_come_after_the_end_of_the_input_too(gateway):
    pipe = Pipe(gateway)
    pipe.hello()
    pipe.ask(1, "tools/call", name="example__slow", arguments={"seconds": 1, "steps": 1})
    out, errors = pipe.end()
    assert json.loads(out.splitlines()[-1])["id"] == 1 and pipe.popen.returncode == 0, (out, errors)


def test_what_is_no_message_gets_an_error_and_the_bridge_goes_on(gateway):
    pipe = Pipe(gateway)
    pipe.say("hello?")
    assert pipe.answer()["error"]["code"] == -32700
    pipe.say("")
    pipe.hello()
    pipe.ask(7, "no/such")
    assert pipe.answer()["error"]["code"] == -32601
    pipe.end()


def test_where_the_token_comes_from(gateway):
    gateway.token("kept", "demo", "--rbac", "clone", "--save")
    saved = Pipe(gateway, token_file=False)
    saved.hello()
    saved.end()
    variable = Pipe(gateway, token_file=False, MCPCTL_TOKEN=gateway.token("by-variable"))
    variable.hello()
    variable.end()
    for words, more, code, text in ((["-p", "demo", "--token-file", "/none"], {}, 64, "no file"),
                                    (["-p", "other"], {}, 4, "no token is kept of project other"),
                                    (["-p", "demo"], {"MCPCTL_TOKEN": gateway.admin}, 64, "login session")):
        done = subprocess.run([str(MCPCTL), "mcp", *words], capture_output=True, text=True, input="",
                              env=environment(gateway, **more))
        assert done.returncode == code and text in done.stderr and gateway.admin not in done.stderr, done


# --- proxy

def test_a_client_without_any_header_lists_and_calls_over_sse(gateway):
    with proxy(gateway) as (port, _), NodeClient(gateway, None, "v1", place=f"http://127.0.0.1:{port}/sse") as client:
        calls(client)


def test_streamable_http_passes_in_both_eras(gateway):
    with proxy(gateway) as (port, _):
        for flavour in ("v1", "modern"):
            with NodeClient(gateway, None, flavour, place=f"http://127.0.0.1:{port}/mcp") as client:
                calls(client)


def test_two_sse_clients_have_their_own_answers(gateway):
    with proxy(gateway) as (port, _):
        place = f"http://127.0.0.1:{port}/sse"
        with NodeClient(gateway, None, "v1", place=place) as one, NodeClient(gateway, None, "v1", place=place) as other:
            for number in range(5):
                assert one.call("example__echo", message=f"one {number}")["text"] == f"one {number}"
                assert other.call("example__echo", message=f"other {number}")["text"] == f"other {number}"


def test_web_pages_and_foreign_names_are_refused(gateway):
    with proxy(gateway) as (port, process), Connection(port) as connection:
        for headers, status in (({"Origin": "http://127.0.0.1:%d" % port}, 403), ({"Origin": "null"}, 403),
                                ({"Host": "evil.example"}, 421), ({"Host": f"evil.example:{port}"}, 421),
                                ({"Host": f"127.0.0.1:{port + 1}"}, 421), ({"Host": "localhost"}, 200), ({}, 200)):
            answer = connection.request("GET", "/healthz", headers=headers)
            assert answer.status == status, (headers, answer)
        assert connection.request("GET", "/nothing").status == 404
        assert connection.request("POST", "/messages?session_id=x", "{}", {"Content-Type": "application/json"}).status == 404
        assert connection.request("PUT", "/mcp").status == 405
        assert "Every process of this machine may now use the token" in process.text()
        assert gateway.token_text not in process.text()


def test_only_loopback_may_be_listened_on(gateway):
    for place in ("0.0.0.0:0", "192.168.1.1:80", "example.com:1", "[::]:0", "nonsense", "70000"):
        done = subprocess.run([str(MCPCTL), "proxy", "-p", "demo", "--token-file", str(gateway.file), "--listen", place],
                              capture_output=True, text=True, env=environment(gateway), timeout=60)
        assert done.returncode == 64 and "--listen" in done.stderr, (place, done)


def test_a_refused_token_is_no_invitation_to_sign_in(gateway):
    gateway.file.write_text(gateway.token("short-lived") + "\n")
    with proxy(gateway) as (port, _), Connection(port) as connection:
        gateway.mcpctl("delete", "mcptoken", "short-lived", "-p", "demo")
        answer = connection.request("POST", "/mcp", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
                                    {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"})
        assert answer.status == 502 and answer.json["error"] == "invalid_token", answer
        assert "WWW-Authenticate" not in answer.headers
    gateway.file.write_text(gateway.token("agent3") + "\n")


def test_it_ends_at_once_with_streams_open(gateway):
    with proxy(gateway) as (port, process):
        with NodeClient(gateway, None, "v1", place=f"http://127.0.0.1:{port}/mcp") as client:
            client.do("list")  # it listens, too
            start = time.monotonic()
            process.popen.terminate()
            assert process.wait() == 0
            assert time.monotonic() - start < 30  # it would wait for its streams for ever
            client.popen.kill()
            client.popen.wait()
            client.popen.returncode = 0
