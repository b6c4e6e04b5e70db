"""What a legacy HTTP server asks and says on its GET stream, apart from any call: it reaches the client when one client alone has the
server's session. When nothing says whose it is, questions are refused with the reason, and the rest is passed over."""

import json
import queue
import select
import socket
import threading
import time
from contextlib import contextmanager

import doubles
from harness import Gateway, until
from wire import LEGACY, Connection, Legacy, Listener, Modern

CAN_ASK = {"elicitation": {}}
ASKING = {"message": "Your name?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}


class Session:
    def __init__(self, capabilities):
        self.can_ask, self.stream, self.answers, self.streams, self.deleted = "elicitation" in capabilities, queue.Queue(), {}, 0, False
        self.asked = []


TOOLS = ("ask", "later", "tell", "withdraw", "visit")


def note(method, **params):
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}


class Server(doubles.Handler):
    """Its tool `ask` waits for an answer to a question on the GET stream; `later` answers at once, and has a test ask. `tell` makes
    progress and writes a line there, `withdraw` asks and takes it back, `visit` wants an address visited, and says later that it was."""

    sessions = {}
    lock = threading.Lock()
    numbers = iter(range(1, 10_000))

    def do_POST(self):
        message = self.message()
        method, params = message.get("method"), message.get("params", {})
        if method == "initialize":
            with self.lock:
                name = f"s{next(self.numbers)}"
            self.sessions[name] = Session(params["capabilities"])
            return self.result(message, {"protocolVersion": LEGACY, "serverInfo": {"name": "asking", "version": "1"},
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
            return self.result(message, {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]})
        if method == "resources/list":
            return self.result(message, {"resources": [{"uri": "test://x", "name": "x"}]})
        if method == "tools/call":
            if params["name"] == "ask":
                # When the stream that others had before has gone, as a rule.
                number = next(self.numbers)
                threading.Timer(0.5, self.ask, [session, number]).start()
                reply = until(lambda: session.answers.get(number))
                return self.result(message, {"content": [{"type": "text", "text": json.dumps(reply)}]})
            if params["name"] == "tell":
                session.stream.put(note("progress", progressToken=params["_meta"]["progressToken"], progress=0.5))
                session.stream.put(note("message", level="warning", data="half"))
                assert until(lambda: session.stream.empty())
                time.sleep(0.2)
            if params["name"] == "withdraw":
                number = next(self.numbers)
                self.ask(session, number)
                time.sleep(0.2)
                session.stream.put(note("cancelled", requestId=number, reason="no need"))
                assert until(lambda: session.stream.empty())
                time.sleep(0.2)
            if params["name"] == "visit":
                visit = {"mode": "url", "message": "Log in", "url": "https://example.org/", "elicitationId": "one"}
                threading.Timer(0.5, session.stream.put, [note("elicitation/complete", elicitationId="one")]).start()
                error = {"code": -32042, "message": "visit first", "data": {"elicitations": [visit]}}
                return self.plain(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode())
            return self.result(message, {"content": [{"type": "text", "text": "later"}]})
        return self.result(message, {})

    @staticmethod
    def ask(session, number):
        session.asked.append(number)
        session.stream.put({"jsonrpc": "2.0", "id": number, "method": "elicitation/create", "params": ASKING})

    def is_left(self):
        """Whether who has opened the stream has hung up."""
        return select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK)

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
            while not session.deleted and not self.is_left():
                try:
                    question = session.stream.get(timeout=0.05)
                except queue.Empty:
                    continue
                if self.is_left():  # it is for the next one
                    session.stream.put(question)
                    break
                self.wfile.write(b"data: " + json.dumps(question).encode() + b"\n\n")
                self.wfile.flush()
        except OSError:
            pass
        session.streams -= 1

    def do_DELETE(self):
        session = self.sessions.get(self.headers.get("Mcp-Session-Id"))
        if session:
            session.deleted = True
        self.plain(204 if session else 404)


@contextmanager
def fixture(loops=2):
    with doubles.serving(Server) as server, Gateway(loops=loops) as gateway:
        gateway.http("own", server.server_port, flags=["--share", "session"])
        gateway.http("shared", server.server_port)
        gateway.project("demo", "own", "shared")
        gateway.bearer = gateway.token("asked")
        yield gateway


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


