"""Bad bodies, a second server in the same place, and upstreams that are dead in one way or another."""

import json
import os
import re
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import wire
from harness import EXAMPLE, PATIENCE_S, Gateway, free_port, quick, until

DEADLINE_S = 2  # what a list waits for an upstream
MARGIN_S = 1.5  # for a machine that does other things too; what exceeds it is measured again
UNDERFLOW = "[0." + "0" * 30 + "1e-2147483639]"  # aborts a well-known parser


@contextmanager
def fixture():
    with Gateway(loops=2) as gateway:
        gateway.example()
        gateway.project("demo", "example")
        gateway.bearer = gateway.token("faults")
        yield gateway


def body(members, id=1):
    return '{"jsonrpc":"2.0","id":%d,%s}' % (id, members)


BAD_BODIES = {
    "underflow": UNDERFLOW,
    "underflow in the arguments": body('"method":"tools/call","params":{"name":"example__echo","arguments":{"x":%s}}' % UNDERFLOW),
    "NUL after the message": body('"method":"tools/list"') + "\0" + body('"method":"tools/call"'),
    "NUL in a text": body('"method":"tools/li\0st"'),
    "NUL in a name": body('"method":"tools/list","method\\u0000":"tools/call"'),
    "duplicate member": body('"method":"tools/list","method":"tools/call"'),
    "duplicate name": body('"method":"tools/call","params":{"name":"example__echo","name":"example__fail","arguments":{}}'),
    "duplicate id": '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}',
    "escaped member": body('"method":"tools/list","m\\u0065thod":"tools/call"'),
    "other case": body('"method":"tools/list","Method":"tools/call"'),
    "other case below": body('"method":"tools/call","params":{"name":"example__echo","NAME":"example__fail","arguments":{}}'),
    "folded": body('"method":"tools/list","param\u017f":{}'),
    "two messages": body('"method":"tools/list"') + body('"method":"tools/list"'),
    "deep": body('"method":"tools/call","params":{"name":"example__echo","arguments":{"x":%s}}' % ("[" * 200 + "]" * 200)),
    "nothing": "",
    "half": '{"jsonrpc":"2.0","id":1,"method":"too',
}


def test_bad_bodies_are_400_and_the_server_lives(gateway):
    for kind in (wire.Legacy, wire.Modern):
        client = kind(gateway.port, gateway.bearer)
        like = client.message("tools/list")
        for name, text in BAD_BODIES.items():
            with wire.Connection(gateway.port) as connection:
                answer = connection.request("POST", client.path, text, client.fields(like))
            assert answer.status == 400, f"{name}: {answer}"
            assert answer.json["error"]["code"] in (-32700, -32600, -32602), f"{name}: {answer}"
            assert gateway.alive(), name
        assert client.text("example__echo", {"message": "still here"}) == "still here"


def test_bad_bodies_are_refused_by_the_control_plane(gateway):
    for name, text in (("underflow", UNDERFLOW), ("NUL", '{"name":"x"}\0'), ("duplicate", '{"name":"x","name":"y"}'),
                       ("array", "[]"), ("half", '{"name":')):
        answer = gateway.rest("POST", "groups", text)
        assert answer.status == 400, f"{name}: {answer}"
    assert gateway.alive() and gateway.rest("GET", "groups").json["items"] == []


