"""Streams that listen follow the project: what is attached, taken away or allowed while they are open."""

import json
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import wire
from harness import EMAIL, SANITIZED, Gateway, until
from test_features import has
from test_remote import Remote

LISTS = ("tools", "prompts", "resources")
BOUND_S = 20  # generous: the figures are printed; a feed that is not heard answers after 30 s


@contextmanager
def fixture():
    with Gateway(settings=["--connections-per-address", 0]) as plane:
        plane.example()
        plane.example("late")
        plane.project("demo", "example")
        plane.ready(plane.token("warm-up"), "example")
        with Remote(plane) as remote:
            plane.remote = remote
            yield plane


@contextmanager
def listening(port, kind, token):
    client = kind(port, token)
    until(lambda: servers_of(client) == {"example"}, BOUND_S, why=client.tools)
    with wire.Connection(port) as connection:
        wishes = {} if kind is wire.Legacy else {f"{one}ListChanged": True for one in LISTS}
        stream = wire.Listener(client.listen(connection, **wishes))
        if kind is wire.Modern:
            until(lambda: has(stream, "notifications/subscriptions/acknowledged"))
        else:
            time.sleep(0.3)  # a legacy stream says nothing when it is ready
        yield client, stream
        connection.cut()


def heard(stream, change):
    """Seconds from the end of `change` until the stream has told of all lists."""
    count = len(stream.messages)
    change()
    began = time.monotonic()

    def told():
        methods = {one.get("method") for one in stream.messages[count:]}
        return {f"notifications/{one}/list_changed" for one in LISTS} <= methods

    until(told, BOUND_S, why=lambda: stream.messages)
    return time.monotonic() - began


def quiet(stream, seconds=1):
    """Until nothing has come for a while: what others have changed before may be told of late."""
    count, since = len(stream.messages), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        if len(stream.messages) != count:
            count, since = len(stream.messages), time.monotonic()


def servers_of(client):
    return {tool.split("__")[0] for tool in client.tools()}


def change(plane, method, path, body=None):
    answer = plane.rest(method, path, body)
    assert answer.status < 300, answer
    return answer.json


def attach(plane, *servers):
    change(plane, "PATCH", "projects/demo", {"servers": [{"server": one} for one in servers]})


def test_attached_and_taken_away(plane):
    for where, port in (("here", plane.port), ("gateway", plane.remote.port)):
        for kind in (wire.Legacy, wire.Modern):
            token = plane.token(f"attach-{where}-{kind.__name__.lower()}")
            with listening(port, kind, token) as (client, stream):
                there = heard(stream, lambda: attach(plane, "example", "late"))
                until(lambda: servers_of(client) == {"example", "late"}, BOUND_S, why=lambda: client.tools())
                gone = heard(stream, lambda: attach(plane, "example"))
                until(lambda: servers_of(client) == {"example"}, BOUND_S, why=client.tools)
                print(f"{where}, {kind.__name__}: attached heard after {1000 * there:.0f} ms, taken away after {1000 * gone:.0f} ms")


def test_a_server_that_was_attached_is_heard(plane):
    for port in (plane.port, plane.remote.port):
        token = plane.token(f"hears-{port}")
        with listening(port, wire.Modern, token) as (client, stream):
            heard(stream, lambda: attach(plane, "example", "late"))
            until(lambda: servers_of(client) == {"example", "late"}, BOUND_S)
            quiet(stream)
            count = len(stream.messages)

            def told():  # its own stream is opened a little later
                client.text("late__change", {"what": "tools"})
                time.sleep(0.1)
                return any(one.get("method") == "notifications/tools/list_changed" for one in stream.messages[count:])

            until(told, pause=0.2, why=lambda: stream.messages)
            heard(stream, lambda: attach(plane, "example"))


def test_rights_that_change(plane):
    for port in (plane.port, plane.remote.port):
        name = f"rights-{port}"
        token = plane.token(name, "demo", "--bind", "role:run,resource:tools,name:example/*")
        with wire.Connection(port) as connection:
            client = wire.Modern(port, token)
            before = client.tools()
            stream = wire.Listener(client.listen(connection, toolsListChanged=True))
            until(lambda: has(stream, "notifications/subscriptions/acknowledged"))
            sha = change(plane, "GET", f"mcptokens/{name}?project=demo")["tokenSha"]
            definition = {"name": f"more-{port}", "subjects": [f"McpToken:{sha}"],
                          "roleBindings": ["role:run,resource:tools,name:late/*"]}
            attach(plane, "example", "late")
            until(lambda: has(stream, "notifications/tools/list_changed"), BOUND_S)
            assert client.tools() == before
            count = len(stream.messages)
            change(plane, "POST", "rbac", definition)
            until(lambda: any(tool.startswith("late__") for tool in client.tools()), BOUND_S, why=lambda: client.tools())
            until(lambda: len(stream.messages) > count, BOUND_S)
            attach(plane, "example")
            until(lambda: client.tools() == before, BOUND_S, why=lambda: client.tools())
            connection.cut()


