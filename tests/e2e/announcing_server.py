"""An MCP server over HTTP that lists what a file holds for as long as it likes, and says when it has changed.

    announcing_server.py ERA TOOLS OPEN      prints "listening on 127.0.0.1:PORT"

ERA: modern, legacy, or mute: legacy, but with no stream to say it on. TOOLS is the JSON array of its tools. OPEN: how many streams are
open and how many were asked for, two numbers.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ERA, TOOLS, OPEN = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
CAPABILITIES = {"tools": {"listChanged": True}}
counts, lock = [0, 0], threading.Lock()


def count(is_open, asked=0):
    with lock:
        counts[0] += is_open
        counts[1] += asked
        part = OPEN.with_suffix(".part")
        part.write_text(f"{counts[0]} {counts[1]}")
        part.replace(OPEN)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method, number = message["method"], message.get("id")
        if number is None:
            return self.say(202, b"")
        if ERA == "modern" and method == "subscriptions/listen":
            meta = {"io.modelcontextprotocol/subscriptionId": number}
            return self.announce({"_meta": meta}, {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                                                   "params": {"notifications": {"toolsListChanged": True}, "_meta": meta}})
        return self.say(*self.answer(method, number))

    def answer(self, method, number):
        modern = {"resultType": "complete", "ttlMs": 600_000, "cacheScope": "public"} if ERA == "modern" else {}
        results = {"tools/list": {**modern, "tools": json.loads(TOOLS.read_text())}}
        if ERA == "modern":
            results["server/discover"] = {**modern, "supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES,
                                          "serverInfo": {"name": "announcing", "version": "1"}}
        else:
            results["initialize"] = {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES,
                                     "serverInfo": {"name": "announcing", "version": "1"}}
            results["ping"] = {}
        found = results.get(method)
        body = {"result": found} if found is not None else {"error": {"code": -32601, "message": "unknown method"}}
        return (200 if found is not None or ERA != "modern" else 404), json.dumps({"jsonrpc": "2.0", "id": number} | body).encode()

    def do_GET(self):
        if ERA == "legacy":
            return self.announce({})
        count(0, 1)
        return self.say(405, b"")

    def announce(self, params, *first):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        count(1, 1)
        try:
            seen = TOOLS.stat().st_mtime_ns
            for message in first:
                self.event(message)
            while True:
                time.sleep(0.02)
                self.wfile.write(b":\n\n")
                now = TOOLS.stat().st_mtime_ns
                if now != seen:
                    seen = now
                    self.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": params})
        except OSError:
            count(-1)
        self.close_connection = True

    def event(self, message):
        self.wfile.write(b"data: " + json.dumps(message).encode() + b"\n\n")

    def say(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
