"""An MCP server whose bytes are odd on purpose: what it says is written down here, not made by a JSON library.

    odd_server.py stdio|http legacy|modern SEEN      http prints "listening on 127.0.0.1:PORT"

Each request goes to the file SEEN as it came, a line each.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Members that a JSON library would change: order, spelling of numbers and of characters, keys that only look alike, blanks.
ODD = (rb'"zeta":{"b":1,"a":2,"B":3,"b ":4,"b\u0000":5,"\u0062\u0301":6,"' + "ｂ".encode() + rb'":7,"\u212a":8,"k":9,"K":10,"":11},'
       rb'"numbers":[12345678901234567890,-0,0.10,1E+2,1e-7,9007199254740993,1.7976931348623157e308,123456789012345678901234567890.5],'
       rb'"text" : "\ud83d\ude00 ' + "😀 e\u0301 é \u2028 \ufeff \U0010ffff".encode() + rb' \u0000 \/ / \u00e9 \" \\ \b",'
       rb'"io.example/x":null ,  "resultType ":"x","Content":[],"isError ":false,"nested":[[[{"z":[],"a":{}}]]],"__proto__":{"x":1},'
       rb'"caf\u00e9":12,"a\"b":13,"\ud83d\ude00":[],"\/":14')
SCHEMA = (rb'"inputSchema":{"type":"object","$schema":"https://json-schema.org/draft/2020-12/schema",'
          rb'"properties":{"z":{"type":"integer","maximum":99999999999999999999,"multipleOf":1.0},'
          rb'"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"$anchor":"A","pattern":"^\u00e9\/$"}},'
          rb'"required":["z","a"],"additionalProperties":false},"x-vendor":{"b":1,"a":1.50}')
CAPABILITIES = rb'"capabilities":{"t\u006fols":{},"\u00e9":{},"experimental":{"caf\u00e9":{"a":1,"a":2}}}'
CONTENT = rb'"content":[{"type":"text","text":"odd \u00e9 \/","_meta":{"b":1,"a":2},"unknown":1.0}],"structuredContent":{"y":1e2,"x":[1.0]}'


def result(method, modern):
    lead = b'"resultType":"complete",' if modern else b""
    cache = b'"ttlMs":60000,"cacheScope":"private",' if modern else b""
    if method == "initialize":
        return b'{"protocolVersion":"2025-11-25",' + CAPABILITIES + b',"serverInfo":{"name":"odd","version":"1"}}'
    if method == "server/discover" and modern:
        return (b'{"resultType":"complete","supportedVersions":["2026-07-28"],' + CAPABILITIES +
                b',"ttlMs":0,"cacheScope":"private","serverInfo":{"name":"odd","version":"1"}}')
    if method == "tools/list":
        return b"{" + lead + cache + rb'"tools":[{"name":"odd",' + SCHEMA + b"," + ODD + b"}]}"
    if method == "tools/call":
        return b"{" + lead + CONTENT + b"," + ODD + b"}"
    return None


def answer(line, modern, seen):
    """The whole message; nothing for a notification."""
    with open(seen, "ab") as file:
        file.write(line.strip() + b"\n")
    message = json.loads(line)
    if "id" not in message:
        return None
    said = result(message["method"], modern)
    body = b'"result":' + said if said else b'"error":{"code":-32601,"message":"unknown method"}'
    return b'{"jsonrpc":"2.0","id":' + json.dumps(message["id"]).encode() + b"," + body + b"}"


def over_stdio(modern, seen):
    for line in sys.stdin.buffer:
        said = answer(line, modern, seen)
        if said:
            sys.stdout.buffer.write(said + b"\n")
            sys.stdout.buffer.flush()


def over_http(modern, seen):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            said = answer(self.rfile.read(int(self.headers["Content-Length"])), modern, seen)
            self.send_response(200 if said else 202)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said or b"")))
            self.end_headers()
            self.wfile.write(said or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    {"stdio": over_stdio, "http": over_http}[sys.argv[1]](sys.argv[2] == "modern", sys.argv[3])
