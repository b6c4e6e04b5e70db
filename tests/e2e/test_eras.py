"""What belongs to one era, or to one hop, and must not reach the other side as it is: states, tasks, ids of elicitations, line ends; and
what a legacy server says about its own questions, which must."""

import json
import threading
from contextlib import contextmanager

import doubles
from harness import Gateway, until
from wire import LEGACY, MODERN, Connection, Legacy, Modern

ANY = {"type": "object"}
TOOLS = "say", "again", "ask", "url", "refuse", "more"
ASKING = {"message": "Your name?", "requestedSchema": {"type": "object", "properties": {}}}
BY_URL = {"mode": "url", "url": "https://example.org/x", "message": "Sign in", "elicitationId": "el-1"}


class Server(doubles.Handler):
    """/old asks on the call's stream, /new by its answers; what calls come with is in `seen`, answers to questions in `replies`."""

    seen, replies = [], []
    sessions = 0  # the number of the one session that it knows
    proceed = threading.Event()

    def do_POST(self):
        message = self.message()
        method = message.get("method")
        if method is None:
            self.replies.append(message)
        if method is None or "id" not in message:
            return self.plain(202)
        is_new = self.path == "/new"
        lead = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if is_new else {}
        own = {"capabilities": {"tools": {}}, "serverInfo": {"name": "eras", "version": "1"}}
        if method == ("initialize" if is_new else "server/discover"):
            return self.plain(404)
        if method == "server/discover":
            return self.result(message, lead | own | {"supportedVersions": [MODERN]})
        if method == "initialize":
            Server.sessions += 1
            return self.result(message, own | {"protocolVersion": LEGACY}, f"s{Server.sessions}")
        if not is_new and self.headers["Mcp-Session-Id"] != f"s{self.sessions}":
            return self.refused("Bad Request: No valid session ID provided")
        if method == "tools/list":
            return self.result(message, lead | {"tools": [{"name": name, "inputSchema": ANY} for name in TOOLS]})
        if method != "tools/call":
            return self.result(message, lead)
        self.seen.append(message["params"])
        getattr(self, message["params"]["name"])(message, lead)

    def refused(self, text):
        """As the reference servers refuse what they have not read."""
        self.plain(400, json.dumps({"jsonrpc": "2.0", "error": {"code": -32000, "message": text}, "id": None}).encode())

    def refuse(self, message, lead):
        self.refused("Bad Request: no")

    def more(self, message, lead):
        """Members that JSON-RPC has not."""
        extra = {"x-extra": {"a": 1}, "_meta": {}}
        self.stream()
        self.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}} | extra)
        self.event({"x-first": 1, "jsonrpc": "2.0", "id": message["id"], "result": lead | {"content": [], "x-kept": 2}} | extra)

    def say(self, message, lead):
        self.result(message, lead | {"content": [{"type": "text", "text": "said"}]})

    def again(self, message, lead):
        """Wants its state back, and no answer of anybody."""
        if "requestState" in message["params"]:
            return self.say(message, lead)
        self.result(message, {"resultType": "input_required", "requestState": "S"})

    def ask(self, message, lead):
        self.stream()
        self.event({"jsonrpc": "2.0", "id": "u1", "method": "elicitation/create", "params": ASKING})
        assert self.proceed.wait(30)
        self.event({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "u1", "reason": "no need"}})
        self.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})

    def url(self, message, lead):
        count = len(self.replies)
        self.stream()
        self.event({"jsonrpc": "2.0", "id": "u2", "method": "elicitation/create", "params": BY_URL})
        until(lambda: len(self.replies) > count)
        self.event({"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {"elicitationId": "el-1"}})
        self.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})

    def event(self, message):
        self.wfile.write(b"data: " + json.dumps(message).encode() + b"\n\n")
        self.wfile.flush()


@contextmanager
def fixture():
    with doubles.serving(Server) as server, Gateway() as gateway:
        for name in ("old", "new"):
            gateway.http(name, server.server_port, path=f"/{name}")
        gateway.example("pipe", era="legacy")
        gateway.project("demo", "old", "new", "pipe")
        gateway.bearer = gateway.token("t")
        gateway.ready(gateway.bearer, "old", "new", "pipe")
        yield gateway


def legacy(gateway, **capabilities):
    return Legacy(gateway.port, gateway.bearer, capabilities=capabilities)


