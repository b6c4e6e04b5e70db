"""What a legacy HTTP server asks on its GET stream, apart from any call: it reaches the client when one client alone has the
server's session, and is refused with the reason when nothing says whose it is."""

import http.server
import json
import queue
import threading
from contextlib import contextmanager

from harness import Gateway, until
from wire import LEGACY, Connection, Legacy, Listener, Modern

CAN_ASK = {"elicitation": {}}
ASKING = {"message": "Your name?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}


class Session:
    def __init__(self, capabilities):
        self.can_ask, self.stream, self.answers, self.streams, self.deleted = "elicitation" in capabilities, queue.Queue(), {}, 0, False
        self.asked = []


class Server(http.server.BaseHTTPRequestHandler):
    """Its tool `ask` waits for an answer to a question on the GET stream; `later` asks when it has answered."""

    protocol_version = "HTTP/1.1"
    sessions = {}
    lock = threading.Lock()
    numbers = iter(range(1, 10_000))

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method, params = message.get("method"), message.get("params", {})
        if method == "initialize":
            with self.lock:
                name = f"s{next(self.numbers)}"
            self.sessions[name] = Session(params["capabilities"])
            return self.answer(message, {"protocolVersion": LEGACY, "serverInfo": {"name": "asking", "version": "1"},
                                         "capabilities": {"tools": {}, "resources": {"subscribe": True}}}, name)
        session = self.sessions.get(self.headers.get("Mcp-Session-Id"))
        if session is None:
            return self.plain(404 if "Mcp-Session-Id" in self.headers else 400)
        if method is None:
            session.answers[message["id"]] = message
            return self.plain(202)
        if "id" not in message:
            return self.plain(202)
        if method == "tools/list":
            return self.answer(message, {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("ask", "later")]})
        if method == "resources/list":
            return self.answer(message, {"resources": [{"uri": "test://x", "name": "x"}]})
        if method == "tools/call":
            number = self.ask(session)
            if params["name"] == "ask":
                reply = until(lambda: session.answers.get(number), 20)
                return self.answer(message, {"content": [{"type": "text", "text": json.dumps(reply)}]})
            return self.answer(message, {"content": [{"type": "text", "text": "later"}]})
        return self.answer(message, {})

    def ask(self, session):
        number = next(self.numbers)
        session.asked.append(number)
        question = {"jsonrpc": "2.0", "id": number, "method": "elicitation/create", "params": ASKING}
        # `later` asks when its answer is there.
        threading.Timer(0.5, session.stream.put, [question]).start()
        return number

    def do_GET(self):
        session = self.sessions.get(self.headers.get("Mcp-Session-Id"))
        if session is None or session.streams:
            return self.plain(409 if session else 404)
        session.streams += 1
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            while not session.deleted:
                try:
                    self.wfile.write(b"data: " + json.dumps(session.stream.get(timeout=0.1)).encode() + b"\n\n")
                except queue.Empty:
                    self.wfile.write(b":\n\n")
                self.wfile.flush()
        except OSError:
            pass
        session.streams -= 1

    def do_DELETE(self):
        session = self.sessions.get(self.headers.get("Mcp-Session-Id"))
        if session:
            session.deleted = True
        self.plain(204 if session else 404)

    def answer(self, message, result, session=None):
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        self.plain(200, body, session)

    def plain(self, status, body=b"", session=None):
        self.send_response(status)
        if session:
            self.send_header("Mcp-Session-Id", session)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@contextmanager
def fixture(loops=2):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server, Gateway(loops=loops) as gateway:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gateway.http("own", server.server_port, flags=["--share", "session"])
        gateway.http("shared", server.server_port)
        gateway.project("demo", "own", "shared")
        gateway.bearer = gateway.token("asked")
        yield gateway
        server.shutdown()


def answer(client, connection, name):
    """Answers the one question that comes on a stream; what else came."""
    question = None
    for message in connection:
        if message.get("method") == "elicitation/create":
            question = message
            assert message["params"] == ASKING, message
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": {"action": "accept", "content": {"name": name}}}
            with Connection(client.port) as other:
                assert client.deliver(reply, other) == 202
        elif "result" in message or "error" in message:
            return question, message
    raise AssertionError("the stream ended without an answer")


