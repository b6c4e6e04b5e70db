"""The stream of what MCP clients say and are answered: who hears what of it, and what nobody does."""

import contextlib
import json
import time

import wire
from harness import EMAIL, EXAMPLE, PASSWORD, Gateway, until

SECRET = "s3cr3t-of-the-server-4711"


@contextlib.contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.mcpctl("create", "secret", "key", "--data", f"value={SECRET}")
        gateway.stdio("example", EXAMPLE, "--stdio", flags=("--env", "KEY=secret:key/value"))
        gateway.project("demo", "example")
        gateway.project("other", "example")
        gateway.agent = gateway.token("agent")
        gateway.ready(gateway.agent, "example")
        yield gateway


def call(gateway, message, tool="example__echo"):
    client = wire.Modern(gateway.port, gateway.agent)
    with client.connection:
        return client.call(tool, {"message": message})


def listen(gateway, bearer, query=""):
    connection = wire.Connection(gateway.port)
    connection.send("GET", "/api/v1/traffic" + query, headers={"Authorization": f"Bearer {bearer}"})
    return wire.Listener(connection.events())


def user(gateway, email, *bindings):
    gateway.mcpctl("create", "user", email, "--password-stdin", input=PASSWORD)
    words = [word for binding in bindings for word in ("--roleBindings", binding)]
    gateway.mcpctl("create", "rbac", email.split("@")[0], "--subject", f"User:{email}", *words)
    return gateway.rest("POST", "auth/login", {"email": email, "password": PASSWORD}, bearer=None).json["token"]


VIEW = "role:view,resource:audit,name:demo"


def test_who_may_watch_what(gateway):
    bearers = {
        "admin": gateway.admin,
        "reader": user(gateway, "reader@example.com", VIEW),
        "both": user(gateway, "both@example.com", VIEW, "action:logs"),
        "editor": user(gateway, "editor@example.com", VIEW, "role:edit,resource:projects,name:demo"),
        "foreign": user(gateway, "foreign@example.com", "role:view,resource:audit,name:other", "action:logs"),
    }
    for nobody in (user(gateway, "logs@example.com", "action:logs"), user(gateway, "nobody@example.com", "role:view,resource:servers"),
                   gateway.agent):
        assert gateway.rest("GET", "traffic", bearer=nobody).status == 403
    assert gateway.rest("GET", "traffic", bearer=None).status == 401
    assert gateway.rest("GET", "traffic?x=1").status == 400
    heard = {name: listen(gateway, bearer) for name, bearer in bearers.items()}
    heard["elsewhere"] = listen(gateway, gateway.admin, "?project=other")

    def everybody():
        call(gateway, "words of a user")
        return all(heard[name].messages for name in ("admin", "reader", "both", "editor"))
    until(everybody, pause=0.2)
    assert not heard["foreign"].messages and not heard["elsewhere"].messages
    for name in ("admin", "both"):
        one = heard[name].messages[-1]
        assert one["request"]["params"]["arguments"] == {"message": "words of a user"}, one
        assert one["answer"]["result"]["content"][0]["text"] == "words of a user", one
    for name in ("reader", "editor"):
        assert "words of a user" not in json.dumps(heard[name].messages)
        one = heard[name].messages[-1]
        assert "request" not in one and "answer" not in one
        assert [one[key] for key in ("project", "tokenName", "method", "name", "outcome", "user", "status")] == \
            ["demo", "agent", "tools/call", "example__echo", "ok", EMAIL, 200], one
        assert one["durationMs"] >= 0 and one["requestId"]
    # Who loses the right hears no more; who ends his session loses the stream.
    gateway.mcpctl("delete", "rbac", "reader")
    call(gateway, "more")
    more = lambda: [one["requestId"] for one in heard["admin"].messages if "more" in json.dumps(one)]  # noqa: E731
    until(more)
    gateway.rest("POST", "auth/logout", bearer=bearers["both"])
    heard["both"].end()
    assert more()[0] not in [one["requestId"] for one in heard["reader"].messages]


def test_no_secret_of_a_server_is_told_and_no_credential(gateway):
    heard = listen(gateway, gateway.admin)
    spare = gateway.token("spare")

    def told():
        call(gateway, f"the key is {SECRET}, the token {spare}")
        return heard.messages
    until(told, pause=0.2)
    call(gateway, "x", tool=f"example__{SECRET}")
    until(lambda: any(one["outcome"] == "protocol error" for one in heard.messages))
    text = json.dumps(heard.messages)
    assert SECRET not in text and spare not in text and gateway.agent not in text, text
    first = heard.messages[0]
    assert first["request"]["params"]["arguments"]["message"].startswith("the key is [redacted], the token mcpctl_pat_[redacted]"), first
    assert "[redacted]" in first["answer"]["result"]["content"][0]["text"], first


def test_long_texts_are_told_by_their_size(gateway):
    heard = listen(gateway, gateway.admin)

    def told():
        call(gateway, "x" * 70_000)
        return heard.messages
    until(told, pause=0.2)
    one = heard.messages[-1]
    assert one["requestBytes"] > 70_000 and one["answerBytes"] > 70_000 and "request" not in one and "answer" not in one, one.keys()


