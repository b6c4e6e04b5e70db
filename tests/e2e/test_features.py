"""Prompts, resources, completion, subscriptions: of servers of both eras, for clients of both eras, also through a gateway."""

import time
from contextlib import contextmanager

import wire
from harness import Gateway, NodeClient, until
from test_remote import Remote

SERVERS = ("example", "web", "old", "oldweb")
FLAVOURS = ("v1", "legacy", "modern")


@contextmanager
def fixture():
    with Gateway(settings=["--connections-per-address", 0, "--allowed-hosts", "127.0.0.1"]) as gateway:
        gateway.example()
        gateway.example_http()
        gateway.example("old", era="legacy")
        gateway.example_http("oldweb", era="legacy")
        gateway.everything()
        gateway.project("demo", *SERVERS, "everything")
        gateway.warm = gateway.token("warm-up")
        gateway.ready(gateway.warm, *SERVERS, "everything")
        with Remote(gateway) as remote:
            gateway.remote = remote
            yield gateway


def ask(client, method, **params):
    answer = client.request(method, params)
    assert "result" in answer, answer
    return answer["result"]


def offers_everything(client):
    # Who runs has answered for its tools, and is asked for each of the others for the first time.
    until(lambda: all(not ask(client, f"{kind}/list").get("_meta", {}).get("io.mcptoken/unavailable")
                      for kind in ("prompts", "resources", "resources/templates")), pause=0.2)
    prompts = [prompt["name"] for prompt in ask(client, "prompts/list")["prompts"]]
    resources = [resource["uri"] for resource in ask(client, "resources/list")["resources"]]
    templates = [one["uriTemplate"] for one in ask(client, "resources/templates/list")["resourceTemplates"]]
    for server in SERVERS:
        assert f"{server}__greet" in prompts and f"m.{server}+example://notes" in resources, (prompts, resources)
        assert f"m.{server}+example://echo/{{text}}" in templates, templates
        message, embedded = ask(client, "prompts/get", name=f"{server}__greet", arguments={"name": "Ada"})["messages"]
        assert message["content"]["text"] == "Greet Ada"
        assert embedded["content"]["resource"]["uri"] == f"m.{server}+example://greeting"
        uri = f"m.{server}+example://echo/gr%C3%BC%C3%9Fe"
        contents = ask(client, "resources/read", uri=uri)["contents"]
        assert contents == [{"uri": uri, "mimeType": "text/plain", "text": "gr%C3%BC%C3%9Fe"}], contents
        ref = {"type": "ref/prompt", "name": f"{server}__greet"}
        completion = ask(client, "completion/complete", ref=ref, argument={"name": "name", "value": "A"})["completion"]
        assert completion["values"] == ["Ada", "Alan"], completion
        link, resource = ask(client, "tools/call", name=f"{server}__links", arguments={})["content"]
        assert ask(client, "resources/read", uri=link["uri"])["contents"][0]["text"] == "line one\nline two"
        assert resource["resource"]["uri"] == f"m.{server}+example://greeting"
        refused = client.request("resources/read", {"uri": f"m.{server}+example://missing"})["error"]
        assert refused["code"] == (-32602 if isinstance(client, wire.Modern) else -32002), refused
        assert refused["data"] == {"uri": f"m.{server}+example://missing"}, refused


def test_both_eras(gateway):
    for kind in (wire.Legacy, wire.Modern):
        offers_everything(kind(gateway.port, gateway.token(f"plain-{kind.__name__.lower()}")))


def test_through_a_gateway(gateway):
    for kind in (wire.Legacy, wire.Modern):
        token = gateway.token(f"remote-{kind.__name__.lower()}")
        client = kind(gateway.remote.port, token)
        offers_everything(client)


def test_official_clients(gateway):
    for flavour in FLAVOURS:
        with NodeClient(gateway, gateway.token(f"offers-{flavour}"), flavour) as client:
            offered = client.do("offers")
            assert "everything__simple-prompt" in offered["prompts"] and "old__greet" in offered["prompts"], offered
            uri = "m.everything+demo://resource/dynamic/text/1"
            assert "m.everything+demo://resource/dynamic/text/{resourceId}" in offered["templates"], offered
            assert client.do("read", uri=uri)["contents"][0]["uri"] == uri
            assert "Greet Ada" in str(client.do("prompt", name="old__greet", arguments={"name": "Ada"}))
            completed = client.do("complete", ref={"type": "ref/prompt", "name": "web__greet"}, argument={"name": "name", "value": "G"})
            assert completed["completion"]["values"] == ["Grace"], completed


def has(listener, method, **params):
    return any(one.get("method") == method and params.items() <= one.get("params", {}).items() for one in list(listener.messages))


