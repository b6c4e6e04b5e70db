"""Servers that answer a call in ways in which nobody should: the client gets one answer, which is right or an error, a list
is filtered whatever stands around it, and the next call goes through."""

import json
import time
from contextlib import contextmanager

import doubles
import wire
from harness import Gateway, until
from wire import LEGACY

TOOLS = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("call", "secret")]}
RIGHT = {"content": [{"type": "text", "text": "right"}]}
WRONG = {"content": [{"type": "text", "text": "wrong"}]}
LATE_S, FIRST_BYTE_MS = 1.5, 500


def said(id, **more):
    return {"jsonrpc": "2.0", "id": id, **more}


def stream(*messages):
    """An event stream of messages, or of text that is none."""
    return 200, "text/event-stream", "".join(
        f"data: {one if isinstance(one, str) else json.dumps(one)}\n\n" for one in messages)


def plain(text, status=200, kind="application/json"):
    return status, kind, text if isinstance(text, str) else json.dumps(text)


def behind_escapes(id, right):
    """The one member of the result twice, under two spellings of its name."""
    name = next(iter(right))
    return json.dumps(said(id, result=right))[:-2] + f', "\\u{ord(name[0]):04x}{name[1:]}": {json.dumps(WRONG["content"])}}}}}'


NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
# name of the server, what it answers a request with that id with, what of it reaches the client: None for an error
ANSWERS = {
    "right": (lambda id, right: plain(said(id, result=right)), "right"),
    "redirect": (lambda id, right: plain("", 302), None),
    "failed": (lambda id, right: plain(said(id, result=WRONG), 500), None),
    "gone": (lambda id, right: plain(said(id, result=WRONG), 404), None),
    "html": (lambda id, right: plain(said(id, result=right), kind="text/html"), None),
    "other-id": (lambda id, right: plain(said(999, result=WRONG)), None),
    "id-as-text": (lambda id, right: plain(said(str(id), result=WRONG)), None),
    "no-id": (lambda id, right: plain({"jsonrpc": "2.0", "result": WRONG}), None),
    "both": (lambda id, right: plain(said(id, result=WRONG, error={"code": 1, "message": "x"})), None),
    "neither": (lambda id, right: plain(said(id)), None),
    "result-is-text": (lambda id, right: plain(said(id, result="wrong")), None),
    "list": (lambda id, right: plain([said(id, result=WRONG)]), None),
    "nul-behind": (lambda id, right: plain(json.dumps(said(id, result=WRONG)) + "\0"), None),
    "half": (lambda id, right: plain(json.dumps(said(id, result=WRONG))[:-3]), None),
    "request": (lambda id, right: plain(said(id, method="ping", result=WRONG)), None),
    "nothing": (lambda id, right: stream(), None),
    "note-alone": (lambda id, right: stream(NOTE), None),
    "text-first": (lambda id, right: stream("no JSON", said(id, result=right)), "right"),
    "note-first": (lambda id, right: stream(NOTE, said(id, result=right)), "right"),
    "other-first": (lambda id, right: stream(said(999, result=WRONG), said(id, result=right)), "right"),
    "smuggled": (lambda id, right: stream(NOTE | {"result": WRONG}, said(id, result=right)), "right"),
    "escapes": (lambda id, right: plain(said(id, result={"caf\u00e9": 1, "a\"b": 2} | right)), "right"),
    "behind-escapes": (lambda id, right: plain(behind_escapes(id, right)), None),
    "unreadable": (lambda id, right: stream(said(id, result=WRONG | {"n": float("nan")}), said(id, result=right)), None),
    "unreadable-note": (lambda id, right: stream(NOTE | {"params": float("nan")}, said(id, result=right)), "right"),
    "twice": (lambda id, right: stream(said(id, result=right), said(id, result=WRONG)), "right"),
}


class Server(doubles.Silent):
    """/NAME answers initialize as it should, and everything else as ANSWERS has it; /late after the deadline."""

    def do_POST(self):
        message, name = self.message(), self.path[1:]
        if message["method"] == "initialize":
            return self.result(message, {"protocolVersion": LEGACY, "capabilities": {"tools": {}},
                                         "serverInfo": {"name": name, "version": "1"}}, f"session-{name}")
        if "id" not in message:
            return self.plain(202)
        if message["method"] == "server/discover":
            return self.plain(404)
        right = TOOLS if message["method"] == "tools/list" else RIGHT
        if name == "late" and message["method"] == "tools/call":
            time.sleep(LATE_S)
        answer = ANSWERS.get(name, ANSWERS["right"])[0]
        status, kind, text = answer(message["id"], right)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/right")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def fixture():
    with doubles.serving(Server) as server, Gateway() as gateway:
        names = [*ANSWERS, "late"]
        for name in names:
            gateway.http(name, server.server_port, path=f"/{name}")
        gateway.rest("PATCH", "servers/late", {"timeouts": {"firstByteMs": FIRST_BYTE_MS}})
        gateway.project("demo", *names)
        gateway.bearer = gateway.token("t")
        yield gateway


def outcome(answer):
    if "error" in answer:
        return None
    return answer["result"]["content"][0]["text"]


def test_a_call_has_one_answer(gateway):
    for kind in (wire.Legacy, wire.Modern):
        client = kind(gateway.port, gateway.bearer)
        for name, (_, wanted) in ANSWERS.items():
            messages = list(client.post(client.message("tools/call", {"name": f"{name}__call", "arguments": {}}, id=77)))
            answers = [one for one in messages if one.get("id") == 77]
            assert len(answers) == 1 and messages[-1] is answers[0], (name, messages)
            assert outcome(answers[0]) == wanted, (name, messages)
            told = json.dumps(messages)
            assert wanted or f"{name}: " in answers[0]["error"]["message"], (name, messages)  # whose fault it is
            assert "127.0.0.1" not in told and "wrong" not in told, (name, messages)


def test_an_answer_that_nobody_can_read_is_no_sign_that_the_server_is_away(gateway):
    client = wire.Modern(gateway.port, gateway.bearer)
    for _ in range(8):
        assert "is not a JSON-RPC response" in client.call("unreadable__call")["error"]["message"]
    assert {one["circuit"] for one in gateway.rest("GET", "instances?server=unreadable").json["items"]} == {"closed"}


def test_what_comes_too_late_is_nobodys_answer(gateway):
    for kind in (wire.Legacy, wire.Modern):
        client = kind(gateway.port, gateway.bearer)
        late = client.call("late__call")
        assert "late: " in late["error"]["message"], late
        end = time.monotonic() + 2 * LATE_S  # while what was too late arrives
        while time.monotonic() < end:
            assert outcome(client.call("right__call")) == "right"


def test_lists_are_filtered_whatever_stands_around_them(gateway):
    """Who may call one tool sees one, of each server that can be understood; the others are named."""
    bindings = [word for name in (*ANSWERS, "late") for word in ("--bind", f"role:run,resource:tools,name:{name}/call")]
    token = gateway.token("narrow", "demo", *bindings)
    fine = [name for name, (_, wanted) in ANSWERS.items() if wanted] + ["late"]
    for kind in (wire.Legacy, wire.Modern):
        client = kind(gateway.port, token)
        wanted = sorted(f"{name}__call" for name in fine)
        until(lambda: sorted(client.tools()) == wanted, pause=0.2, why=client.tools)  # noqa: B023
        listed = client.request("tools/list", {})["result"]
        assert sorted(listed["_meta"]["io.mcptoken/unavailable"]) == sorted(set(ANSWERS) - set(fine)), listed["_meta"]
        assert "secret" not in json.dumps(listed) and "error" in client.call("right__secret")
