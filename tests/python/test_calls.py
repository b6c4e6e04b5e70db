"""Calls of a session that are polled: by hand, with a selector, and under asyncio."""

import asyncio
import http.server
import json
import pickle
import select
import threading
import unittest

import mcptoken
from mcptoken import Era, Session, aio


class Handler(http.server.BaseHTTPRequestHandler):
    """A modern server: "held" is answered when it is let go, "wrong" with an error, anything else with its params."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": asked.get("params")}
        if asked["method"] == "server/discover":
            answer["result"] = {"supportedVersions": ["2026-07-28"], "capabilities": {}}
        elif asked["method"] == "held":
            self.server.holds.set()
            self.server.let_go.wait(20)
        elif asked["method"] == "wrong":
            del answer["result"]
            answer["error"] = {"code": -32042, "message": "sign in", "data": {"elicitations": [1]}}
        told = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        body = "".join(f"data: {json.dumps(one)}\n\n" for one in (told, answer)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        self.holds, self.let_go = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that has gone is none."""

    def __exit__(self, *failure):
        self.let_go.set()
        self.shutdown()
        super().__exit__(*failure)

    url = property(lambda self: f"http://127.0.0.1:{self.server_port}/mcp")


class Polled(unittest.TestCase):
    def wait(self, session, call):
        while not call.poll():
            seconds = session.timeout()
            select.select([session.fd], [], [], seconds)
        return call

    def test_side_by_side(self):
        with Server() as server:
            notes = []
            with Session(server.url, era=Era.MODERN) as session:
                session.on_notification(notes.append)
                held, quick = session.begin("held", {"a": 1}), session.begin("quick", {"b": 2})
                self.assertEqual(self.wait(session, quick).result()["b"], 2)
                self.assertEqual([note["method"] for note in notes], ["notifications/tools/list_changed"])
                self.assertFalse(held.poll())
                with self.assertRaisesRegex(mcptoken.Misuse, "under way"):
                    held.result()
                self.assertEqual(session.request("blocking", {"c": 3})["c"], 3)
                server.let_go.set()
                self.assertEqual(self.wait(session, held).result()["a"], 1)
                self.assertEqual(held.result()["a"], 1)
                held.close()
                quick.close()
                self.assertFalse(session.poll())

    def test_ends(self):
        with Server() as server:
            session = Session(server.url, era=Era.MODERN)
            session.connect()
            held = session.begin("held")
            held.cancel()
            with self.assertRaises(mcptoken.Cancelled):
                self.wait(session, held).result()
            wrong = self.wait(session, session.begin("wrong"))
            with self.assertRaises(mcptoken.RemoteError) as caught:
                wrong.result()
            self.assertEqual(json.loads(caught.exception.data), {"elicitations": [1]})
            self.assertEqual(pickle.loads(pickle.dumps(caught.exception)).data, caught.exception.data)
            orphan = session.begin("held")
            session.close()
            with self.assertRaises(mcptoken.Cancelled):
                orphan.result()

    def test_callbacks(self):
        """One that raises, one that replaces itself, one that cancels."""
        with Server() as server, Session(server.url, era=Era.MODERN) as session:
            session.on_notification(lambda _: 1 / 0)
            call = session.begin("quick", {"b": 2})
            with self.assertRaises(ZeroDivisionError):
                self.wait(session, call)
            self.assertEqual(call.result()["b"], 2)
            heard = []

            def first(_):
                session.on_notification(lambda _: heard.append(2))
                heard.append(1)

            session.on_notification(first)
            for _ in range(2):
                session.request("quick")
            self.assertEqual(heard, [1, 2])
            held = session.begin("held")
            session.on_notification(lambda _: held.cancel())
            session.request("quick")
            with self.assertRaises(mcptoken.Cancelled):
                self.wait(session, held).result()


class Asyncio(unittest.IsolatedAsyncioTestCase):
    async def test_side_by_side(self):
        with Server() as server, Session(server.url, era=Era.MODERN) as session, aio.Calls(session) as calls:
            held = asyncio.ensure_future(calls.request("held", {"a": 1}))
            answers = await asyncio.gather(calls.call_tool("t", {"x": 1}), *(calls.request("quick", {"n": n}) for n in range(10)))
            self.assertEqual((answers[0]["name"], answers[0]["arguments"]), ("t", {"x": 1}))
            self.assertEqual([answer["n"] for answer in answers[1:]], list(range(10)))
            self.assertFalse(held.done())
            server.let_go.set()
            self.assertEqual((await asyncio.wait_for(held, 20))["a"], 1)
            with self.assertRaises(mcptoken.RemoteError):
                await calls.request("wrong")

    async def test_ends(self):
        with Server() as server, Session(server.url, era=Era.MODERN) as session:
            with aio.Calls(session) as calls:
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(calls.request("held"), 0.2)
                self.assertEqual((await calls.request("quick", {"b": 2}))["b"], 2)
                left = asyncio.ensure_future(calls.request("held"))
                await asyncio.sleep(0.05)
            with self.assertRaises(asyncio.CancelledError):
                await left
            with self.assertRaises(mcptoken.Misuse):
                await calls.request("quick")
