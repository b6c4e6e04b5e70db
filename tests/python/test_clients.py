"""The blocking clients against a canned HTTP server, and a session against the gateway in this process."""

import http.server
import json
import socket
import threading
import unittest

import mcptoken
from mcptoken import Client, Era, Session


class Server(http.server.ThreadingHTTPServer):
    """Answers with rows (status, headers, body) in order; keeps (method, path, headers, body) of what it was asked."""

    def __init__(self, *rows):
        self.rows, self.seen = list(rows), []
        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def handle_error(self, request, client_address):
        """A client that has gone is none."""

    url = property(lambda self: f"http://127.0.0.1:{self.server_port}")

    def __exit__(self, *failure):
        self.shutdown()
        self.thread.join()
        super().__exit__(*failure)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, self.headers, body))
        status, headers, text = self.server.rows.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


JSON, SSE = {"Content-Type": "application/json"}, {"Content-Type": "text/event-stream"}


def rpc(request_id, **more):
    return 200, JSON, json.dumps({"jsonrpc": "2.0", "id": request_id, **more}).encode()


class Rest(unittest.TestCase):
    def test_answers(self):
        refusal = {"error": "wrong_project", "message": "not here", "hint": "try p", "request_id": "r-9"}
        with Server((200, JSON, b'{"items":[]}'), (204, {}, b""), (403, JSON, json.dumps(refusal).encode())) as server:
            with Client(server.url, "secret-bearer") as client:
                self.assertEqual(client.http_status, 0)
                self.assertEqual(client.call("POST", "/api/v1/x?a=1", {"a": "ü"}), {"items": []})
                self.assertIsNone(client.call("DELETE", "/api/v1/x", '{"raw":1}'))
                client.introduce("host", "4.2")
                with self.assertRaises(mcptoken.Invalid):
                    client.introduce("my host", "4.2")
                with self.assertRaises(mcptoken.Denied) as caught:
                    client.call("GET", "/api/v1/x")
                self.assertEqual(client.http_status, 403)
            failure = caught.exception
            self.assertIsInstance(failure, PermissionError)
            self.assertEqual((failure.code, failure.hint, failure.request_id, failure.http_status, failure.name),
                             ("wrong_project", "try p", "r-9", 403, "denied"))
            self.assertIn("not here", str(failure))
            self.assertEqual([(seen[0], seen[1], seen[3]) for seen in server.seen],
                             [("POST", "/api/v1/x?a=1", b'{"a": "\\u00fc"}'), ("DELETE", "/api/v1/x", b'{"raw":1}'),
                              ("GET", "/api/v1/x", b"")])
            self.assertEqual({seen[2]["Authorization"] for seen in server.seen}, {"Bearer secret-bearer"})
            self.assertEqual([seen[2]["User-Agent"] for seen in server.seen], [f"libmcptoken/{mcptoken.version()}"] * 2 + ["host/4.2"])

    def test_no_connection(self):
        with Server() as server:
            url = server.url
        with self.assertRaises(mcptoken.Unavailable):
            Client(url).call("GET", "/")
        with self.assertRaises(ConnectionError):
            mcptoken.verify(url, mcptoken.token.generate())
        with self.assertRaises(mcptoken.Invalid):
            Client("h:1")
        with self.assertRaises(ValueError):
            Client("http://h").call("GET", "/\0")


