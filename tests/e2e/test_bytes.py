"""What servers and clients say comes out byte for byte: members that nobody knows, large numbers, odd characters, the order
of keys, keys that only look alike. Both eras on both sides, stdio and HTTP; see odd_server.py."""

import json
import sys
from contextlib import contextmanager

import wire
from harness import HERE, Gateway, until
from odd_server import CONTENT, ODD, SCHEMA

SERVER = HERE / "odd_server.py"
CELLS = [f"{way}-{era}" for way in ("stdio", "http") for era in ("legacy", "modern")]
ARGUMENTS = b'{"z":' + b"1" * 30 + b"," + ODD + b"}"


@contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.seen = {}
        for cell in CELLS:
            way, era = cell.split("-")
            gateway.seen[cell] = gateway.logs / f"{cell}.seen"
            gateway.seen[cell].touch()
            words = [sys.executable, "-B", SERVER, way, era, gateway.seen[cell]]
            if way == "stdio":
                gateway.stdio(cell, *words)
            else:
                process = gateway.spawn(words, f"{cell}.out")
                gateway.http(cell, int(until(lambda: process.text().endswith("\n") and process.text().rsplit(":", 1)[1])))
        gateway.project("demo", *CELLS)
        gateway.bearer = gateway.token("t")
        gateway.ready(gateway.bearer, *CELLS)
        yield gateway


def bytes_of(client, method, params):
    """The body of the answer to a request whose params are these very bytes."""
    message = client.message(method, json.loads(params))
    text = json.dumps(message | {"params": 0}).encode()
    own = json.dumps(message["params"]["_meta"]).encode() if "_meta" in message["params"] else None
    comma = b"" if params == b"{}" else b","
    raw = params[:-1] + (comma + b'"_meta":' + own if own else b"") + b"}"
    head = text.rindex(b'"params": 0')
    with wire.Connection(client.port) as connection:
        answer = connection.request("POST", client.path, text[:head] + b'"params":' + raw + text[head + len(b'"params": 0'):],
                                    client.fields(message))
        assert answer.status == 200, answer
        return answer.body


def clients(gateway):
    return wire.Legacy(gateway.port, gateway.bearer), wire.Modern(gateway.port, gateway.bearer)


def test_definitions_of_tools(gateway):
    for client in clients(gateway):
        body = bytes_of(client, "tools/list", b"{}")
        for cell in CELLS:
            assert b'{"name":"' + cell.encode() + b"__odd\"," + SCHEMA + b"," + ODD + b"}" in body, (cell, body)
        # From the cache, too.
        assert bytes_of(client, "tools/list", b"{}").count(ODD) == len(CELLS)


def test_results_and_arguments(gateway):
    for client in clients(gateway):
        for cell in CELLS:
            body = bytes_of(client, "tools/call", b'{"name":"' + cell.encode() + b'__odd","arguments":' + ARGUMENTS + b"}")
            assert CONTENT + b"," + ODD in body, (cell, body)
            last = [line for line in gateway.seen[cell].read_bytes().splitlines() if b'"tools/call"' in line][-1]
            assert b'"arguments":' + ARGUMENTS in last, (cell, last)
            assert b'"name":"odd"' in last, last


def test_the_bytes_are_odd():
    """A JSON library in the way would show: none of these members survives one."""
    for part in (ODD, SCHEMA, CONTENT):
        again = json.dumps(json.loads(b"{" + part + b"}"), ensure_ascii=False, separators=(",", ":")).encode()
        assert again != b"{" + part + b"}"
