"""A control plane and an MCP endpoint in one small server, for tests of the command line.

It records every request, answers the few routes the tests use from memory, and misbehaves on request: `fail_next` holds one
prepared answer, and tools named bad_* of the endpoint go wrong in their own way.
"""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SESSION = "mcpctl_ses_" + "S" * 43
PAT = "mcpctl_pat_" + "P" * 43
REVISION = "2025-11-25"
TOOLS = [{"name": "echo", "inputSchema": {"type": "object"}},
         {"name": "bad_result", "inputSchema": {"type": "object"}},
         {"name": "bad_protocol", "inputSchema": {"type": "object"}},
         {"name": "bad_colour\u202e\x1b[31m", "inputSchema": {"type": "object"}}]


def error(status, word, message, hint=""):
    return status, {"error": word, "message": message, "hint": hint, "request_id": "req-7"}


class State:
    """What the tests look at and set."""

    def __init__(self):
        self.requests = []      # (method, path, bearer, body)
        self.objects = {}       # plural -> name -> object
        self.fail_next = None   # (status, body), once
        self.healthy = True
        self.tools, self.meta = TOOLS, None
        self.code = "CODE-1"
        self.session_ended = False

    def last(self, method):
        return next(r for r in reversed(self.requests) if r[0] == method)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    @property
    def state(self):
        return self.server.state

    def reply(self, status, body=None, headers=()):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if body is not None:
            self.send_header("Content-Type", "application/json")
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_request(self):
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size)
        body = json.loads(raw) if raw else None
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        url = urllib.parse.urlsplit(self.path)
        self.state.requests.append((self.command, self.path, bearer, body))
        if url.path == "/healthz":
            return self.reply(200 if self.state.healthy else 503, {})
        if url.path.startswith("/projects/"):
            return self.mcp(url, bearer, body)
        if self.state.fail_next:
            answer, self.state.fail_next = self.state.fail_next, None
            return self.reply(*answer)
        return self.reply(*self.api(url, bearer, body))

    do_GET = do_POST = do_PUT = do_DELETE = handle_request

    # --- control plane

    def api(self, url, bearer, body):
        parts = [urllib.parse.unquote(p) for p in url.path.split("/")[3:]]
        if parts[0] == "auth":
            return self.auth(parts[1], bearer, body)
        if bearer != SESSION:
            return error(401, "invalid_token", "the session has ended")
        query = dict(urllib.parse.parse_qsl(url.query))
        if parts[0] == "mcptokens" and self.command == "POST":
            return self.mint(body)
        return self.crud(parts, query, body)

    def auth(self, verb, bearer, body):
        session = {"token": SESSION, "user": {"id": "u1", "email": "ada@example.com"}}
        if verb == "bootstrap":
            if body["code"] != self.state.code:
                return error(403, "bad_bootstrap_code", "the bootstrap code is wrong")
            return 201, session
        if verb == "login":
            if body["password"] != "correct horse":
                return error(401, "login_failed", "e-mail address or password is wrong")
            return 200, session
        if bearer != SESSION:
            return error(401, "unauthorized", "no credentials")
        if verb == "logout":
            self.state.session_ended = True
            return 200, {}
        return 200, {"principal": "User", "email": "ada@example.com",
                     "permissions": [{"role": "edit", "resource": "*"}, {"role": "run", "action": "logs"}]}

    def mint(self, body):
        known = {"name", "project", "rbacMode", "bindings", "ttl", "description", "force"}
        if set(body) - known:
            return error(400, "invalid", "unknown field " + ", ".join(set(body) - known))
        record = {"kind": "mcptoken", "id": "t1", "name": body["name"], "project": body["project"],
                  "prefix": PAT[:15], "status": "active", "createdAt": "2026-01-02T03:04:05.678Z",
                  "bindings": [{"role": "view", "resource": "servers"}]}
        self.state.objects.setdefault("mcptokens", {})[body["name"]] = dict(record)
        return 201, dict(record, token=PAT, dropped=["edit *"])

    def crud(self, parts, query, body):
        objects = self.state.objects.setdefault(parts[0], {})
        if len(parts) == 1:
            if self.command == "GET":
                return 200, {"items": list(objects.values()), "revision": 3}
            name = body.get("name") or body.get("email")
            if name in objects:
                return error(409, "already_exists", f"{name} exists already")
            objects[name] = dict(body, id="x1", kind=parts[0][:-1], version=1, createdAt="2026-01-02T03:04:05Z")
            return 201, objects[name]
        name = parts[1]
        if name not in objects:
            return error(404, "not_found", f"there is no {name}", "see what exists: mcpctl get " + parts[0])
        if self.command == "PUT":
            objects[name] = dict(body, id="x1", version=2)
        if self.command == "DELETE":
            return 200, objects.pop(name)
        return 200, objects[name]

    # --- MCP endpoint, legacy revision

    def mcp(self, url, bearer, body):
        if self.command == "DELETE":
            return self.reply(204)
        if bearer != PAT:
            return self.reply(*error(401, "invalid_token", "the token is unknown"))
        if not url.path.startswith("/projects/demo/"):
            return self.reply(*error(403, "wrong_project", "the token belongs to project demo"))
        if "id" not in body:
            return self.reply(202)
        result = self.rpc(body["method"], body.get("params") or {})
        answer = {"jsonrpc": "2.0", "id": body["id"], **result}
        self.reply(200, answer, [("Mcp-Session-Id", "s-1")])

    def rpc(self, method, params):
        if method == "initialize":
            return {"result": {"protocolVersion": REVISION, "capabilities": {"tools": {}},
                               "serverInfo": {"name": "fake\u001b[2J", "version": "1.0"}}}
        if method == "tools/list":
            return {"result": {"tools": self.state.tools, **({"_meta": self.state.meta} if self.state.meta else {})}}
        if method == "tools/call":
            name = params["name"]
            if name == "bad_protocol":
                return {"error": {"code": -32603, "message": "it broke"}}
            text = "out of order" if name == "bad_result" else params["arguments"].get("message", "")
            return {"result": {"content": [{"type": "text", "text": text}], "isError": name == "bad_result"}}
        return {"error": {"code": -32601, "message": "Method not found: " + method}}


class FakeServer:
    """Runs on a free port of the loopback interface until closed."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.state = self.state = State()
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()
