"""What a server says beside and inside its answers, and what of it a client of each era may be told: servers that say too
much, too often, or what that client cannot read."""

import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import doubles
import wire
from harness import Gateway, until
from wire import LEGACY, MODERN

STORM = 3000
SERVERS = ("old", "new")  # by era
NUMBERS = [1, 1, 0.5, "2", None, 2.5, 2, 1e300, 7]
TOOLS = [
    *({"name": name, "inputSchema": {"type": "object"}} for name in ("progress", "hang", "plain", "pings", "changes", "other-events")),
    {"name": "list", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}, "title": "kept"},
    {"name": "object", "outputSchema": {"type": "object"}, "inputSchema": {"type": "object"}},
]
SAMPLING = {"messages": [], "maxTokens": 1, "tools": [{"name": "x", "inputSchema": {"type": "object"}}]}
# Stops listening to us after the first answer.
DEAF = """
import json, os, sys, time
for line in sys.stdin:
    message = json.loads(line)
    results = {"initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "d", "version": "1"}},
               "tools/list": {"tools": [{"name": "pid", "inputSchema": {"type": "object"}}]},
               "tools/call": {"content": [{"type": "text", "text": str(os.getpid())}]}}
    if "id" not in message:
        continue
    said = results.get(message["method"])
    body = {"result": said} if said else {"error": {"code": -32601, "message": "no"}}
    if message["method"] == "tools/call":
        os.close(0)
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}), flush=True)
    if message["method"] == "tools/call":
        time.sleep(600)
"""


class Server(doubles.Handler):
    """/old and /new, by era."""

    def do_POST(self):
        message, era = self.message(), self.path[1:]
        method, id = message.get("method"), message.get("id")
        if method == "notifications/cancelled":
            self.server.cancelled.append(message["params"])
        if method is None:
            self.server.replies += 1
        if method is None or id is None:
            return self.plain(202)
        lead = {"resultType": "complete"} if era == "new" else {}
        if method == "server/discover" and era == "new":
            lead |= {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "serverInfo": {"name": "n", "version": "1"}}
            return self.result(message, lead | {"ttlMs": 0, "cacheScope": "private"})
        if method == "initialize" and era == "old":
            capabilities = {"tools": {"listChanged": True}, "prompts": {}, "completions": {}}
            return self.result(message, {"protocolVersion": LEGACY, "capabilities": capabilities,
                                         "serverInfo": {"name": "o", "version": "1"}}, "session")
        if method == "tools/list":
            return self.result(message, lead | {"tools": TOOLS} | ({"ttlMs": 0, "cacheScope": "private"} if lead else {}))
        if method == "completion/complete":
            return self.result(message, lead | {"completion": {"values": [f"v{n}" for n in range(150)], "total": 150, "hasMore": False}})
        if method == "tools/call":
            return getattr(self, "tool_" + message["params"]["name"].replace("-", "_"))(message, lead)
        return self.plain(404)

    def do_GET(self):
        if self.path != "/old":
            return self.plain(405)
        self.stream()
        self.server.listens = True
        while not self.server.storm:
            time.sleep(0.02)
        self.events(*[{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}] * STORM)
        while self.server.storm:
            time.sleep(0.02)
        return None

    def do_DELETE(self):
        self.plain(204)

    def events(self, *messages):
        self.wfile.write("".join(one if isinstance(one, str) else f"data: {json.dumps(one)}\n\n" for one in messages).encode())

    def say(self, message, result, *before):
        self.stream()
        self.events(*before, {"jsonrpc": "2.0", "id": message["id"], "result": result})

    def tool_progress(self, message, lead):
        token = message["params"]["_meta"]["progressToken"]
        notes = [{"progressToken": token, "progress": one} for one in NUMBERS]
        notes.insert(1, {"progressToken": "another", "progress": 2})
        notes.insert(1, {"progressToken": str(token), "progress": 2.2})
        said = [{"jsonrpc": "2.0", "method": "notifications/progress", "params": one} for one in notes]
        self.say(message, lead | {"content": []}, *said)

    def tool_hang(self, message, lead):
        self.stream()
        self.server.hanging = True
        while self.server.hanging:
            time.sleep(0.02)

    def tool_plain(self, message, lead):
        self.say(message, lead | {"content": [{"type": "text", "text": "right"}]})

    def tool_pings(self, message, lead):
        self.say(message, lead | {"content": []}, *[{"jsonrpc": "2.0", "id": f"p{n}", "method": "ping"} for n in range(STORM)])

    def tool_other_events(self, message, lead):
        wrong = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": [{"type": "text", "text": "wrong"}]}}
        self.say(message, lead | {"content": [{"type": "text", "text": "right"}]}, f"event: note\ndata: {json.dumps(wrong)}\n\n")

    def tool_list(self, message, lead):
        link = {"type": "resource_link", "uri": "x:y", "name": "n"}
        content = {"none": [], "link": [link], "text": [{"type": "text", "text": "[1.0]"}, link]}[message["params"]["arguments"]["content"]]
        structured = b'[ 1.0, "\\u00e9" ]'  # as it was written
        said = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": lead | {"structuredContent": 0, "content": content}})
        self.plain(200, said.encode().replace(b'"structuredContent": 0', b'"structuredContent": ' + structured))

    def tool_object(self, message, lead):
        if lead and "inputResponses" not in message["params"]:
            asked = {"s": {"method": "sampling/createMessage", "params": SAMPLING}}
            return self.result(message, {"resultType": "input_required", "inputRequests": asked})
        replies = self.server.replies
        self.stream()
        if not lead:
            self.events({"jsonrpc": "2.0", "id": "ask", "method": "sampling/createMessage", "params": SAMPLING})
        end = time.monotonic() + 5
        while not lead and self.server.replies == replies and time.monotonic() < end:
            time.sleep(0.02)
        return self.events({"jsonrpc": "2.0", "id": message["id"], "result": lead | {"content": [], "structuredContent": {"a": 1}}})