def hears(port, kind, token, server):
    """A stream hears of changes, and of the resource that was asked for only."""
    client, other = kind(port, token), wire.Modern(port, token)
    uri = f"m.{server}+example://notes"
    with wire.Connection(port) as listening:
        if kind is wire.Legacy:
            stream = wire.Listener(client.listen(listening))
            ask(client, "resources/subscribe", uri=uri)
        else:
            stream = wire.Listener(client.listen(listening, toolsListChanged=True, promptsListChanged=True, resourceSubscriptions=[uri]))
            until(lambda: has(stream, "notifications/subscriptions/acknowledged"))
            assert stream.messages[0]["params"]["notifications"] == {"toolsListChanged": True, "promptsListChanged": True,
                                                                     "resourceSubscriptions": [uri]}
        began = time.monotonic()
        for what in ("example://greeting", "example://notes", "tools", "prompts"):
            other.text(f"{server}__change", {"what": what})
        for method in ("notifications/tools/list_changed", "notifications/prompts/list_changed"):
            until(lambda: has(stream, method), why=lambda: stream.messages)
        until(lambda: has(stream, "notifications/resources/updated", uri=uri), why=lambda: stream.messages)
        took = time.monotonic() - began
        assert took < 20, took  # a stream that is opened again waits for up to 30 s
        assert not has(stream, "notifications/resources/updated", uri=f"m.{server}+example://greeting"), stream.messages
        listening.cut()


def test_changes(gateway):
    for kind in (wire.Legacy, wire.Modern):
        token = gateway.token(f"changes-{kind.__name__.lower()}")
        for server in ("example", "web", "old"):
            hears(gateway.port, kind, token, server)


def test_changes_through_a_gateway(gateway):
    for kind in (wire.Legacy, wire.Modern):
        token = gateway.token(f"remote-changes-{kind.__name__.lower()}")
        kind(gateway.remote.port, token).tools()
        hears(gateway.remote.port, kind, token, "example")


def test_updates_of_the_official_server(gateway):
    client = wire.Legacy(gateway.port, gateway.token("updates"))
    uri = "m.everything+demo://resource/dynamic/text/1"
    with wire.Connection(gateway.port) as listening:
        stream = wire.Listener(client.listen(listening))
        ask(client, "resources/subscribe", uri=uri)
        client.text("everything__toggle-subscriber-updates")
        until(lambda: has(stream, "notifications/resources/updated", uri=uri), why=lambda: stream.messages)
        client.text("everything__toggle-subscriber-updates")
        listening.cut()


def test_a_stream_of_an_official_http_server():
    with Gateway(loops=1) as gateway:  # that server knows who has subscribed by the session, of which each loop has one
        gateway.everything_http()
        gateway.project("demo", "everyweb")
        token = gateway.token("t")
        gateway.ready(token, "everyweb")
        client = wire.Legacy(gateway.port, token)
        uri = "m.everyweb+demo://resource/dynamic/text/1"
        with wire.Connection(gateway.port) as listening:
            stream = wire.Listener(client.listen(listening))
            ask(client, "resources/subscribe", uri=uri)
            client.text("everyweb__toggle-subscriber-updates")
            until(lambda: has(stream, "notifications/resources/updated", uri=uri), why=lambda: stream.messages)
            listening.cut()


def test_subscriptions_end_with_a_restart_and_the_client_is_told():
    with Gateway() as gateway:
        gateway.example("old", era="legacy")
        gateway.project("demo", "old")
        token = gateway.token("t")
        client = wire.Legacy(gateway.port, token)
        ask(client, "resources/subscribe", uri="m.old+example://notes")
        time.sleep(1.1)  # sessions know their second
        assert gateway.stop() == 0
        gateway.start()
        with wire.Connection(gateway.port) as listening:
            stream = wire.Listener(client.listen(listening))
            for kind in ("tools", "prompts", "resources"):
                until(lambda: has(stream, f"notifications/{kind}/list_changed"), why=lambda: stream.messages)
            listening.cut()


def test_rights(gateway):
    bindings = ("--bind", "role:run,resource:tools,name:old/echo", "--bind", "role:view,resource:servers,name:web")
    token = gateway.token("narrow", "demo", *bindings)
    offers_everything(wire.Modern(gateway.port, gateway.warm))
    for kind in (wire.Legacy, wire.Modern):
        client = kind(gateway.port, token)
        assert {one["uri"].split("+")[0] for one in ask(client, "resources/list")["resources"]} == {"m.web"}
        assert [one["name"] for one in ask(client, "prompts/list")["prompts"]] == ["web__greet"]
        assert {tool.split("__")[0] for tool in client.tools()} == {"old", "web"}
        hidden = client.request("resources/read", {"uri": "m.old+example://notes"})["error"]
        nowhere = client.request("resources/read", {"uri": "m.nil+example://notes"})["error"]
        assert str(hidden).replace("m.old", "m.nil") == str(nowhere)

    def recorded():
        events = gateway.rest("GET", "audit/events?tokenName=narrow").json["items"]
        return any(event["outcome"] == "denied" and event["tool"] == "resources/read m.old+example://notes" for event in events)

    until(recorded, why=lambda: gateway.rest("GET", "audit/events?tokenName=narrow").json)