def test_refusals_and_legacy_sessions(gateway):
    heard = listen(gateway, gateway.admin)

    def told():
        client = wire.Legacy(gateway.port, gateway.agent)
        client.request("tools/call", {"name": "example__fail", "arguments": {}})
        client.connection.close()
        return heard.messages
    until(told, pause=0.2)
    until(lambda: any(one["outcome"] == "tool error" for one in heard.messages))
    last = [one for one in heard.messages if one["outcome"] == "tool error"][-1]
    opened = [one for one in heard.messages if one["method"] == "initialize" and one["session"] == last["session"]]
    assert last["session"] and len(opened) == 1, heard.messages
    with wire.Connection(gateway.port) as connection:
        connection.request("POST", "/projects/demo/mcp", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
                           {"Authorization": f"Bearer {gateway.agent}", "Content-Type": "application/json",
                            "Accept": "application/json, text/event-stream", "Mcp-Session-Id": "no-such"})
    until(lambda: any(one["status"] == 404 for one in heard.messages), why=lambda: str(heard.messages))


def test_numbers_and_values_of_before_are_not_told(gateway):
    """An instance may say what its secret was when it began, and JSON may hold it as a number."""
    gateway.mcpctl("create", "secret", "pin", "--data", "value=48151623")
    gateway.stdio("figures", EXAMPLE, "--stdio", flags=("--env", "PIN=secret:pin/value"))
    gateway.project("figures", "figures")
    token = gateway.token("counter", "figures")
    gateway.ready(token, "figures", project="figures")
    heard = listen(gateway, gateway.admin, "?project=figures")

    def say(message, **more):
        client = wire.Modern(gateway.port, token, "figures")
        before = len(heard.messages)
        with client.connection:
            client.call("figures__echo", {"message": message, **more})
        until(lambda: [one for one in heard.messages[before:] if one["method"] == "tools/call"], why=lambda: heard.messages)
        return [one for one in heard.messages[before:] if one["method"] == "tools/call"][-1]

    def all_told():  # by whatever loop they are served
        before, calls = len(heard.messages), 8
        for _ in range(calls):
            client = wire.Modern(gateway.port, token, "figures")
            with client.connection:
                client.call("figures__echo", {"message": "warm up"})
        time.sleep(0.5)
        return len(heard.messages) == before + calls

    until(all_told)
    told = say("x", pin=48151623, near=48151624, list=[[48151623]])["request"]["params"]["arguments"]
    assert told == {"message": "x", "pin": "[redacted]", "near": 48151624, "list": [["[redacted]"]]}, told
    gateway.mcpctl("patch", "secret", "pin", 'data={"value":"another-value-99"}')
    gateway.ready(token, "figures", project="figures")
    until(lambda: "another" not in json.dumps(say("was 48151623, is another-value-99")))
    last = heard.messages[-1]
    assert last["answer"]["result"]["content"][0]["text"] == "was [redacted], is [redacted]", last
    assert "48151623" not in json.dumps(heard.messages), heard.messages


def test_each_member_of_a_batch_is_told(gateway):
    heard = listen(gateway, gateway.admin)
    client = wire.Legacy(gateway.port, gateway.agent, version="2025-03-26")

    def batch(*messages):
        client.connection.send("POST", client.path, json.dumps(messages), client.fields(None))
        return list(client.connection.events())

    def request(id, tool, **arguments):
        return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}

    def told():
        batch(request("a", "example__echo", message="first"), {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
              request("b", "example__fail"), request("c", "nowhere__x"))
        return [one for one in heard.messages if one["method"] == "notifications/roots/list_changed"]
    until(told, pause=0.2)
    until(lambda: {"ok", "tool error", "protocol error"} <= {one["outcome"] for one in heard.messages if one["method"] == "tools/call"},
          why=lambda: heard.messages)
    by_id = {one["request"].get("id"): one for one in heard.messages if one["method"] == "tools/call"}
    assert [by_id[id]["outcome"] for id in "abc"] == ["ok", "tool error", "protocol error"], by_id
    assert by_id["a"]["answer"]["result"]["content"][0]["text"] == "first" and by_id["b"]["answer"]["id"] == "b", by_id
    assert {one["session"] for one in by_id.values()} != {""} and by_id["a"]["tokenName"] == "agent"
    client.connection.close()


def test_who_begins_to_watch_is_in_the_record(gateway):
    bearer = user(gateway, "curious@example.com", VIEW)
    streams = [listen(gateway, bearer, "?project=demo") for _ in range(6)]

    def events():
        return gateway.rest("GET", "audit/events?kind=traffic_watched&user=curious@example.com").json["items"]
    until(events)
    first = events()[-1]
    assert (first["project"], first["tool"], first["outcome"]) == ("demo", "project/demo", "ok"), first
    until(lambda: (call(gateway, "seen"), all(stream.messages for stream in streams))[1], pause=0.2)
    assert len(events()) <= 2, events()  # once in a while on each of two loops, however often somebody connects
