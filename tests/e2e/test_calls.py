"""What happens to a running call: cancels and answers from other connections, closed streams, restarts, shutdown."""

import json
import socket
import subprocess
import time
from contextlib import contextmanager

import wire
from harness import EQUAL_IDS, PATIENCE_S, Gateway, NodeClient, children_of, command_of, is_alive, quick, until

TRIES = 12  # new connections land on a loop by chance: 2^-11 for all of them to miss the other one


@contextmanager
def fixture():
    with Gateway(loops=2) as gateway:
        gateway.example_logs = {"example": gateway.example(), "old": gateway.example("old", era="legacy"),
                                "web": gateway.example_http(), "oldweb": gateway.example_http("oldweb", era="legacy")}
        gateway.project("demo", *gateway.example_logs)
        gateway.bearer = gateway.token("calls")
        gateway.ready(gateway.bearer, *gateway.example_logs)
        yield gateway


class Log:
    """What comes to an example server's log from now on."""

    def __init__(self, path):
        self.path, self.at = path, path.stat().st_size

    def lines(self):
        with open(self.path, "rb") as file:
            file.seek(self.at)
            return file.read().decode(errors="replace").splitlines()

    def seen(self, test, seconds=PATIENCE_S):
        """When a line was seen that passes the test."""
        until(lambda: any(test(line) for line in self.lines()), seconds, pause=0.001, why=self.lines)
        return time.monotonic()

    def seen_end(self):
        return self.seen(lambda line: line.startswith(("cancelled", "closed")))


def start_slow(gateway, client, server, connection, seconds=60, **more):
    """A call that runs for long, once the server works on it. (Its id, the log from then on.)"""
    log = Log(gateway.example_logs[server])
    message = client.message("tools/call", {"name": f"{server}__slow", "arguments": {"seconds": seconds, "steps": 10 * seconds}} | more)
    connection.send("POST", client.path, json.dumps(message), client.fields(message))
    log.seen(lambda line: line.startswith("message ") and '"slow"' in line)
    time.sleep(0.05)  # between the line and the call being known there, a thread starts
    return message["id"], Log(gateway.example_logs[server])


def cancels(gateway, server):
    client = wire.Legacy(gateway.port, gateway.bearer)
    for _ in range(TRIES):
        with wire.Connection(gateway.port) as calling, wire.Connection(gateway.port) as other:
            id, log = start_slow(gateway, client, server, calling)
            assert client.notify("notifications/cancelled", {"requestId": id, "reason": "no longer wanted"}, other) == 202
            log.seen_end()
            assert not any("result" in message for message in calling.events())


def test_cancel_on_another_connection_legacy_stdio(gateway):
    cancels(gateway, "old")


def test_cancel_on_another_connection_legacy_http(gateway):
    cancels(gateway, "oldweb")


def test_cancel_on_another_connection_modern_stdio(gateway):
    cancels(gateway, "example")


def test_cancel_on_another_connection_modern_http(gateway):
    cancels(gateway, "web")


def test_elicitation_answer_on_another_connection(gateway):
    client = wire.Legacy(gateway.port, gateway.bearer, capabilities={"elicitation": {}})
    for attempt in range(TRIES):
        with wire.Connection(gateway.port) as calling, wire.Connection(gateway.port) as other:
            message = client.message("tools/call", {"name": "old__ask", "arguments": {"message": f"Who {attempt}?"}})
            messages = iter(client.post(message, calling))
            question = next(messages)
            assert question["method"] == "elicitation/create" and question["params"]["message"] == f"Who {attempt}?"
            answer = {"action": "accept", "content": {"name": f"Ada {attempt}"}}
            assert client.deliver({"jsonrpc": "2.0", "id": question["id"], "result": answer}, other) == 202
            told = next(messages)
            assert told["id"] == message["id"] and f'"Ada {attempt}"' in told["result"]["content"][0]["text"], told


def test_a_session_that_can_be_asked_has_a_process_of_its_own(gateway):
    def processes():
        commands = [command_of(pid) for pid in children_of(gateway.process.pid)]
        return sum("old.log" in command and "--stdio" in command for command in commands)

    wire.Legacy(gateway.port, gateway.bearer).text("old__echo", {"message": "shared"})
    before = processes()
    sessions = [wire.Legacy(gateway.port, gateway.bearer, capabilities={"elicitation": {}}) for _ in range(2)]
    for session in sessions:
        session.text("old__echo", {"message": "mine"})
    until(lambda: processes() == before + 2, why=processes)
    for session in sessions:
        session.connection.request("DELETE", session.path, headers=session.fields(None))
    until(lambda: processes() == before)


def close_latency(gateway, server, streaming):
    """From closing the client's connection to the server's noticing."""
    client = wire.Modern(gateway.port, gateway.bearer)
    with wire.Connection(gateway.port) as calling:
        if not streaming:  # no progress wanted and no event stream accepted: a plain request that waits
            fields = client.fields
            client.fields = lambda message: fields(message) | {"Accept": "application/json"}
        options = {"_meta": {"progressToken": "p"}} if streaming else {}
        _, log = start_slow(gateway, client, server, calling, **options)
        if streaming:
            messages = iter(calling.events())
            assert next(messages)["method"] == "notifications/progress"
        calling.cut()
        closed_at = time.monotonic()
    return log.seen_end() - closed_at


def test_equal_ids_meet_only_their_askers(gateway):
    calls = 100_000
    tools = [f"{server}__echo" for server in gateway.example_logs]
    done = subprocess.run([EQUAL_IDS, str(gateway.port), "/projects/demo/mcp", "32", str(calls), *tools], text=True,
                          capture_output=True, timeout=400, env={"E2E_TOKEN": gateway.bearer})
    assert done.returncode == 0 and done.stdout == f"{calls} right, 0 wrong\n", done.stdout + done.stderr