class Verify(unittest.TestCase):
    KNOWN = {"ok": True, "tokenName": "t", "tokenSha": "a" * 64, "projectName": "p", "owner": "ada@example.com",
             "expiresAt": "2033-05-18T03:33:20Z", "permissions": [{"role": "view", "resource": "servers", "name": "ha"}]}

    def test_known(self):
        forever = {name: value for name, value in self.KNOWN.items() if name != "expiresAt"}
        answers = [self.KNOWN, forever, forever | {"project": {"toolGrant": "run"}}]
        with Server(*((200, JSON, json.dumps(one).encode()) for one in answers)) as server:
            with mcptoken.verify(server.url, "secret-bearer") as known:
                self.assertEqual((known.token_name, known.token_sha, known.project, known.owner),
                                 ("t", "a" * 64, "p", "ada@example.com"))
                self.assertEqual(known.expires.timestamp(), 2e9)
                rights = known.rights
            self.assertTrue(mcptoken.verify(server.url, "b").rights.can_use_tool("ha", "on"))  # which keep the identity
            with self.assertRaises(mcptoken.Misuse):
                known.project
            with self.assertRaises(mcptoken.Misuse):
                rights.can_run("logs")
            strict = mcptoken.verify(server.url, "b")
            self.assertIsNone(strict.expires)
            self.assertFalse(strict.rights.can_use_tool("ha", "on"))
            self.assertEqual(server.seen[0][1], "/api/v1/mcptokens/introspect?project=true")

    def test_refused_and_unreadable(self):
        refusal = json.dumps({"error": "invalid_token", "message": "this token has been revoked"}).encode()
        rows = [{}, self.KNOWN | {"expiresAt": "soon"}, self.KNOWN | {"permissions": [1]}, self.KNOWN | {"tokenSha": ""}]
        with Server((401, JSON, refusal), *((200, JSON, json.dumps(one).encode()) for one in rows), (200, JSON, b"<html>")) as server:
            with self.assertRaisesRegex(mcptoken.Unauthenticated, "revoked") as caught:
                mcptoken.verify(server.url, "b")
            self.assertEqual((caught.exception.code, caught.exception.http_status), ("invalid_token", 401))
            for _ in range(5):
                with self.assertRaises(mcptoken.ProtocolError):
                    mcptoken.verify(server.url, "b")


class Streams(unittest.TestCase):
    def test_pieces_and_events(self):
        with Server((200, JSON, b'{"a":1}'), (200, SSE, b"id: 7\nevent: e\ndata: x\n\n"), (202, {}, b"")) as server:
            with mcptoken.Stream(server.url + "/y", "secret-bearer") as stream:
                self.assertEqual(stream.status, 0)
                stream.send("POST", [("X-One", "1")], b"body")
                steps = [stream.next(10) for _ in range(3)]
                self.assertEqual([one.what for one in steps], [mcptoken.What.HEAD, mcptoken.What.DATA, mcptoken.What.END])
                self.assertEqual((steps[1].data, stream.status, stream.header("content-type")), (b'{"a":1}', 200, "application/json"))
                stream.send("GET")
                self.assertEqual(stream.next(10).what, mcptoken.What.HEAD)
                self.assertEqual((stream.next(10).data, stream.event), (b"x", ("e", "7")))
                stream.send_message('{"jsonrpc":"2.0","method":"notifications/x"}', [("Mcp-Session-Id", "s")])
                self.assertEqual((stream.next(10).what, stream.status), (mcptoken.What.HEAD, 202))
            self.assertEqual([seen[0] for seen in server.seen], ["POST", "GET", "POST"])
            self.assertEqual(server.seen[0][3], b"body")
            self.assertEqual((server.seen[0][2]["X-One"], server.seen[2][2]["Mcp-Session-Id"]), ("1", "s"))

    def test_mistakes(self):
        stream = mcptoken.Stream("http://127.0.0.1:1/x")
        with self.assertRaises(mcptoken.Misuse):
            stream.next(0.01)
        with self.assertRaises(mcptoken.Invalid):
            stream.send_message("{}")


