"""HTTP servers of our own, in the process of the test: what all of them have in common."""

import contextlib
import http.server
import json
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with a body of known length on connections that stay; logs nothing."""

    protocol_version = "HTTP/1.1"

    def message(self):
        """The JSON that came."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def plain(self, status, body=b"", session=None):
        self.send_response(status)
        if session:
            self.send_header("Mcp-Session-Id", session)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def result(self, message, result, session=None):
        """The answer to a request, by an MCP server."""
        self.plain(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode(), session)

    def stream(self):
        """Begins an answer of events, which ends with the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_):
        pass


class Silent(Handler):
    """Of an MCP server that says nothing beside its answers: it has no stream, and sessions may end."""

    def do_GET(self):
        self.plain(405)

    def do_DELETE(self):
        self.plain(204)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True  # one that waits for something does not hold up the end
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that has gone is none."""


@contextlib.contextmanager
def serving(handler):
    """The server, listening on loopback until the block ends."""
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