def call(client, name, tool="own__ask"):
    with Connection(client.port) as connection:
        return answer(client, client.post(client.message("tools/call", {"name": tool, "arguments": {}}), connection), name)


def text_of(message):
    return json.loads(message["result"]["content"][0]["text"])


def test_a_question_on_the_get_stream_reaches_the_call_that_runs(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    question, reply = call(client, "Ada")
    assert question and text_of(reply)["result"] == {"action": "accept", "content": {"name": "Ada"}}, reply
    assert text_of(reply)["id"] != question["id"]  # the server's own id came back to it


def test_each_client_is_asked_what_is_asked_of_him(gateway):
    clients = [Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK) for _ in range(6)]
    wrong = []

    def one(number):
        _, reply = call(clients[number], f"name {number}")
        if text_of(reply)["result"]["content"]["name"] != f"name {number}":
            wrong.append(reply)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def test_a_modern_client_is_asked_by_the_answer(gateway):
    client = Modern(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    params = {"name": "own__ask", "arguments": {}}
    asked = client.request("tools/call", params)["result"]
    assert asked["resultType"] == "input_required", asked
    (key, question), = asked["inputRequests"].items()
    assert question == {"method": "elicitation/create", "params": ASKING}
    params |= {"requestState": asked["requestState"], "inputResponses": {key: {"action": "accept", "content": {"name": "Eve"}}}}
    assert text_of(client.request("tools/call", params))["result"]["content"] == {"name": "Eve"}


def test_without_a_call_it_comes_on_the_clients_own_stream(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    with Connection(gateway.port) as connection:
        heard = Listener(client.listen(connection))
        assert client.text("own__later") == "later"
        question = until(lambda: next((one for one in heard.messages if one.get("method") == "elicitation/create"), None))
        reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
        assert client.deliver(reply) == 202
        declined = lambda one: one.asked and one.answers.get(one.asked[-1], {}).get("result") == {"action": "decline"}
        assert until(lambda: next(filter(declined, Server.sessions.values()), None)).streams == 1
        connection.cut()


def test_without_a_call_and_a_stream_it_is_refused(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    before = set(Server.sessions)
    assert client.text("own__later") == "later"
    session = next(one for name, one in Server.sessions.items() if name not in before and one.can_ask)
    reply = until(lambda: session.answers.get(session.asked[-1]))
    assert reply["error"] == {"code": -32601, "message": "no call runs, and the client does not listen"}, reply


def test_a_session_that_several_share_is_not_asked():
    """On one loop, so that the session that is listened to is the one that is called."""
    with fixture(loops=1) as gateway, Connection(gateway.port) as connection:
        client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
        heard = Listener(client.listen(connection))
        assert client.request("resources/subscribe", {"uri": "m.shared+test://x"})["result"] == {}
        question, reply = call(client, "nobody", "shared__ask")
        assert question is None and text_of(reply)["error"]["code"] == -32601, reply
        assert "stream of that call" in text_of(reply)["error"]["message"], reply
        assert not [one for one in heard.messages if one.get("method") == "elicitation/create"]
        connection.cut()


def test_a_subscription_has_the_stream_and_questions_still_come(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    before = set(Server.sessions)
    assert client.request("resources/subscribe", {"uri": "m.own+test://x"})["result"] == {}
    question, reply = call(client, "Ada")
    assert question and text_of(reply)["result"]["content"] == {"name": "Ada"}, reply
    assert client.request("resources/unsubscribe", {"uri": "m.own+test://x"})["result"] == {}
    question, reply = call(client, "Bob")
    assert question and text_of(reply)["result"]["content"] == {"name": "Bob"}, reply
    own = [one for name, one in Server.sessions.items() if name not in before and one.can_ask]
    assert all(one.streams <= 1 for one in own)


def test_the_servers_session_ends_with_the_clients(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    before = set(Server.sessions)
    call(client, "Ada")
    own = [one for name, one in Server.sessions.items() if name not in before and one.asked]
    assert len(own) == 1 and not own[0].deleted
    with Connection(gateway.port) as connection:
        assert connection.request("DELETE", client.path, headers=client.fields(None)).status == 204
    until(lambda: own[0].deleted and own[0].streams == 0)