class Mcp(unittest.TestCase):
    def test_legacy(self):
        hello = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
        progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}
        stream = "".join(f"data: {json.dumps(one)}\n\n" for one in
                         (progress, {"jsonrpc": "2.0", "id": 4, "result": {"content": [], "isError": True}}))
        status, fields, text = rpc(1, result=hello)
        with Server((status, fields | {"Mcp-Session-Id": "s-1"}, text), (202, {}, b""),
                    rpc(2, result={"tools": [{"name": "a"}], "nextCursor": "c"}), rpc(3, result={"tools": [{"name": "b"}]}),
                    (200, SSE, stream.encode()), rpc(5, error={"code": -32601, "message": "no such method"}), (202, {}, b""),
                    (200, {}, b"")) as server:
            notes = []
            session = Session(server.url + "/mcp", "secret-bearer", era=Era.LEGACY)
            session.on_notification(notes.append)
            session.introduce("my host", "4.2")
            with session:
                with self.assertRaises(mcptoken.Misuse):
                    session.introduce("late", "1")
                self.assertEqual(session.info()["serverInfo"]["name"], "s")
                self.assertEqual([tool["name"] for tool in session.list_tools()], ["a", "b"])
                self.assertTrue(session.call_tool("a", {"x": 1})["isError"])
                self.assertEqual(notes, [progress])
                session.on_notification(None)
                with self.assertRaises(mcptoken.RemoteError) as caught:
                    session.request("nothing/here")
                self.assertEqual((caught.exception.jsonrpc_code, str(caught.exception)), (-32601, "no such method"))
                session.notify("notifications/x", {"y": 2})
            self.assertEqual(server.seen[-1][0], "DELETE")
            self.assertEqual(json.loads(server.seen[0][3])["params"]["clientInfo"], {"name": "my host", "version": "4.2"})
            self.assertEqual(json.loads(server.seen[4][3])["params"]["arguments"], {"x": 1})
            self.assertEqual({seen[2]["Mcp-Session-Id"] for seen in server.seen[1:]}, {"s-1"})

    def test_callback_that_raises(self):
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
        stream = ('data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\n'
                  'data: {"jsonrpc":"2.0","id":2,"result":{}}\n\n')
        with Server(rpc(1, result=hello), (202, {}, b""), (200, SSE, stream.encode())) as server:
            session = Session(server.url + "/mcp", era=Era.LEGACY)
            session.on_notification(lambda _: 1 / 0)
            session.connect()
            with self.assertRaises(ZeroDivisionError):
                session.call_tool("a")
            session.close()

    def test_callback_of_a_call_that_fails(self):
        """What it raised comes out of this call, and not out of the next one."""
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
        cut = b'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\n'
        with Server(rpc(1, result=hello), (202, {}, b""), (200, SSE, cut), rpc(3, result={"tools": []})) as server:
            session = Session(server.url + "/mcp", era=Era.LEGACY)
            session.on_notification(lambda _: 1 / 0)
            session.connect()
            with self.assertRaises(ZeroDivisionError) as caught:
                session.call_tool("a")
            self.assertIsInstance(caught.exception.__context__, mcptoken.NetworkFailure)
            self.assertEqual(session.list_tools(), [])
            session.close()

    def test_callbacks_that_call(self):
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
        progress = b'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\n'
        whole = progress + b'data: {"jsonrpc":"2.0","id":2,"result":{}}\n\n'
        second = progress.replace(b'Token":1', b'Token":2')
        with Server(rpc(1, result=hello), (202, {}, b""), (200, SSE, whole), (200, SSE, second * 2)) as server:
            session, calls = Session(server.url + "/mcp", era=Era.LEGACY), []
            session.on_notification(lambda _: session.call_tool("b"))
            session.connect()
            with self.assertRaisesRegex(mcptoken.Misuse, "callback"):
                session.call_tool("a")
            session.on_notification(lambda _: (calls.append(1), session.close()))
            with self.assertRaises(mcptoken.Cancelled):
                session.call_tool("a")
            self.assertEqual(calls, [1])
            with self.assertRaises(mcptoken.Misuse):
                session.list_tools()

    def test_closed_while_a_call_runs_in_another_thread(self):
        """As after asyncio.wait_for(asyncio.to_thread(session.call_tool, …))."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url, ended = "http://127.0.0.1:%d" % silent.getsockname()[1], []

            def run(call):
                try:
                    call()
                except mcptoken.Error as failure:
                    ended.append(type(failure))

            session, client, stream = Session(url), Client(url), mcptoken.Stream(url)
            stream.send("GET")
            for owner, call in ((session, session.connect), (client, lambda: client.call("GET", "/")), (stream, lambda: stream.next(30))):
                thread = threading.Thread(target=run, args=(call,))
                thread.start()
                with silent.accept()[0]:
                    with self.assertRaises(mcptoken.Misuse):
                        call()
                    owner.close()
                    thread.join(10)
                    self.assertFalse(thread.is_alive())
            self.assertEqual(ended, [mcptoken.Cancelled] * 3)

    def test_times(self):
        for make in (Session, Client):
            for time in (-1, float("nan")):
                with self.assertRaises(ValueError):
                    make("http://127.0.0.1:1", timeout=time)
            for time in (0, 1e300, float("inf")):
                make("http://127.0.0.1:1", timeout=time).close()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            with Client("http://127.0.0.1:%d" % silent.getsockname()[1], timeout=0.0001) as client:
                with self.assertRaises(mcptoken.TimedOut):
                    client.call("GET", "/")

    def test_questions(self):
        hello = {"supportedVersions": ["2026-07-28"], "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
        asks = {"resultType": "input_required", "requestState": "s",
                "inputRequests": {"k": {"method": "elicitation/create", "params": {"message": "Name?"}}}}
        done = {"resultType": "complete", "content": []}
        with Server(rpc(1, result=hello), rpc(2, result=asks), rpc(3, result=done), rpc(4, result=asks), rpc(5, result=done)) as server:
            asked, answers = [], [{"action": "accept", "content": {"name": "Ada"}}]
            session = Session(server.url + "/mcp", era=Era.MODERN)
            session.on_input({"elicitation": {}}, lambda *question: asked.append(question) or answers.pop())
            session.connect()
            with self.assertRaises(mcptoken.Misuse):
                session.on_input({"elicitation": {}}, None)
            self.assertEqual(session.call_tool("a")["content"], [])
            self.assertEqual(asked, [("elicitation/create", {"message": "Name?"})])
            with self.assertRaises(IndexError):
                session.call_tool("a")
            params = [json.loads(seen[3])["params"] for seen in server.seen]
            self.assertEqual(params[2]["inputResponses"], {"k": {"action": "accept", "content": {"name": "Ada"}}})
            self.assertEqual((params[2]["requestState"], params[4]["inputResponses"]), ("s", {"k": {"action": "cancel"}}))
            session.close()

    def test_challenge(self):
        sign_in = 'Bearer resource_metadata="https://s.example/m", scope="tools:call"'
        with Server((401, {"WWW-Authenticate": sign_in}, b"")) as server:
            session = Session(server.url + "/mcp", era=Era.MODERN)
            self.assertEqual(session.challenge, "")
            with self.assertRaises(mcptoken.Unauthenticated):
                session.connect()
            self.assertEqual(session.challenge, sign_in)
            session.close()

    def test_not_connected(self):
        with Server() as server:
            url = server.url
        session = Session(url)
        with self.assertRaises(mcptoken.Invalid):
            session.on_input({"tools": {}}, lambda *_: None)
        for use in (session.info, session.list_tools, lambda: session.call_tool("a"), lambda: session.request("a"),
                    lambda: session.notify("a"), session.farewell):
            with self.assertRaises(mcptoken.Misuse):
                use()
        with self.assertRaises(mcptoken.Unavailable):
            session.connect()
        session.close()
        with self.assertRaises(mcptoken.Misuse):
            session.connect()
        with self.assertRaises(mcptoken.Invalid):
            Session(url, era=7)

    def test_base_and_health(self):
        self.assertEqual(mcptoken.base_url("http://LOCALHOST:3100/projects/p/mcp?x"), "http://localhost:3100")
        with self.assertRaises(mcptoken.Invalid):
            mcptoken.base_url("nothing")
        with Server((200, JSON, b"{}"), (503, {}, b"no")) as server:
            mcptoken.health(server.url)
            with self.assertRaises(mcptoken.RemoteError):
                mcptoken.health(server.url)