@contextmanager
def fixture():
    with doubles.serving(Server) as server, Gateway() as gateway:
        server.cancelled, server.replies, server.listens, server.storm, server.hanging = [], 0, False, False, False
        for name in SERVERS:
            gateway.http(name, server.server_port, path=f"/{name}")
        gateway.project("demo", *SERVERS)
        gateway.bearer = gateway.token("t")
        gateway.server = server
        yield gateway


def clients(gateway, **options):
    return [kind(gateway.port, gateway.bearer, **options) for kind in (wire.Legacy, wire.Modern)]


def test_progress_grows_and_is_the_calls_own(gateway):
    for client in clients(gateway):
        for server in SERVERS:
            heard = []
            client.request("tools/call", {"name": f"{server}__progress", "arguments": {}, "_meta": {"progressToken": "mine"}}, heard=heard)
            told = [one["params"] for one in heard]
            assert [one["progress"] for one in told] == [1, 2.5, 1e300], told
            assert {one["progressToken"] for one in told} == {"mine"}, told


def test_a_clients_reason_to_cancel_is_passed_on(gateway):
    client = wire.Legacy(gateway.port, gateway.bearer)
    for reason in ("not needed any more \u00e9", None, "x" * 5000):
        gateway.server.cancelled.clear()
        gateway.server.hanging = False
        with wire.Connection(gateway.port) as connection:
            call = client.message("tools/call", {"name": "old__hang"}, id="h")
            connection.send("POST", client.path, json.dumps(call), client.fields(None))
            until(lambda: gateway.server.hanging)
            assert client.notify("notifications/cancelled", {"requestId": "h"} | ({"reason": reason} if reason else {})) == 202
            until(lambda: gateway.server.cancelled)
        told = gateway.server.cancelled[0].get("reason")
        assert told == (reason if reason and len(reason) < 1000 else None), told
    gateway.server.hanging = False


def test_a_completion_has_a_hundred_values(gateway):
    ref = {"type": "ref/prompt", "name": "old__p"}
    for client in clients(gateway):
        completion = client.request("completion/complete", {"ref": ref, "argument": {"name": "a", "value": ""}})["result"]["completion"]
        assert completion == {"values": [f"v{n}" for n in range(100)], "total": 150, "hasMore": True}, completion


