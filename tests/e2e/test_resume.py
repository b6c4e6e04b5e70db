"""Streams of calls that clients of the legacy era lose and come back for, by Last-Event-ID (2025-11-25, transports,
resumability and redelivery): each message once, of the own stream only, within bounds."""

import http.client
import json
import queue
import select
import socket
import threading
import time
from contextlib import contextmanager

import doubles
import wire
from harness import Gateway, NodeClient, until
from wire import LEGACY

TOOLS = [{"name": "obey", "inputSchema": {"type": "object"}}]
MIB = 1 << 20
UNREAD = "a client that reads nothing"


class Server(doubles.Handler):
    """A legacy server whose one tool says what the test orders, for the call that has the name."""

    def do_POST(self):
        message = self.message()
        method = message.get("method")
        if method == "notifications/cancelled":
            self.server.cancelled.append(message["params"])
        if method == "initialize":
            return self.result(message, {"protocolVersion": LEGACY, "capabilities": {"tools": {}},
                                         "serverInfo": {"name": "o", "version": "1"}}, "session")
        if method == "tools/list":
            return self.result(message, {"tools": TOOLS})
        if method == "tools/call":
            return self.obey(message)
        return self.plain(202 if "id" not in message or "method" not in message else 404)

    def obey(self, message):
        params = message["params"]
        token = params.get("_meta", {}).get("progressToken")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        said = 0
        for what, value in iter(self.server.orders[params["arguments"]["name"]].get, None):
            if what == "progress":
                for _ in range(value):
                    said += 1
                    self.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": said}})
            elif what == "log":
                self.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "error", "data": "x" * value}})
            elif what == "ask":
                self.event({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create",
                            "params": {"message": value, "requestedSchema": {"type": "object", "properties": {}}}})
            else:
                text = value if isinstance(value, str) else "x" * value
                return self.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": [{"type": "text", "text": text}]}})

    def do_GET(self):
        self.plain(405)

    def do_DELETE(self):
        self.plain(204)

    def event(self, message):
        self.wfile.write(f"data: {json.dumps(message)}\n\n".encode())


class Call:
    """A call that the server answers as it is told."""

    count = 0

    def __init__(self, gateway, client, *orders):
        Call.count += 1
        self.name, self.client, self.server, self.last_id = f"call {Call.count}", client, gateway.server, None
        self.orders = self.server.orders[self.name] = queue.Queue()
        self.order(*orders)
        self.connection = wire.Connection(gateway.port)
        self.message = client.message("tools/call", {"name": "web__obey", "arguments": {"name": self.name},
                                                     "_meta": {"progressToken": self.name}})
        self.events = client.post(self.message, self.connection)
        self.messages = iter(self.events)

    def order(self, *orders):
        for one in orders:
            self.orders.put(one)

    def read(self, count):
        return [next(self.messages) for _ in range(count)]

    def drop(self):
        self.connection.cut()

    def resume(self, id=None, client=None, connection=None):
        """The messages that are left, and where they come from; from the last id that was seen."""
        self.last_id = self.events.last_id or self.last_id
        self.connection = connection or wire.Connection(self.client.port)
        self.events = (client or self.client).listen(self.connection, self.last_id if id is None else id)
        self.messages = iter(self.events)
        return self.events.status

    def rest(self):
        return list(self.messages)


def steps(messages):
    """Of progress the number, of an answer its text, of a failure True."""
    return [message["params"]["progress"] if "params" in message else True if "error" in message
            else message["result"]["content"][0]["text"] for message in messages]


@contextmanager
def fixture(loops=2):
    with doubles.serving(Server) as server, Gateway(loops, settings=("--allowed-hosts", "127.0.0.1")) as gateway:
        server.orders, server.cancelled = {}, []
        gateway.server = server
        gateway.http("web", server.server_port)
        gateway.project("demo", "web")
        gateway.project("other", "web")
        gateway.bearer = gateway.token("t")
        yield gateway
        for orders in server.orders.values():
            orders.put(None)


def legacy(gateway, **options):
    return wire.Legacy(gateway.port, options.pop("token", gateway.bearer), **options)


def test_each_message_comes_once(gateway):
    client = legacy(gateway)
    call = Call(gateway, client, ("progress", 3))
    assert steps(call.read(3)) == [1, 2, 3]
    call.drop()
    call.order(("progress", 3))
    assert call.resume() == 200 and call.events.is_stream
    assert steps(call.read(3)) == [4, 5, 6]
    call.drop()  # before the answer, which is given to nobody
    call.order(("progress", 1), ("answer", "done"))
    time.sleep(0.2)
    assert call.resume() == 200
    assert steps(call.rest()) == [7, "done"]
    assert not gateway.server.cancelled, "a connection that is lost does not cancel"