def test_a_file_of_authorities_without_any_is_refused_at_start(gateway):
    files = {"text": "not a certificate\n", "empty": "", "key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}
    for name, content in files.items():
        (gateway.dir / name).write_text(content)
    for name in (*files, "missing", "."):
        command = [*gateway.command(0, data=gateway.dir / "other"), "--upstream-ca-file", gateway.dir / name]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 64 and "upstream-ca-file: " in done.stderr, (name, done)


def second(command, said):
    """Starts one more mcpd where there is one: it must leave, and say why."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode not in (0, -6, -11), done
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_second_server_on_the_port_is_refused(gateway):
    second(gateway.command(gateway.port, data=gateway.dir / "elsewhere"), f"127.0.0.1:{gateway.port}")
    client = wire.Modern(gateway.port, gateway.bearer)
    assert client.text("example__echo", {"message": "the first"}) == "the first"


def test_a_second_server_on_the_data_directory_is_refused(gateway):
    second(gateway.command(0), str(gateway.data))
    client = wire.Modern(gateway.port, gateway.bearer)
    assert client.text("example__echo", {"message": "the first"}) == "the first"


def test_closed_standard_streams_are_nobody_s(gateway):
    """Their numbers must not go to the database or to a client: the log would be written into them."""
    place = gateway.dir / "streams"
    place.mkdir()
    command = [str(word) for word in gateway.command(0, data=place / "data")] + ["--port-file", str(place / "port"), "--debuggable"]
    process = subprocess.Popen(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *command])
    try:
        until(lambda: (place / "port").exists() or process.poll() is not None)
        open_files = {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)}
        assert open_files == {"/dev/null"}, open_files
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def timed(work):
    start = time.monotonic()
    return work(), time.monotonic() - start


def test_dead_upstreams_delay_nobody(gateway):
    with socket.socket() as silent:  # takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        gateway.http("silent", silent.getsockname()[1])
        gateway.http("refusing", free_port())
        gateway.stdio("missing", "/nonexistent/mcp-server")
        gateway.stdio("leaving", "/bin/false")
        gateway.stdio("mute", "/bin/sleep", "1000")
        dead = ["silent", "refusing", "missing", "leaving", "mute"]
        for kind in (wire.Modern, wire.Legacy):
            def first_list():
                """In a project of its own, of which nobody has asked before. The living one runs, so that only the dead ones can delay."""
                name = f"dead-{time.monotonic_ns()}"
                gateway.project(name, "silent", "refusing", "example", "missing", "leaving", "mute")
                first_list.client = kind(gateway.port, gateway.token("t", name), project=name)  # noqa: B023
                first_list.client.text("example__echo", {"message": "x"})
                result, took = timed(lambda: first_list.client.request("tools/list")["result"])
                assert result["_meta"]["io.mcptoken/unavailable"] == dead, result["_meta"]
                assert {tool["name"].split("__")[0] for tool in result["tools"]} == {"example"}
                return took

            def again():
                answer, took = timed(lambda: client.request("tools/list"))  # noqa: B023
                assert answer["result"]["_meta"]["io.mcptoken/unavailable"] == dead
                return took

            quick(first_list, DEADLINE_S + MARGIN_S, tries=4)
            client = first_list.client
            for _ in range(20):
                quick(again, DEADLINE_S / 2)  # who waits for a dead one waits longer
                quick(lambda: timed(lambda: client.text("example__echo", {"message": "x"}))[1], DEADLINE_S / 2)  # noqa: B023
        for server in ("refusing", "missing", "leaving"):
            answer, took = timed(lambda: client.call(f"{server}__echo", {"message": "x"}))
            assert server in answer["error"]["message"] and took < 20, (took, answer)  # a first byte has 30 s


def test_deadlines_are_those_of_the_definition(gateway):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        def first_list():
            name = f"hasty-{time.monotonic_ns()}"
            gateway.http(name, silent.getsockname()[1])
            timeouts = {"timeouts": {"discoveryMs": 300, "firstByteMs": 400, "callMs": 5000}}
            assert gateway.rest("PATCH", f"servers/{name}", timeouts).status == 200
            gateway.project(name, name)
            client = wire.Modern(gateway.port, gateway.token("t", name), project=name)
            _, took = timed(lambda: client.request("tools/list"))
            assert took > 0.25, took
            first_list.ask = lambda: timed(lambda: client.call(f"{name}__echo", {"message": "x"}))
            return took

        def call():
            answer, took = first_list.ask()
            assert "hasty" in answer["error"]["message"], answer
            return took

        quick(first_list, 0.3 + MARGIN_S, tries=4)
        quick(call, 0.4 + MARGIN_S, tries=4)


def test_an_upstream_that_comes_back_is_found_again(gateway):
    """A crash ends the call with an error, and the next call starts the server again."""
    client = wire.Modern(gateway.port, gateway.bearer)
    answer = client.call("example__crash")
    assert "example" in answer["error"]["message"], answer
    until(lambda: "result" in client.call("example__echo", {"message": "again"}), pause=0.1)


def test_a_server_that_is_away_is_left_alone(gateway):
    """GW-73: three calls in a row find out, the others are spared; one in a while is tried."""
    def start(port):
        process = gateway.spawn([EXAMPLE, "--http", port], f"flaky-{port}.out")
        return process, int(until(lambda: process.text().endswith("\n") and process.text().rsplit(":", 1)[1]))

    process, port = start(0)
    gateway.http("flaky", port)
    gateway.project("flaky", "flaky")
    client = wire.Modern(gateway.port, gateway.token("flaky", "flaky"), project="flaky")
    assert client.text("flaky__echo", {"message": "x"}) == "x"

    def circuits():
        found = gateway.rest("GET", "instances?server=flaky").json["items"]
        return {(item["status"], item["circuit"]) for item in found if item["status"] != "STOPPED"}

    assert circuits() == {("RUNNING", "closed")}
    process.close()
    for _ in range(3):
        assert "flaky" in client.call("flaky__echo", {"message": "x"})["error"]["message"]
    assert circuits() == {("ERROR", "open")}, circuits()
    assert "the circuit is open" in gateway.mcpctl("describe", "server", "flaky")
    def spared():
        answer, took = timed(lambda: client.call("flaky__echo", {"message": "x"}))
        assert "flaky" in answer["error"]["message"], answer
        return took

    for _ in range(50):
        quick(spared, 1)
    start(port)
    until(lambda: "result" in client.call("flaky__echo", {"message": "x"}), pause=0.05)
    assert circuits() == {("RUNNING", "closed")}, circuits()


STORM = 100_000
GROWTH_BYTES = 8 << 20  # a journal of the database that is not written back yet
LOG_BYTES = 64 << 10


def storm(gateway, requests, count, answered):
    """`count` requests, many at a time on one connection, whose answers are all refusals."""
    head = f"POST /projects/demo/mcp HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nAuthorization: Bearer {gateway.bearer}\r\n"
    head += "Content-Type: application/json\r\n"
    one = [f"{head}{fields}Content-Length: {len(text)}\r\n\r\n{text}".encode() for fields, text in requests]
    many = b"".join(one) * (100 // len(one))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as connection:
        for _ in range(count // 100):
            connection.sendall(many)
            wanted, seen = 100 // len(one) * len(one), b""
            while seen.count(b"HTTP/1.1 ") < wanted or not seen.endswith(b"}"):
                seen += connection.recv(1 << 20)
            codes = set(re.findall(rb"HTTP/1\.1 (\d{3})", seen))
            assert codes == {b"400", b"404"}, codes
            answered.append(wanted)


def test_a_storm_of_refusals_fills_nothing_and_delays_no_record(gateway):
    """GW-89: 100,000 refusals; what is written stays small, and calls beside them are recorded as soon as without."""
    client = wire.Modern(gateway.port, gateway.bearer)
    modern = f"MCP-Protocol-Version: {wire.MODERN}\r\nMcp-Method: no/such\r\n"
    unknown = client.message("no/such")
    requests = [("", "{"), ("", '{"jsonrpc":"2.0","id":1.5,"method":"x"}'), (modern, json.dumps(unknown)),
                ("MCP-Protocol-Version: 1999-01-01\r\n", body('"method":"tools/list"'))]
    calls = lambda: len(gateway.rest("GET", "audit/events?kind=tool_call_trace&limit=1000").json["items"])

    def size():
        return sum(path.stat().st_size for path in gateway.data.rglob("*") if path.is_file())

    client.text("example__echo", {"message": "warm"})
    until(lambda: calls() >= 1)
    recorded, before, log = calls(), size(), gateway.log.stat().st_size
    answered, failed = [], []

    def one():
        try:
            storm(gateway, requests, STORM // 10, answered)
        except BaseException as failure:
            failed.append(repr(failure))

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    waits = []
    while any(thread.is_alive() for thread in threads) or len(waits) < 5:
        with wire.Connection(gateway.port) as connection:  # tokens that are none, beside it
            guess = {"Authorization": f"Bearer mcpctl_pat_{len(waits):043}", "Content-Type": "application/json"}
            assert connection.request("POST", client.path, "{}", guess).status in (401, 429)
        client.text("example__echo", {"message": "beside"})
        start = time.monotonic()
        until(lambda: calls() >= min(recorded + len(waits) + 1, 1000))
        waits.append(time.monotonic() - start)
    for thread in threads:
        thread.join()
    assert not failed and sum(answered) == STORM, (failed, sum(answered))
    assert min(waits) < 1 and sorted(waits)[len(waits) // 2] < 5, waits  # where nothing else goes on, it is 20 ms
    assert size() - before < GROWTH_BYTES, size() - before
    assert gateway.log.stat().st_size - log < LOG_BYTES, gateway.log.read_text(errors="replace")[log:][:2000]
