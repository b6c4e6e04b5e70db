"""HTTP and MCP as bytes: what a client library would hide. Every answer is kept in `recorded`."""

import http.client
import json
import select
import socket
import threading
import time

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
META = "io.modelcontextprotocol/"
RPC_ACCEPT = "application/json, text/event-stream"

recorded = []  # every answer's head and body, for tests that look for what must not be there


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        recorded.append(f"{status}\n{headers}\n".encode() + body)

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


class Connection:
    """One keep-alive connection."""

    def __init__(self, port, timeout=60):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()

    def close(self):
        self.http.close()

    def send(self, method, path, body=None, headers=()):
        """`headers`: a dict, or pairs where a name may repeat."""
        fields = list(headers.items() if isinstance(headers, dict) else headers)
        names = {name.lower() for name, _ in fields}
        body = body.encode() if isinstance(body, str) else body
        if self.has_ended():  # it was idle for too long: a client of a busy machine may be
            self.http.close()
        self.http.putrequest(method, path, skip_host="host" in names, skip_accept_encoding=True)
        for name, value in fields:
            self.http.putheader(name, value)
        if body is not None:
            self.http.putheader("Content-Length", str(len(body)))
        self.http.endheaders(body)
        self.socket = self.http.sock  # http.client forgets it when the answer will end with the connection

    def has_ended(self):
        used = self.http.sock
        return used and select.select([used], [], [], 0)[0] and not used.recv(1, socket.MSG_PEEK)

    def cut(self):
        """Closes at once, in both directions."""
        self.socket.shutdown(socket.SHUT_RDWR)

    def request(self, method, path, body=None, headers=()):
        self.send(method, path, body, headers)
        return self.answer()

    def answer(self):
        response = self.http.getresponse()
        return Answer(response.status, response.headers, response.read())

    def events(self):
        return Events(self.http.getresponse())


class Events:
    """The messages of an event stream, or the one of a JSON answer."""

    def __init__(self, response):
        self.response = response
        self.status, self.headers = response.status, response.headers
        self.is_stream = response.headers.get_content_type() == "text/event-stream"
        self.last_id = None  # of an event

    def __iter__(self):
        if not self.is_stream:
            answer = Answer(self.status, self.headers, self.response.read())
            if answer.body:
                yield answer.json
            return
        data = []
        while line := self.response.readline():
            recorded.append(line)
            text = line.decode().rstrip("\r\n")
            if text.startswith("data:"):
                data.append(text[5:].removeprefix(" "))
            elif text.startswith("id:"):
                self.last_id = text[3:].removeprefix(" ")
            elif not text and data:
                body, data = "\n".join(data), []
                if body:  # else it only has an id
                    yield json.loads(body)


class Client:
    """The fields and messages of one MCP client; each request may go over any connection."""

    def __init__(self, port, token, project="demo", capabilities=None, connection=None):
        self.port, self.token, self.path = port, token, f"/projects/{project}/mcp"
        self.capabilities = capabilities or {}
        self.connection = connection or Connection(port)
        self.last_id = 0

    def fields(self, message):
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "Accept": RPC_ACCEPT}

    def message(self, method, params=None, id=None):
        self.last_id += 1
        message = {"jsonrpc": "2.0", "id": self.last_id if id is None else id, "method": method}
        return message if params is None else message | {"params": params}

    def post(self, message, connection=None):
        """Sends; the answer's messages can be read one by one."""
        connection = connection or self.connection
        connection.send("POST", self.path, json.dumps(message), self.fields(message))
        return connection.events()

    def request(self, method, params=None, id=None, connection=None, heard=None):
        """The answer's message; what came before it goes to `heard`."""
        messages = list(self.post(self.message(method, params, id), connection))
        if heard is not None:
            heard += messages[:-1]
        assert messages, f"no answer to {method}"
        return messages[-1]

    def call(self, tool, arguments=None, **options):
        return self.request("tools/call", {"name": tool, "arguments": arguments or {}}, **options)

    def text(self, tool, arguments=None, **options):
        """The first text of a call that succeeds."""
        answer = self.call(tool, arguments, **options)
        assert "result" in answer and not answer["result"].get("isError"), answer
        return answer["result"]["content"][0]["text"]

    def tools(self):
        return [tool["name"] for tool in self.request("tools/list", {})["result"]["tools"]]


class Legacy(Client):
    def __init__(self, *words, version=LEGACY, **options):
        super().__init__(*words, **options)
        self.version, self.session = None, None
        first = self.message("initialize", {"protocolVersion": version, "capabilities": self.capabilities,
                                            "clientInfo": {"name": "e2e", "version": "1"}})
        events = self.post(first)
        answer = list(events)[-1]
        assert "result" in answer, answer
        self.server = answer["result"]
        self.version = self.server["protocolVersion"]
        self.session = events.headers["Mcp-Session-Id"]
        assert self.notify("notifications/initialized") == 202

    def fields(self, message):
        fields = super().fields(message)
        if self.session:
            fields |= {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": self.version}
        return fields

    def notify(self, method, params=None, connection=None):
        message = {"jsonrpc": "2.0", "method": method} | ({} if params is None else {"params": params})
        return self.deliver(message, connection)

    def deliver(self, message, connection=None):
        """A notification or a response; the status."""
        events = self.post(message, connection)
        assert not list(events)
        return events.status

    def listen(self, connection, last_id=None):
        """Its own stream, or what came after an event of a call's."""
        again = {} if last_id is None else {"Last-Event-ID": last_id}
        connection.send("GET", self.path, headers=self.fields(None) | {"Accept": "text/event-stream"} | again)
        return connection.events()


class Modern(Client):
    def message(self, method, params=None, id=None):
        message = super().message(method, dict(params or {}), id)
        meta = {META + "protocolVersion": MODERN, META + "clientCapabilities": self.capabilities,
                META + "clientInfo": {"name": "e2e", "version": "1"}}
        message["params"]["_meta"] = meta | message["params"].get("_meta", {})
        return message

    def fields(self, message):
        fields = super().fields(message) | {"MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"]}
        if message["method"] in ("tools/call", "prompts/get"):
            fields["Mcp-Name"] = message["params"]["name"]
        if message["method"] == "resources/read":
            fields["Mcp-Name"] = message["params"]["uri"]
        return fields

    def listen(self, connection, **wishes):
        """A subscriptions/listen, for `notifications` of that content."""
        return self.post(self.message("subscriptions/listen", {"notifications": wishes}), connection)


class Listener(threading.Thread):
    """Reads a stream to its end on a thread of its own."""

    def __init__(self, events):
        super().__init__(daemon=True)
        self.events, self.messages, self.ended_at = events, [], None
        self.start()

    def run(self):
        try:
            for message in self.events:
                self.messages.append(message)
        except (OSError, http.client.HTTPException):
            pass  # cut off, which is an end too
        self.ended_at = time.monotonic()

    def end(self, seconds=60):
        """When the stream ended."""
        self.join(seconds)
        assert self.ended_at, f"the stream did not end within {seconds} s"
        return self.ended_at


def raw(port, data, timeout=30):
    """Bytes in, bytes out until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(data)
        out = b""
        try:
            while part := connection.recv(65536):
                out += part
        except TimeoutError:
            pass
        recorded.append(out)
        return out