def test_after_the_answer(gateway):
    call = Call(gateway, legacy(gateway), ("progress", 1), ("progress", 1), ("answer", "done"))
    first, second = [], []
    for place in (first, second):
        place += call.read(1)
        place.append(call.events.last_id)
    assert steps(call.rest()) == ["done"]
    last = call.events.last_id
    assert len({first[1], second[1], last}) == 3
    for id, left in ((first[1], [2, "done"]), (second[1], ["done"]), (last, [])):
        assert call.resume(id) == 200
        assert steps(call.rest()) == left


def test_whoever_comes_last_has_it(gateway):
    """On whatever loop he arrives: eight connections are on both of them."""
    call = Call(gateway, legacy(gateway), ("progress", 1))
    assert steps(call.read(1)) == [1]
    for round in range(2, 10):
        before = call.messages
        assert call.resume() == 200
        assert list(before) == [], "one that has been taken over ends"
        call.order(("progress", 1))
        assert steps(call.read(1)) == [round]
    call.order(("answer", "done"))
    assert steps(call.rest()) == ["done"]


def test_gw_47_only_the_own_stream(gateway):
    client = legacy(gateway)
    call, beside = (Call(gateway, client, ("progress", 2)) for _ in range(2))
    assert steps(call.read(2)) == steps(beside.read(2)) == [1, 2]
    id = call.events.last_id
    sealed, number = id.rsplit(".", 1)
    token = gateway.token("other")
    strangers = [legacy(gateway), legacy(gateway, token=token), legacy(gateway, token=gateway.token("o", "other"), project="other")]
    for stranger in strangers:
        assert call.resume(id, stranger) == 400, "foreign"
    flipped = sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:]
    for forged in (flipped + "." + number, sealed, sealed + ".", sealed + ".-1", sealed + ".x", sealed + ".0" + number, "x", "7", ".1",
                   f"{sealed}.{int(number) + 1}", f"{sealed}.{2 ** 63}", f"{sealed}.{'9' * 300}", "x" * 4000,
                   f"{sealed}.{number} x"):
        assert call.resume(forged) == 400, forged
    connection = wire.Connection(gateway.port)
    fields = list((client.fields(None) | {"Accept": "text/event-stream"}).items()) + [("Last-Event-ID", id)] * 2
    connection.send("GET", client.path, headers=fields)
    assert connection.events().status == 400
    for one, text in ((call, "a"), (beside, "b")):
        one.order(("answer", text))
    assert call.resume(id) == 200
    assert steps(call.rest()) == ["a"], "of another stream nothing comes"
    assert steps(beside.rest()) == ["b"], "and nobody took that one over"


def test_without_an_id_it_is_the_listen_stream(gateway):
    client = legacy(gateway)

    def listening(connection, id):
        events = client.listen(connection, id)
        return events if events.status == 200 and events.is_stream else connection.close()  # the one before has not gone yet

    for id in (None, "", None):
        with wire.Connection(gateway.port) as connection:
            events = until(lambda: listening(connection, id), pause=0.1)
            connection.cut()
            assert list(events) == []


def test_a_revoked_token_gets_nothing(gateway):
    client = legacy(gateway, token=gateway.token("short"))
    call = Call(gateway, client, ("progress", 1))
    call.read(1)
    call.drop()
    gateway.mcpctl("delete", "mcptoken", "short", "-p", "demo")
    assert call.resume() == 401
    until(lambda: gateway.server.cancelled)
    gateway.server.cancelled.clear()


def test_the_session_ends_it(gateway):
    client = legacy(gateway)
    call, taken = (Call(gateway, client, ("progress", 1)) for _ in range(2))
    call.read(1)
    taken.read(1)
    call.drop()
    assert taken.resume() == 200
    with wire.Connection(gateway.port) as connection:
        assert connection.request("DELETE", client.path, headers=client.fields(None)).status == 204
    taken.rest()
    assert call.resume() == 404
    until(lambda: len(gateway.server.cancelled) == 2)
    gateway.server.cancelled.clear()


