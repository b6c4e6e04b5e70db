"""The stream of what MCP clients say and are answered: who hears what of it, and what nobody does."""

import contextlib
import json

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
    before, told = len(heard["reader"].messages), len(heard["admin"].messages)
    call(gateway, "more")
    until(lambda: len(heard["admin"].messages) > told)
    gateway.rest("POST", "auth/logout", bearer=bearers["both"])
    heard["both"].end()
    assert len(heard["reader"].messages) == before


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
