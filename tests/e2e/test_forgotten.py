"""A legacy HTTP server that forgets a session, and keeps its stream: what was asked for in the old one moves to the new one."""

import json
import queue
import threading
from contextlib import contextmanager

import doubles
import wire
from harness import Gateway, until
from test_features import has

URI = "test://x"


class Session:
    def __init__(self):
        self.uris, self.events, self.streams, self.is_known, self.level = set(), queue.Queue(), 0, True, None


class Server(doubles.Handler):
    sessions = []
    lock = threading.Lock()

    def session(self):
        """The one that was named; nothing when it is none, or is forgotten."""
        name = self.headers.get("Mcp-Session-Id") or "s"
        named = self.sessions[int(name[1:])] if name[1:].isdigit() else None
        return named if named and named.is_known else None

    def do_POST(self):
        message = self.message()
        method = message["method"]
        if method == "server/discover":
            return self.plain(400)
        if method == "initialize":
            with self.lock:
                self.sessions.append(Session())
                name = f"s{len(self.sessions) - 1}"
            return self.result(message, {"protocolVersion": wire.LEGACY, "serverInfo": {"name": "forgetful", "version": "1"},
                                         "capabilities": {"tools": {}, "logging": {}, "resources": {"subscribe": True}}}, name)
        session = self.session()
        if session is None:
            return self.plain(404)
        if "id" not in message:
            return self.plain(202)
        if method == "resources/subscribe":
            session.uris.add(message["params"]["uri"])
        if method == "logging/setLevel":
            session.level = message["params"]["level"]
        results = {"tools/list": {"tools": [{"name": "one", "inputSchema": {"type": "object"}}]},
                   "tools/call": {"content": [{"type": "text", "text": "done"}]},
                   "resources/list": {"resources": [{"uri": URI, "name": "x"}]}}
        return self.result(message, results.get(method, {}))

    def do_GET(self):
        session = self.session()
        if session is None or session.streams:
            return self.plain(409 if session else 404)
        session.streams += 1
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            while True:  # also when the session is known no more
                try:
                    event = session.events.get(timeout=0.05)
                    self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                except queue.Empty:
                    self.wfile.write(b":\n\n")
        except OSError:
            session.streams -= 1

    def do_DELETE(self):
        self.plain(204)


@contextmanager
def fixture():
    # One loop: on another one, calls have a session of their own.
    with doubles.serving(Server) as server, Gateway(loops=1) as gateway:
        gateway.http("forgetful", server.server_port)
        gateway.project("demo", "forgetful")
        gateway.bearer = gateway.token("t")
        yield gateway


def listens(session):
    return session.streams == 1 and session.uris == {URI}


def test_subscriptions_and_the_stream_move_to_the_new_session(gateway):
    client = wire.Legacy(gateway.port, gateway.bearer)
    until(lambda: client.tools() == ["forgetful__one"])
    with wire.Connection(gateway.port) as connection:
        stream = wire.Listener(client.listen(connection))
        assert "result" in client.request("resources/subscribe", {"uri": "m.forgetful+" + URI})
        assert "result" in client.request("logging/setLevel", {"level": "debug"})
        assert client.text("forgetful__one") == "done"
        old = next(one for one in Server.sessions if one.uris)
        until(lambda: listens(old) and old.level == "debug", why=lambda: vars(old))

        old.is_known = False
        assert client.text("forgetful__one") == "done"
        until(lambda: listens(Server.sessions[-1]), why=lambda: [vars(one) for one in Server.sessions])
        new = Server.sessions[-1]
        until(lambda: old.streams == 0, why=lambda: vars(old))  # nobody hears what is said there
        assert new is not old and new.is_known
        # Something may have been missed between the two.
        updated = "notifications/resources/updated"
        until(lambda: has(stream, updated, uri="m.forgetful+" + URI), why=lambda: stream.messages)
        before = len(stream.messages)
        new.events.put({"jsonrpc": "2.0", "method": updated, "params": {"uri": URI}})
        until(lambda: any(one["method"] == updated for one in stream.messages[before:]), why=lambda: stream.messages)
        assert client.text("forgetful__one") == "done"
        until(lambda: new.level == "debug", why=lambda: vars(new))
        connection.cut()