def test_a_question_waits_for_the_client(gateway):
    client = legacy(gateway, capabilities={"elicitation": {}})
    call = Call(gateway, client, ("progress", 1))
    call.read(1)
    call.drop()
    call.order(("ask", "name?"))
    assert call.resume() == 200
    question = call.read(1)[0]
    assert question["params"]["message"] == "name?"
    call.drop()
    assert client.deliver({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}) == 202
    call.order(("answer", "done"))
    assert call.resume() == 200
    assert steps(call.rest()) == ["done"]


def test_cancelled_by_word_alone(gateway):
    client = legacy(gateway)
    call = Call(gateway, client, ("progress", 1))
    call.read(1)
    call.drop()
    assert call.resume() == 200
    assert client.notify("notifications/cancelled", {"requestId": call.message["id"]}) == 202
    assert call.rest() == []
    until(lambda: len(gateway.server.cancelled) == 1)
    gateway.server.cancelled.clear()
    assert call.resume() == 200
    assert steps(call.rest()) == [True]


def test_the_first_event_is_for_those_who_know_it(gateway):
    for version, primed in ((LEGACY, True), ("2025-06-18", False), ("2025-03-26", False)):
        client = legacy(gateway, version=version)
        call = Call(gateway, client, ("progress", 1), ("answer", "done"))
        assert call.events.is_stream
        lines = call.events.response.read().decode().split("\n\n")
        assert lines.pop() == ""
        assert len(lines) == (3 if primed else 2)
        ids = [line.split("\n")[0] for line in lines]
        assert all(id.startswith("id: ") for id in ids) and len(set(ids)) == len(ids)
        if primed:
            assert lines[0].split("\n")[1:] == ["retry: 1000", "data: "]
            assert call.resume(ids[0].removeprefix("id: ")) == 200
            assert steps(call.rest()) == [1, "done"]
        assert "retry" not in "".join(lines[primed:])
        assert all(line.count("data: {") == 1 for line in lines[primed:])


def test_nothing_is_kept_for_others(gateway):
    """Of answers without a stream, of anonymous clients and of the modern era."""
    client = legacy(gateway)
    call = Call(gateway, client, ("answer", "done"))
    assert not call.events.is_stream and steps(call.rest()) == ["done"]
    anonymous = legacy(gateway)
    anonymous.session = None
    anonymous.fields = lambda message: wire.Client.fields(anonymous, message)
    for other in (anonymous, wire.Modern(gateway.port, gateway.bearer)):
        call = Call(gateway, other, ("progress", 1), ("answer", "done"))
        assert call.events.is_stream and steps(call.rest()) == [1, "done"]
        assert call.events.last_id is None


def test_what_is_too_much_goes_and_is_told(gateway):
    client = legacy(gateway)
    call = Call(gateway, client, ("progress", 1))
    call.read(1)
    id = call.events.last_id
    call.drop()
    call.order(("progress", 1200), ("answer", "done"))
    until(lambda: call.resume(id) == 200 and (got := steps(call.rest())) and got[-1] == "done", pause=0.5)
    call.resume(id)
    text = call.events.response.read().decode()
    assert ": 201 earlier messages are not kept any more\n" in text
    assert text.count('"progress":') == 999 and '"progress": 1201' in text and '"done"' in text, text[-600:]


def test_of_a_token_the_oldest_goes_and_its_client_is_told():
    with fixture(loops=1) as gateway:  # each has a bound of its own
        client = legacy(gateway)
        calls = []
        for _ in range(4):
            calls.append(Call(gateway, client, ("progress", 1)))
            calls[-1].read(1)
            calls[-1].id = calls[-1].events.last_id
            calls[-1].order(("answer", 12 * MIB))
            assert len(steps(calls[-1].rest())[0]) == 12 * MIB
        for one, left in zip(calls, ([True], *[["x" * 12 * MIB]] * 3)):
            assert one.resume(one.id) == 200
            got = one.rest()
            assert steps(got) == left
            assert got[0]["id"] == one.message["id"]
        assert "too much was kept" in json.dumps(calls[0].resume(calls[0].id) and calls[0].rest())


def test_after_a_restart(gateway):
    call = Call(gateway, legacy(gateway), ("progress", 1))
    call.read(1)
    gateway.process.popen.kill()
    gateway.process.popen.wait()
    gateway.start()
    assert call.resume() == 200
    answer, = call.rest()
    assert answer["id"] == call.message["id"] and "restarted" in answer["error"]["message"]