# A wall clock that goes ahead by what stands in a file; the monotonic one goes on as it did.
AHEAD = r"""
#include <stdlib.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t which, struct timespec* out) {
  const int code = (int)syscall(SYS_clock_gettime, which, out);
  char text[32] = {0};
  const int file = which == CLOCK_REALTIME ? open(getenv("AHEAD"), O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    if (read(file, text, sizeof text - 1) > 0) out->tv_sec += atol(text);
    close(file);
  }
  return code;
}
"""


class AheadGateway(Gateway):
    def command(self, port, data=None):
        folder = Path(self.ahead)
        return ["env", f"LD_PRELOAD={folder / 'ahead.so'}", f"AHEAD={folder / 'seconds'}", *super().command(port, data)]


def test_a_wall_clock_that_is_set_forwards_ends_streams():
    if SANITIZED:  # whose runtime has to be loaded first
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", f"{folder}/ahead.so"], input=AHEAD, text=True, check=True)
        Path(folder, "seconds").write_text("0")
        AheadGateway.ahead = folder
        with AheadGateway() as gateway:
            gateway.example()
            gateway.project("demo", "example")
            with wire.Connection(gateway.port) as connection:
                stream = wire.Listener(wire.Modern(gateway.port, gateway.token("t")).listen(connection, toolsListChanged=True))
                until(lambda: has(stream, "notifications/subscriptions/acknowledged"))
                part = Path(folder, "part")
                part.write_text("3700")  # the token lasts an hour
                os.replace(part, Path(folder, "seconds"))
                stream.end(15)


def test_a_request_has_the_rights_that_there_are_when_its_body_has_come(plane):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": {"name": "late__echo", "arguments": {"message": "heard"}}}).encode()
    for port in (plane.port, plane.remote.port):
        token = plane.token(f"body-{port}")
        client = wire.Modern(port, token)
        said = {}
        for attached in (True, False):
            attach(plane, "example", "late")
            until(lambda: servers_of(client) == {"example", "late"}, BOUND_S, why=lambda: client.tools())
            with wire.Connection(port) as connection:
                connection.http.putrequest("POST", "/projects/demo/mcp")
                for name, value in {"Authorization": f"Bearer {token}", "Content-Type": "application/json",
                                    "Accept": wire.RPC_ACCEPT, "Content-Length": str(len(body))}.items():
                    connection.http.putheader(name, value)
                connection.http.endheaders(body[:20])
                time.sleep(0.2)  # until it has been let in
                if not attached:
                    attach(plane, "example")
                    until(lambda: servers_of(client) == {"example"}, BOUND_S, why=client.tools)
                connection.http.send(body[20:])
                said[attached] = connection.answer().json
        assert "heard" in json.dumps(said[True]), said
        assert said[False]["error"]["message"] == "Unknown tool: late__echo", said


def test_another_definition_of_a_server(plane):
    attach(plane, "example", "late")
    command = change(plane, "GET", "servers/late")["command"]
    for port in (plane.port, plane.remote.port):
        client = wire.Modern(port, plane.token(f"definition-{port}"))
        until(lambda: servers_of(client) == {"example", "late"}, BOUND_S, why=lambda: client.tools())
        change(plane, "PATCH", "servers/late", {"command": ["/nonexistent"]})
        until(lambda: servers_of(client) == {"example"}, BOUND_S, why=lambda: client.tools())
        change(plane, "PATCH", "servers/late", {"command": command})
    attach(plane, "example")


def test_what_concerns_others_is_not_told(plane):
    plane.project("elsewhere", "late")
    for port in (plane.port, plane.remote.port):
        with listening(port, wire.Modern, plane.token(f"quiet-{port}")) as (client, stream):
            quiet(stream)
            count = len(stream.messages)
            change(plane, "PATCH", "projects/elsewhere", {"servers": []})
            change(plane, "PATCH", "projects/demo", {"description": f"seen at {port}"})
            plane.token(f"bystander-{port}")
            change(plane, "POST", "rbac", {"name": f"of-no-weight-{port}", "subjects": [f"User:{EMAIL}"],
                                           "roleBindings": ["role:view,resource:groups"]})
            time.sleep(1)
            assert stream.messages[count:] == []
            change(plane, "PATCH", "projects/elsewhere", {"servers": [{"server": "late"}]})