def test_output_that_a_legacy_client_cannot_read(gateway):
    """Up to 2025-11-25 structured content and its schema are objects, and clients refuse whole lists for a schema that is not."""
    legacy, modern = clients(gateway)
    for client in (legacy, modern):
        tools = {tool["name"]: tool for tool in client.request("tools/list", {})["result"]["tools"]}
        for server in SERVERS:
            assert ("outputSchema" in tools[f"{server}__list"]) == (client is modern), tools
            assert tools[f"{server}__list"]["title"] == "kept" and tools[f"{server}__object"]["outputSchema"] == {"type": "object"}
            for content, texts in (("none", ['[ 1.0, "\\u00e9" ]']), ("link", ['[ 1.0, "\\u00e9" ]']), ("text", ["[1.0]"])):
                result = client.call(f"{server}__list", {"content": content})["result"]
                told = [one["text"] for one in result["content"] if one["type"] == "text"]
                uris = [one["uri"] for one in result["content"] if one["type"] == "resource_link"]
                assert uris == ([] if content == "none" else [f"m.{server}+x:y"]), result
                if client is modern:
                    assert result["structuredContent"] == [1.0, "\u00e9"] and told == (["[1.0]"] if content == "text" else []), result
                else:
                    assert "structuredContent" not in result and told == texts, result


def test_sampling_with_tools_is_for_those_who_can(gateway):
    for declared, can in (({"sampling": {}}, False), ({"sampling": {"tools": {}}}, True)):
        legacy, modern = clients(gateway, capabilities=declared)
        for server in SERVERS:
            answer = modern.call(f"{server}__object")
            assert (answer.get("result", {}).get("resultType") == "input_required") == can, answer
            with wire.Connection(gateway.port) as connection:
                first = next(iter(legacy.post(legacy.message("tools/call", {"name": f"{server}__object", "arguments": {}}), connection)))
            assert (first.get("method") == "sampling/createMessage") == can, first


def test_events_of_other_types_are_no_messages(gateway):
    for client in clients(gateway):
        for server in SERVERS:
            assert client.text(f"{server}__other-events") == "right"


def test_a_server_that_asks_without_end_takes_no_connection_for_each_answer(gateway):
    folder = Path(f"/proc/{gateway.process.pid}/fd")
    client = wire.Modern(gateway.port, gateway.bearer)
    client.text("old__plain")
    before, most = len(list(folder.iterdir())), 0
    gateway.server.replies = 0
    with wire.Connection(gateway.port) as connection:
        listener = wire.Listener(client.post(client.message("tools/call", {"name": "old__pings", "arguments": {}}), connection))
        while listener.ended_at is None or time.monotonic() < listener.ended_at + 2:
            most = max(most, len(list(folder.iterdir())))
    assert "result" in listener.messages[-1], listener.messages
    until(lambda: gateway.server.replies > 0)
    # 64 answers; a connection that is being made takes three descriptors.
    assert most - before < 300 and gateway.server.replies < STORM, (before, most, gateway.server.replies)
    client.text("old__plain")


def test_a_list_that_changes_without_end_is_told_of_now_and_then(gateway):
    client = wire.Legacy(gateway.port, gateway.bearer)
    with wire.Connection(gateway.port) as connection:
        listener = wire.Listener(client.listen(connection))
        until(lambda: gateway.server.listens)
        gateway.server.storm = True
        changed = lambda: [one for one in listener.messages if one["method"] == "notifications/tools/list_changed"]  # noqa: E731
        until(lambda: len(changed()) >= 2, 5, why=changed)  # at once, and when it was over
        time.sleep(0.5)
        assert len(changed()) < STORM / 20, len(changed())
        count = len(changed())
        time.sleep(0.3)
        assert len(changed()) == count
        gateway.server.storm = False


def test_a_process_that_listens_no_more_is_replaced(gateway):
    gateway.stdio("deaf", sys.executable, "-c", DEAF)
    gateway.project("other", "deaf")
    client = wire.Modern(gateway.port, gateway.token("o", "other"), "other")
    first = client.text("deaf__pid")

    def another():
        answer = client.call("deaf__pid")
        return "result" in answer and answer["result"]["content"][0]["text"]

    assert until(another, pause=0.2) != first
