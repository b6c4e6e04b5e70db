"""Many slow or idle clients of one mcpd, in a process of their own, so that they do not slow those who measure.

    crowd.py slow|modern|legacy PORT COUNT PATH      the bearer is in E2E_TOKEN; prints "ready", ends with standard input

Slow ones drip a head, drip a body, or ask for a large answer and hardly read it; who is cut comes again, and how often that
was is printed at the end. The others open a stream for what servers say, as their era does, and say nothing.
"""

import json
import os
import resource
import selectors
import socket
import sys
import time

KIND, PORT, COUNT, PATH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
TOKEN = os.environ["E2E_TOKEN"]
META = "io.modelcontextprotocol/"
DRIP_S = 2.0  # a byte of each in this time
AT_ONCE = 100  # connections that are opened together


def body(method, params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def modern(method, params):
    meta = {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": {}, META + "clientInfo": {"name": "crowd", "version": "1"}}
    content = body(method, params | {"_meta": meta})
    return head("POST", f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\nContent-Length: {len(content)}\r\n") + content


def head(verb, fields):
    return (f"{verb} {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\n{fields}\r\n").encode()


LIST = modern("tools/list", {})


class Slow:
    """A connection: what it sends at once, what it drips, whether it reads."""

    def __init__(self, number):
        self.kind = ("head", "body", "reader")[number % 3]
        self.open()

    def open(self):
        self.socket = socket.socket()
        if self.kind == "reader":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.connect(("127.0.0.1", PORT))
        self.socket.setblocking(False)
        at_once = {"head": 20, "body": LIST.index(b"\r\n\r\n") + 6}.get(self.kind, len(LIST))
        self.socket.send(LIST[:at_once])
        self.rest = LIST[at_once:-1]  # its end never comes

    def drip(self):
        """False when mcpd has hung up."""
        try:
            if self.kind == "reader":
                self.socket.send(LIST)  # answers pile up that nobody takes
                return bool(self.socket.recv(1))
            self.socket.send(self.rest[:1] or b" ")
            self.rest = self.rest[1:]
            return self.socket.recv(65536) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False


def stop_asked(seconds):
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def drip_until_asked(crowd):
    cut, slice_s = 0, DRIP_S / 20
    step = max(1, len(crowd) // 20)
    while True:
        for start in range(0, len(crowd), step):
            for one in crowd[start:start + step]:
                if not one.drip():
                    cut += 1
                    one.socket.close()
                    one.open()
            if stop_asked(slice_s):
                return cut


def named(line):
    name, value = line.split(b": ", 1)
    return name.lower(), value


def sessions(count):
    """Ids of that many sessions of the legacy era, made on one connection."""
    content = body("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "crowd", "version": "1"}})
    made = []
    with socket.create_connection(("127.0.0.1", PORT)) as connection, connection.makefile("rb") as answers:
        for _ in range(count):
            connection.sendall(head("POST", f"Content-Length: {len(content)}\r\n") + content)
            assert b"200" in answers.readline()
            fields = dict(named(line) for line in iter(lambda: answers.readline().strip(), b""))
            answers.read(int(fields[b"content-length"]))
            made.append(fields[b"mcp-session-id"].decode())
    return made


def streams(count):
    """What opens each stream."""
    if KIND == "modern":
        return [modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}})] * count
    return [head("GET", f"MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n") for session in sessions(count)]


def listen(opening):
    one = socket.create_connection(("127.0.0.1", PORT))
    one.sendall(opening)
    return one


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = range(COUNT) if KIND == "slow" else streams(COUNT)
    crowd = []
    while len(crowd) < COUNT:
        crowd += [Slow(each) if KIND == "slow" else listen(each) for each in wanted[len(crowd):len(crowd) + AT_ONCE]]
        if KIND != "slow":
            for one in crowd[-AT_ONCE:]:
                assert b"200 OK" in one.recv(4096)  # it has been answered: the stream is there
        time.sleep(0.01)  # the backlog of a listener is no part of this
    print("ready", flush=True)
    if KIND == "slow":
        print(json.dumps({"cut": drip_until_asked(crowd)}), flush=True)
    else:
        sys.stdin.read()


main()
