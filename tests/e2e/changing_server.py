"""An MCP server of the modern era over HTTP that lists what a file holds, and insists on Mcp-Param-* headers.

    changing_server.py TOOLS SEEN      prints "listening on 127.0.0.1:PORT"

TOOLS is the JSON array of its tools, as it stands; read anew for each list. The heads of calls go to the file SEEN, a line
of JSON each. A call whose arguments are marked as headers is refused when its head does not say the same.
"""

import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOOLS, SEEN = Path(sys.argv[1]), Path(sys.argv[2])


def lenient(text):
    return json.loads(text, object_pairs_hook=dict)


def decoded(value):
    if value and value.startswith("=?base64?") and value.endswith("?="):
        return base64.b64decode(value[9:-2]).decode()
    return value


def wanted_headers(tool, arguments):
    """Name and text of each marked argument that is there."""
    for name, schema in tool.get("inputSchema", {}).get("properties", {}).items():
        mark = schema.get("x-mcp-header") if isinstance(schema, dict) else None
        if mark and arguments.get(name) is not None:
            value = arguments[name]
            yield f"Mcp-Param-{mark}", value if isinstance(value, str) else json.dumps(value)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.answer(message)
        text = b'{"jsonrpc":"2.0","id":' + json.dumps(message["id"]).encode() + b"," + body + b"}"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def answer(self, message):
        method = message["method"]
        if method == "server/discover":
            return 200, (b'"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},'
                         b'"ttlMs":0,"cacheScope":"public","serverInfo":{"name":"changing","version":"1"}}')
        if method == "tools/list":
            return 200, b'"result":{"resultType":"complete","ttlMs":200,"cacheScope":"public","tools":' + TOOLS.read_bytes() + b"}"
        if method != "tools/call":
            return 404, b'"error":{"code":-32601,"message":"unknown method"}'
        with SEEN.open("a") as file:
            file.write(json.dumps(dict(self.headers)) + "\n")
        name, arguments = message["params"]["name"], message["params"].get("arguments", {})
        tool = next(tool for tool in lenient(TOOLS.read_text()) if tool["name"] == name)
        for header, text in wanted_headers(tool, arguments):
            if decoded(self.headers.get(header)) != text:
                return 400, b'"error":{"code":-32020,"message":"header mismatch"}'
        return 200, b'"result":{"resultType":"complete","content":[{"type":"text","text":"called"}]}'

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