def test_a_session_has_one_stream(gateway):
    client = wire.Legacy(gateway.port, gateway.bearer)
    with wire.Connection(gateway.port) as first, wire.Connection(gateway.port) as second:
        listener = wire.Listener(client.listen(first))
        for _ in range(3):
            assert client.listen(second).status == 409, "GW-45: the first one keeps it"
            second.close()
        assert listener.ended_at is None
        first.cut()
        listener.end()
        until(lambda: client.listen(second).status == 200 or second.close(), pause=0.1)


def test_the_stream_ends_with_its_session(gateway):
    client, other = (wire.Legacy(gateway.port, gateway.bearer) for _ in range(2))
    with wire.Connection(gateway.port) as first, wire.Connection(gateway.port) as second, wire.Connection(gateway.port) as third:
        ending, staying = wire.Listener(client.listen(first)), wire.Listener(other.listen(second))
        assert third.request("DELETE", client.path, headers=client.fields(None)).status == 204
        ending.end(5)
        assert staying.ended_at is None
        assert client.listen(third).status == 404


def test_closing_cancels_within_100_ms(gateway):
    for server in gateway.example_logs:
        for streaming in (True, False):
            print(f"{server}, streaming {streaming}: {1000 * quick(lambda: close_latency(gateway, server, streaming), 0.1):.0f} ms")


def test_closing_a_legacy_stream_does_not_cancel(gateway):
    client = wire.Legacy(gateway.port, gateway.bearer)
    with wire.Connection(gateway.port) as calling:
        message = client.message("tools/call", {"name": "old__slow", "arguments": {"seconds": 1, "steps": 10},
                                                "_meta": {"progressToken": 1}})
        log = Log(gateway.example_logs["old"])
        assert next(iter(client.post(message, calling)))["method"] == "notifications/progress"
    try:
        log.seen(lambda line: line.startswith("cancelled"), seconds=2)
    except AssertionError:
        return
    raise AssertionError("the call was cancelled")


def test_a_session_outlives_a_restart():
    with Gateway(loops=2) as gateway:
        gateway.example("old", era="legacy")
        gateway.example()
        gateway.project("demo", "old", "example")
        token = gateway.token("t")
        raw_client = wire.Legacy(gateway.port, token)
        raw_client.text("old__echo", {"message": "before"})
        with NodeClient(gateway, token, "v1") as client, NodeClient(gateway, token, "legacy") as newer:
            for each in (client, newer):
                assert each.call("old__echo", message="before")["text"] == "before"
            assert gateway.stop() == 0
            gateway.start()
            for each in (client, newer):
                assert each.call("old__echo", message="after")["text"] == "after"
                assert each.call("example__echo", message="after")["text"] == "after"
            assert client.hello["session"] and newer.hello["session"]
        raw_client.connection = wire.Connection(gateway.port)
        assert raw_client.text("old__echo", {"message": "after"}) == "after"


def test_term_drains_and_leaves_no_child():
    with Gateway(loops=2) as gateway:
        gateway.example_logs = {"old": gateway.example("old", era="legacy"), "web": gateway.example_http()}
        gateway.project("demo", "old", "web")
        token = gateway.token("t")
        gateway.ready(token, "old", "web")
        client = wire.Legacy(gateway.port, token)
        with wire.Connection(gateway.port) as listening, wire.Connection(gateway.port) as first, wire.Connection(gateway.port) as second:
            stream = wire.Listener(client.listen(listening))
            calls = [(connection, start_slow(gateway, client, server, connection, seconds=2)[0])
                     for connection, server in ((first, "old"), (second, "web"))]
            children = children_of(gateway.process.pid)
            assert children
            gateway.process.popen.terminate()
            with wire.Connection(gateway.port) as probe:
                until(lambda: probe.request("GET", "/readyz").status == 503)  # and not: nobody there
            for connection, id in calls:
                answer = list(connection.events())[-1]
                assert answer["id"] == id and "result" in answer, answer
                assert answer["result"]["content"][0]["text"] == "done in 20 steps", answer
            stream.end()
            assert gateway.process.wait() == 0, gateway.process.text()
            until(lambda: not any(is_alive(child) for child in children))
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", gateway.port)) != 0


def test_a_server_that_stops_takes_the_answers_that_calls_wait_for_and_nothing_new():
    with Gateway(loops=2) as gateway:
        gateway.example("old", era="legacy")
        gateway.project("demo", "old")
        token = gateway.token("t")
        gateway.ready(token, "old")
        client = wire.Legacy(gateway.port, token, capabilities={"elicitation": {}})
        with wire.Connection(gateway.port) as asking, wire.Connection(gateway.port) as idle:
            assert client.request("ping", {}, connection=idle)["result"] == {}
            events = client.post(client.message("tools/call", {"name": "old__ask", "arguments": {}}), asking)
            question = next(event for event in events if event.get("method") == "elicitation/create")
            gateway.process.popen.terminate()
            with wire.Connection(gateway.port) as late:
                until(lambda: late.request("GET", "/readyz").status == 503)
            for method, fields in (("tools/list", client.fields(None)), ("initialize", wire.Client.fields(client, None))):
                with wire.Connection(gateway.port) as late:
                    refused = late.request("POST", client.path, json.dumps(client.message(method, {})), fields)
                    assert refused.status == 503, (method, refused.status, refused.body)
            reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"name": "Ada"}}}
            with wire.Connection(gateway.port) as late:
                assert client.deliver(reply, late) == 202
            assert "Ada" in json.dumps(list(events)[-1]["result"])
        assert gateway.process.wait() == 0, gateway.process.text()