def call(client, name, **params):
    return client.request("tools/call", {"name": name, "arguments": {}} | params)


def test_a_state_of_a_legacy_client_reaches_no_server(gateway):
    stolen = {"requestState": "S", "inputResponses": {"k": {"action": "accept"}}}
    assert "result" in call(legacy(gateway, elicitation={}), "new__say", **stolen)
    assert not stolen.keys() & Server.seen[-1].keys(), Server.seen[-1]
    count = len(Server.seen)
    assert call(Modern(gateway.port, gateway.bearer), "new__say", **stolen)["error"]["code"] == -32602
    assert len(Server.seen) == count


def test_a_server_that_wants_its_state_back_gets_it_from_any_legacy_client(gateway):
    for capabilities in ({}, {"elicitation": {}}):
        answer = call(legacy(gateway, **capabilities), "new__again")
        assert answer["result"] == {"content": [{"type": "text", "text": "said"}]}, answer
        assert Server.seen[-1]["requestState"] == "S"


def test_who_asks_for_a_task_gets_the_plain_call(gateway):
    for client in (legacy(gateway), Modern(gateway.port, gateway.bearer)):
        for server in ("old", "new"):
            assert "result" in call(client, f"{server}__say", task={"ttl": 60_000})
            assert "task" not in Server.seen[-1], Server.seen[-1]


def events_of(client, name, answer=None):
    """What comes on the stream of a call; `answer`: to the question."""
    out = []
    with Connection(client.port) as connection, Connection(client.port) as other:
        for event in client.post(client.message("tools/call", {"name": name, "arguments": {}}), connection):
            out.append(event)
            if event.get("method") == "elicitation/create":
                Server.proceed.set()
                if answer:
                    assert client.deliver({"jsonrpc": "2.0", "id": event["id"], "result": answer}, other) == 202
    return out


def test_a_question_that_the_server_withdraws_is_withdrawn_from_the_client(gateway):
    Server.proceed.clear()
    question, withdrawal, answer = events_of(legacy(gateway, elicitation={}), "old__ask")
    assert withdrawal == {"jsonrpc": "2.0", "method": "notifications/cancelled",
                          "params": {"requestId": question["id"], "reason": "no need"}}, withdrawal
    assert answer["result"] == {"content": []}


def test_a_legacy_client_hears_that_an_elicitation_by_url_is_complete(gateway):
    client = legacy(gateway, elicitation={"url": {}})
    question, complete, answer = events_of(client, "old__url", {"action": "accept"})
    assert question["params"] == BY_URL
    assert complete == {"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {"elicitationId": "el-1"}}


def test_a_modern_client_sees_no_id_of_an_elicitation(gateway):
    client = Modern(gateway.port, gateway.bearer, capabilities={"elicitation": {"url": {}}})
    asked = call(client, "old__url")["result"]
    assert [one["params"] for one in asked["inputRequests"].values()] == [{key: BY_URL[key] for key in ("mode", "url", "message")}]
    responses = {key: {"action": "accept"} for key in asked["inputRequests"]}
    assert "result" in call(client, "old__url", requestState=asked["requestState"], inputResponses=responses)


def test_a_message_over_several_lines_is_one_line_to_a_server_on_a_pipe(gateway):
    for client in (legacy(gateway), Modern(gateway.port, gateway.bearer)):
        message = client.message("tools/call", {"name": "pipe__echo", "arguments": {"message": "two\nlines"}})
        body = json.dumps(message, indent=2).replace("\n", "\r\n")
        with Connection(gateway.port) as connection:
            answer = connection.request("POST", client.path, body, client.fields(message))
        assert json.loads(answer.body)["result"]["content"] == [{"type": "text", "text": "two\nlines"}], answer.body


def test_a_server_that_has_forgotten_the_session_and_answers_400_is_initialised_again(gateway):
    client = legacy(gateway)
    assert "result" in call(client, "old__say")
    Server.sessions += 1
    assert "result" in call(client, "old__say")
    before = Server.sessions
    assert call(client, "old__refuse")["error"]["message"] == "Bad Request: no"
    assert Server.sessions == before


def test_the_envelope_has_the_members_of_json_rpc_alone(gateway):
    for server in ("old", "new"):
        log, answer = events_of(legacy(gateway), f"{server}__more")
        assert log == {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}, log
        assert answer.keys() == {"jsonrpc", "id", "result"} and answer["result"] == {"content": [], "x-kept": 2}, answer