def asks_later(client):
    """A call ends, and then its server asks something. The server's session."""
    before = set(Server.sessions)
    assert client.text("own__later") == "later"
    session = next(one for name, one in Server.sessions.items() if name not in before and one.can_ask)
    Server.ask(session, next(Server.numbers))
    return session


def test_without_a_call_it_comes_on_the_clients_own_stream(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    with Connection(gateway.port) as connection:
        heard = Listener(client.listen(connection))
        asks_later(client)
        question = until(lambda: next((one for one in heard.messages if one.get("method") == "elicitation/create"), None))
        reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
        assert client.deliver(reply) == 202
        declined = lambda one: one.asked and one.answers.get(one.asked[-1], {}).get("result") == {"action": "decline"}
        assert until(lambda: next(filter(declined, Server.sessions.values()), None)).streams == 1
        connection.cut()


def test_a_question_on_the_clients_own_stream_is_withdrawn_there(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    with Connection(gateway.port) as connection:
        heard = Listener(client.listen(connection))
        session = asks_later(client)
        question = until(lambda: next((one for one in heard.messages if one.get("method") == "elicitation/create"), None))
        for number in (session.asked[-1] + 1, session.asked[-1]):  # one that was never asked, too
            session.stream.put(note("cancelled", requestId=number, reason="no need"))
        withdrawn = until(lambda: [one for one in heard.messages if one.get("method") == "notifications/cancelled"])
        assert withdrawn == [note("cancelled", requestId=question["id"], reason="no need")], withdrawn
        connection.cut()


def test_what_a_server_says_on_its_stream_reaches_the_call_that_runs(gateway):
    """Also to another call at the same time: nothing but lines, which do not tell theirs."""
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    with Connection(gateway.port) as connection:
        params = {"name": "own__tell", "arguments": {}, "_meta": {"progressToken": "mine"}}
        progress, line, _ = client.post(client.message("tools/call", params), connection)
    assert progress == note("progress", progressToken="mine", progress=0.5), progress
    assert line == note("message", level="warning", data="half"), line


def test_a_question_of_a_call_is_withdrawn_on_the_stream(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    with Connection(gateway.port) as connection:
        question, withdrawn, _ = client.post(client.message("tools/call", {"name": "own__withdraw", "arguments": {}}), connection)
    assert withdrawn == note("cancelled", requestId=question["id"], reason="no need"), withdrawn


def test_a_line_without_a_call_comes_on_the_clients_own_stream_from_its_level_on(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    assert client.request("logging/setLevel", {"level": "warning"})["result"] == {}
    with Connection(gateway.port) as connection:
        heard = Listener(client.listen(connection))
        session = asks_later(client)
        for level in ("info", "error"):
            session.stream.put(note("message", level=level, data=level))
        lines = until(lambda: [one for one in heard.messages if one.get("method") == "notifications/message"])
        assert lines == [note("message", level="error", data="error")], lines
        connection.cut()


def test_who_was_sent_to_an_address_hears_that_it_was_visited(gateway):
    for server in ("own", "shared"):
        clients = [Legacy(gateway.port, gateway.bearer, capabilities={"elicitation": {"url": {}}}) for _ in range(2)]
        with Connection(gateway.port) as first, Connection(gateway.port) as second:
            heard = [Listener(client.listen(connection)) for client, connection in zip(clients, (first, second))]
            for client, named in ((clients[1], "later"), (clients[0], "visit")):
                answer = client.request("tools/call", {"name": f"{server}__{named}", "arguments": {}})
            assert answer["error"]["code"] == -32042, answer
            complete = note("elicitation/complete", elicitationId="one")
            until(lambda: complete in heard[0].messages)
            assert complete not in heard[1].messages
            first.cut()
            second.cut()


def test_without_a_call_and_a_stream_it_is_refused(gateway):
    client = Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK)
    session = asks_later(client)
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


def test_a_session_that_several_share_refuses_on_every_loop(gateway):
    """Also where nobody listens: a server that is not answered would wait for ever."""
    clients = [Legacy(gateway.port, gateway.bearer, capabilities=CAN_ASK) for _ in range(2)]
    for number in range(10):  # each over a connection of its own, which comes to one loop or the other
        question, reply = call(clients[number % 2], "nobody", "shared__ask")
        assert question is None and text_of(reply)["error"]["code"] == -32601, reply
        assert "stream of that call" in text_of(reply)["error"]["message"], reply


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
