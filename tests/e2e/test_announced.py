"""What a server over HTTP says of its lists is heard although no client listens, on every loop and in both roles."""

import json
import sys
import time
from contextlib import contextmanager

import doubles
import wire
from harness import HERE, Gateway, until
from test_remote import Remote

TOOL = {"name": "one", "inputSchema": {"type": "object"}}
LATER = {"name": "later", "inputSchema": {"type": "object"}}
BOUND_S = 30  # a list that was not ended lives for minutes, in the gateway role for five seconds


class Server:
    def __init__(self, gateway, name, era, flags=()):
        self.tools, self.open = gateway.logs / f"{name}.tools", gateway.logs / f"{name}.open"
        self.define(TOOL)
        process = gateway.spawn([sys.executable, "-B", HERE / "announcing_server.py", era, self.tools, self.open], f"{name}.out")
        gateway.http(name, int(until(lambda: process.text().endswith("\n") and process.text().rsplit(":", 1)[1])), flags)

    def define(self, *tools):
        self.tools.with_suffix(".part").write_text(json.dumps(tools))
        self.tools.with_suffix(".part").replace(self.tools)

    def streams(self):
        """How many are open, and how many were asked for."""
        return tuple(map(int, self.open.read_text().split())) if self.open.exists() else (0, 0)


@contextmanager
def fixture():
    with Gateway(loops=2) as gateway:
        gateway.servers = {era: Server(gateway, era, era) for era in ("modern", "legacy", "mute")}
        gateway.project("demo", *gateway.servers)
        gateway.bearer = gateway.token("t")
        yield gateway


def clients(port, token):
    """Enough that each loop has some."""
    return [kind(port, token) for kind in (wire.Legacy, wire.Modern) * 6]


def test_a_change_is_heard_between_calls(gateway):
    with Remote(gateway) as remote:
        here, elsewhere = clients(gateway.port, gateway.bearer), clients(remote.port, gateway.bearer)
        wanted = {f"{name}__one" for name in gateway.servers}

        def see(asking):
            for client in asking:
                until(lambda: set(client.tools()) == wanted, BOUND_S, why=client.tools)

        see(here + elsewhere)
        for era in ("modern", "legacy"):
            until(lambda: gateway.servers[era].streams()[0] == 1, BOUND_S, why=gateway.servers[era].streams)
        for era in ("modern", "legacy"):
            gateway.servers[era].define(TOOL, LATER)
            wanted.add(f"{era}__later")
            see(here)
        see(elsewhere)
        for era in ("modern", "legacy"):
            gateway.servers[era].define(TOOL)
            wanted.remove(f"{era}__later")
            see(here)


def test_one_stream_whoever_lists_and_none_from_who_gives_none(gateway):
    for client in clients(gateway.port, gateway.bearer):
        client.tools()
    wanted = {"modern": (1, 1), "legacy": (1, 1), "mute": (0, 1)}

    def streams():
        return {era: server.streams() for era, server in gateway.servers.items()}

    until(lambda: streams() == wanted, BOUND_S, why=streams)
    time.sleep(1)  # a stream that is asked for again is so after 200 ms
    assert streams() == wanted, streams()


def test_a_stream_for_each_client_is_not_kept(gateway):
    server = Server(gateway, "own", "legacy", ("--share", "principal"))
    gateway.project("apart", "own")
    client = wire.Legacy(gateway.port, gateway.token("apart", "apart"), project="apart")
    until(lambda: client.tools() == ["own__one"], BOUND_S, why=client.tools)
    assert server.streams() == (0, 0)


def test_another_definition_or_none_ends_the_stream(gateway):
    server = Server(gateway, "passing", "modern")
    gateway.project("short", "passing")
    client = wire.Legacy(gateway.port, gateway.token("short", "short"), project="short")
    until(lambda: client.tools() == ["passing__one"], BOUND_S, why=client.tools)
    until(lambda: server.streams()[0] == 1, BOUND_S, why=server.streams)
    gateway.mcpctl("patch", "server", "passing", "description=another")
    until(lambda: server.streams()[0] == 0, BOUND_S, why=server.streams)
    until(lambda: client.tools() == ["passing__one"], BOUND_S, why=client.tools)
    until(lambda: server.streams()[0] == 1, BOUND_S, why=server.streams)
    gateway.mcpctl("patch", "project", "short", "servers=[]")
    gateway.mcpctl("delete", "server", "passing", "--yes")
    until(lambda: server.streams()[0] == 0, BOUND_S, why=server.streams)


class Fleeting(doubles.Handler):
    """A legacy server whose streams end as soon as they are open."""

    def do_POST(self):
        message = self.message()
        if message["method"] == "initialize":
            return self.result(message, {"protocolVersion": wire.LEGACY, "capabilities": {"tools": {"listChanged": True}},
                                         "serverInfo": {"name": "fleeting", "version": "1"}}, "session")
        if message["method"] == "tools/list":
            return self.result(message, {"tools": [TOOL]})
        return self.plain(202 if "id" not in message else 404)

    def do_GET(self):
        self.server.streams += 1
        self.stream()

    def do_DELETE(self):
        self.plain(204)


def test_streams_that_do_not_last_are_opened_ever_less_often(gateway):
    with doubles.serving(Fleeting) as server:
        server.streams = 0
        gateway.http("fleeting", server.server_port)
        gateway.project("brief", "fleeting")
        token = gateway.token("brief", "brief")
        client = wire.Modern(gateway.port, token, "brief")
        until(lambda: client.tools() == ["fleeting__one"], BOUND_S, why=client.tools)
        # For a list alone it is given up.
        until(lambda: server.streams >= 2, BOUND_S)
        time.sleep(5)
        unheard = server.streams
        assert unheard <= 5, unheard
        time.sleep(2)
        assert server.streams == unheard, (unheard, server.streams)
        # For a client it is tried again after 0.2, 0.4, 0.8, 1.6, 3.2 s, and the client is told each time.
        with wire.Connection(gateway.port) as connection:
            heard = wire.Listener(client.listen(connection, toolsListChanged=True))
            time.sleep(5)
            assert 3 <= server.streams - unheard <= 7, (unheard, server.streams)
            told = sum("list_changed" in json.dumps(message) for message in heard.messages)
            assert 1 <= told <= 7, heard.messages
