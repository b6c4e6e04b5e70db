"""Every feature between both eras of clients and both eras of servers, on both transports. docs/eras.md is what comes out."""

import os
import time
from contextlib import contextmanager

import wire
from harness import HERE, Gateway, until
from test_features import has

PAGE = HERE.parent.parent / "docs/eras.md"
SERVERS = {"legacy, stdio": "old", "legacy, HTTP": "oldweb", "modern, stdio": "new", "modern, HTTP": "newweb"}
CLIENTS = {"legacy": wire.Legacy, "modern": wire.Modern}
ABLE = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}


@contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example("old", era="legacy")
        gateway.example("new", era="modern")
        gateway.example_http("oldweb", era="legacy")
        gateway.example_http("newweb", era="modern")
        gateway.project("demo", *SERVERS.values())
        gateway.bearer = gateway.token("matrix")
        gateway.ready(gateway.bearer, *SERVERS.values())
        yield gateway


def plain_call(client, server, gateway):
    assert client.text(f"{server}__echo", {"message": "grüße"}) == "grüße"


def progress(client, server, gateway):
    heard = []
    params = {"name": f"{server}__slow", "arguments": {"seconds": 0.2, "steps": 4}, "_meta": {"progressToken": "mine"}}
    answer = client.request("tools/call", params, heard=heard)
    assert answer["result"]["content"][0]["text"] == "done in 4 steps", answer
    steps = [one["params"] for one in heard if one.get("method") == "notifications/progress"]
    assert [step["progress"] for step in steps] == [1, 2, 3, 4] and {step["progressToken"] for step in steps} == {"mine"}, heard


def cancel(client, server, gateway):
    log = gateway.logs / f"{server}.log"
    before = log.read_text().count("cancelled")
    with wire.Connection(gateway.port) as connection:
        params = {"name": f"{server}__slow", "arguments": {"seconds": 30, "steps": 3000}, "_meta": {"progressToken": 1}}
        stream = client.post(client.message("tools/call", params, id="long"), connection)
        assert stream.is_stream
        if isinstance(client, wire.Legacy):
            assert client.notify("notifications/cancelled", {"requestId": "long"}) == 202
            until(lambda: log.read_text().count("cancelled") > before)
        connection.cut()
    until(lambda: log.read_text().count("cancelled") > before, why=lambda: log.read_text()[-300:])


def asks(what, method, answer, *expected):
    def one(client, server, gateway):
        arguments = {"for": what, "message": "Who?"}
        message = client.message("tools/call", {"name": f"{server}__ask", "arguments": arguments})
        events = client.post(message)
        if isinstance(client, wire.Legacy):
            stream = iter(events)
            question = next(stream)
            assert question["method"] == method, question
            with wire.Connection(gateway.port) as other:
                assert client.deliver({"jsonrpc": "2.0", "id": question["id"], "result": answer}, other) == 202
            last = list(stream)[-1]
            assert what != "url" or question["params"]["elicitationId"], question
        else:
            result = list(events)[-1]["result"]
            assert result["resultType"] == "input_required", result
            (key, question), = result["inputRequests"].items()
            assert question["method"] == method, question
            again = {"inputResponses": {key: answer}, "requestState": result["requestState"]}
            last = client.request("tools/call", {"name": f"{server}__ask", "arguments": arguments} | again)
        text = last["result"]["content"][0]["text"]
        assert text.startswith("answer: ") and all(part in text for part in expected), last
    return one


def listens(client, server, gateway, wishes, watched, what, method, **params):
    with wire.Connection(gateway.port) as connection:
        if isinstance(client, wire.Legacy):
            stream = wire.Listener(client.listen(connection))
            if watched:
                assert "result" in client.request("resources/subscribe", {"uri": watched})
        else:
            stream = wire.Listener(client.listen(connection, **wishes))
            until(lambda: has(stream, "notifications/subscriptions/acknowledged"))

        def told():  # a legacy stream does not say from when on it hears
            client.text(f"{server}__change", {"what": what})
            time.sleep(0.1)
            return has(stream, method, **params)

        until(told, pause=0.2, why=lambda: stream.messages)
        connection.cut()


def list_changed(client, server, gateway):
    listens(client, server, gateway, {"toolsListChanged": True}, None, "tools", "notifications/tools/list_changed")


def resource_update(client, server, gateway):
    uri = f"m.{server}+example://notes"
    wishes = {"resourceSubscriptions": [uri]}
    listens(client, server, gateway, wishes, uri, "example://notes", "notifications/resources/updated", uri=uri)


ROWS = {
    "plain call": plain_call,
    "progress": progress,
    "cancellation": cancel,
    "elicitation, form": asks("form", "elicitation/create", {"action": "accept", "content": {"name": "Ada"}}, "Ada"),
    "elicitation, URL": asks("url", "elicitation/create", {"action": "accept"}, "accept"),
    "sampling": asks("sampling", "sampling/createMessage",
                     {"role": "assistant", "model": "m", "content": {"type": "text", "text": "Grace"}}, "Grace"),
    "roots": asks("roots", "roots/list", {"roots": [{"uri": "file:///work"}]}, "file:///work"),
    "list changed": list_changed,
    "resource updated": resource_update,
}


def cell(gateway, row, client, server):
    # A process of the legacy era is another one for who can be asked: what it tells unasked is heard by who cannot.
    able = None if ROWS[row] in (list_changed, resource_update) else ABLE
    try:
        ROWS[row](CLIENTS[client](gateway.port, gateway.bearer, capabilities=able), SERVERS[server], gateway)
        return "yes"
    except Exception as error:  # the whole table is worth more than its first failure
        print(f"{row}, {client} client, {server}: {type(error).__name__}: {error}")
        return "NO"


def test_every_cell(gateway):
    columns = [(client, server) for client in CLIENTS for server in SERVERS]
    lines = ["# Clients and servers of both eras", "",
             "What works through the gateway between clients of revision 2025-11-25 (legacy) and 2026-07-28 (modern) and servers of",
             "both, on stdio and Streamable HTTP. Written by `tests/e2e/test_matrix.py`, which tries each cell against a running",
             "`mcpd`.", "",
             "| | " + " | ".join(f"{client} client, {server} server" for client, server in columns) + " |",
             "|---" * (len(columns) + 1) + "|"]
    for row in ROWS:
        lines.append(f"| {row} | " + " | ".join(cell(gateway, row, *column) for column in columns) + " |")
    text = "\n".join(lines) + "\n"
    if os.environ.get("MCPTOKEN_WRITE"):
        PAGE.write_text(text)
    assert "| NO " not in text, text
    assert PAGE.read_text() == text, "docs/eras.md is out of date: run this with MCPTOKEN_WRITE=1"