def test_one_that_does_not_read_has_its_call_all_the_same(gateway):
    call = Call(gateway, legacy(gateway), ("progress", 1))
    call.read(1)
    for _ in range(400):  # more than the buffers of the kernel and ours
        call.order(("log", 64 << 10))
    call.order(("answer", "done"))
    until(lambda: call.orders.empty())
    assert not gateway.server.cancelled

    def is_done():  # what still comes may be too fast for him again
        assert call.resume() == 200
        try:
            return steps([message for message in call.rest() if "result" in message]) == ["done"]
        except (http.client.IncompleteRead, ConnectionResetError):
            return False

    until(is_done)


class Reader:
    """Reads with a small window: `rate` bytes a second, 0 for none."""

    def __init__(self, gateway, client, rate, orders):
        Call.count += 1
        name, self.rate, self.got, self.ended = f"call {Call.count}", rate, bytearray(), False
        gateway.server.orders[name] = self.orders = queue.Queue()
        for order in orders:
            self.orders.put(order)
        message = client.message("tools/call", {"name": "web__obey", "arguments": {"name": name}, "_meta": {"progressToken": name}})
        body = json.dumps(message)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        self.socket.connect(("127.0.0.1", gateway.port))
        fields = client.fields(message) | {"Host": f"127.0.0.1:{gateway.port}", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.socket.sendall(f"POST {client.path} HTTP/1.1\r\n{head}\r\n{body}".encode())
        self.started = time.monotonic()

    def turn(self):
        """Takes what it may by now."""
        allowed = int((time.monotonic() - self.started) * self.rate) - len(self.got)
        while allowed > 0 and not self.ended and select.select([self.socket], [], [], 0)[0]:
            part = self.socket.recv(min(allowed, MIB))
            allowed -= len(part)
            self.got += part
            self.ended = not part

    def empty(self):
        """The rest, as fast as it comes."""
        self.socket.settimeout(60)
        try:
            while part := self.socket.recv(MIB):
                self.got += part
        except ConnectionResetError:
            pass
        return bytes(self.got)


def test_a_large_answer_to_a_slow_reader(gateway):
    size, seconds = 12 * MIB, 40  # longer than a reader may take nothing
    said = [("progress", 1), ("answer", size)]
    readers = [Reader(gateway, client, size / seconds, said) for client in (legacy(gateway), wire.Modern(gateway.port, gateway.bearer))]
    stuck = Reader(gateway, legacy(gateway), 0, said)
    end = time.monotonic() + 4 * seconds
    while not all(reader.ended for reader in readers) and time.monotonic() < end:
        for reader in readers:
            reader.turn()
        time.sleep(0.05)
    for reader in readers:
        assert reader.ended and reader.got.count(b"x") >= size and reader.got.endswith(b"0\r\n\r\n"), len(reader.got)
    assert len(stuck.empty()) < size, UNREAD + " is cut"


class Breaking(threading.Thread):
    """Passes connections on, and cuts once each one that has carried the text."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.to, self.cuts, self.broken = port, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            here, _ = self.listener.accept()
            there = socket.create_connection(("127.0.0.1", self.to))
            for source, sink, watched in ((here, there, False), (there, here, True)):
                threading.Thread(target=self.carry, args=(source, sink, watched), daemon=True).start()

    def carry(self, source, sink, watched):
        try:
            while part := source.recv(65536):
                sink.sendall(part)
                if watched and self.cuts and self.cuts[0] in part:
                    self.cuts.pop(0)
                    self.broken += 1
                    break
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def comes_back(gateway, flavour):
    between = Breaking(gateway.port)
    between.cuts = [b'"progress": 2', b'"progress": 4']
    Call.count += 1
    name = f"call {Call.count}"
    orders = gateway.server.orders[name] = queue.Queue()
    with NodeClient(gateway, gateway.bearer, flavour, place=f"http://127.0.0.1:{between.port}/projects/demo/mcp") as client:
        done = []
        calling = threading.Thread(target=lambda: done.append(client.call("web__obey", name=name)))
        calling.start()
        orders.put(("progress", 2))
        until(lambda: between.broken == 1)
        orders.put(("progress", 2))
        until(lambda: between.broken == 2)
        for order in (("progress", 1), ("answer", "done")):
            orders.put(order)
        calling.join()
        assert done and done[0]["text"] == "done"
        assert [step[0] for step in done[0]["progress"]] == [1, 2, 3, 4, 5]


def test_the_official_client_1_comes_back(gateway):
    comes_back(gateway, "v1")


def test_the_official_client_2_comes_back(gateway):
    comes_back(gateway, "legacy")
