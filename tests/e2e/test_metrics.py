"""What an operator watches: /metrics and who may read it, /readyz, the access log, traces."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress

import wire
from harness import EMAIL, MCPD, PATIENCE_S, ROOT, Gateway, until, whole_lines
from test_remote import Remote

ADMIN = ["--admin-listen", "127.0.0.1:0"]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@contextmanager
def fixture():
    with Gateway(settings=["--connections-per-address", 0, "--allowed-hosts", "127.0.0.1", *ADMIN, "--access-log", "json"]) as gateway:
        gateway.example()
        gateway.example_http()
        gateway.project("demo", "example", "web")
        gateway.project("other", "example")
        gateway.warm = gateway.token("warm-up")
        gateway.ready(gateway.warm, "example", "web")
        yield gateway


def admin_port(process):
    return int(until(lambda: re.search(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", process.text()))[1])


def scrape(process, headers=()):
    with wire.Connection(admin_port(process)) as connection:
        answer = connection.request("GET", "/metrics", headers=headers)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer
    return answer.body.decode()


class Metrics:
    def __init__(self, text):
        self.text, self.rows = text, []
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                self.rows.append((name, dict(LABEL.findall(labels or "")), float(value)))

    def sum(self, name, **labels):
        return sum(value for found, there, value in self.rows if found == name and labels.items() <= there.items())


def measure(gateway):
    return Metrics(scrape(gateway.process))


def test_main_job(gateway):
    before = measure(gateway)
    token = gateway.token("counted")
    modern, legacy = wire.Modern(gateway.port, token), wire.Legacy(gateway.port, token)
    for _ in range(5):
        assert modern.text("example__echo", {"message": "x"}) == "x"
    assert legacy.text("web__echo", {"message": "y"}) == "y"
    assert modern.call("example__fail")["result"]["isError"]
    assert modern.call("example__made_up")["error"]["code"] == -32602
    assert modern.request("no/such")["error"]["code"] == -32601
    served, asked = "mcp_server_operation_duration_seconds_count", "http_server_request_duration_seconds_count"

    def grown(name, **labels):
        return after.sum(name, **labels) - before.sum(name, **labels)

    def counted():  # a request is counted when its answer has been sent, and the client has it before that
        nonlocal after
        after = measure(gateway)
        calls = grown(served, mcp_method_name="tools/call")
        return calls >= 8 and grown(served, mcp_method_name="_other") >= 1 and grown(asked, http_route=route) >= 10

    route, after = "/projects/:project/mcp", None
    until(counted)
    assert grown(served, mcp_method_name="tools/call", gen_ai_tool_name="example__echo", mcp_protocol_version=wire.MODERN) == 5
    assert grown(served, mcp_method_name="tools/call", gen_ai_tool_name="web__echo", mcp_protocol_version=wire.LEGACY) == 1
    assert grown(served, mcp_method_name="tools/call", error_type="tool_error") == 1
    # What no server lists may be made up: it has no label of its own.
    assert grown(served, mcp_method_name="tools/call", gen_ai_tool_name="_other", error_type="-32602") == 1
    assert grown(served, mcp_method_name="_other", error_type="-32601") == 1
    assert grown(served, mcp_method_name="initialize") == 1
    assert grown("mcp_server_operation_duration_seconds_bucket", mcp_method_name="tools/call", le="+Inf") == 8
    assert grown("mcp_client_operation_duration_seconds_count", mcp_method_name="tools/call", mcptoken_server="example") == 7
    assert grown("mcptoken_calls_total", mcptoken_server="example", outcome="ok") == 5
    assert grown("mcptoken_authentications_total", outcome="ok") >= 10
    assert grown(asked, http_route=route, http_response_status_code="200") >= 9
    assert until(lambda: measure(gateway).sum("mcptoken_upstream_connections", mcptoken_server="example", state="running")) == 1
    assert after.sum("mcptoken_catalogue_fetches_total", outcome="ok") >= 2
    assert after.sum("mcptoken_objects", kind="project") == 2 and after.sum("mcptoken_ready", check="store") == 1
    assert 0 < grown("mcp_server_operation_duration_seconds_sum") < 60
    for secret in (token, "counted", "ada@", gateway.data.as_posix()):
        assert secret not in after.text, secret


def test_credentials_by_class(gateway):
    """BR-39."""
    before = measure(gateway)
    token, gone = gateway.token("mine"), gateway.token("gone")
    gateway.mcpctl("delete", "mcptoken", "gone", "-p", "demo")
    unknown = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")

    def ask(path="/projects/demo/mcp", **fields):
        with wire.Connection(gateway.port) as connection:
            return connection.request("POST", path, "{}", {"Content-Type": "application/json", **fields}).status

    assert ask() == 401
    assert ask(Authorization="Bearer mcpctl_pat_short") == 401
    assert ask(Authorization="Bearer " + gone) == 401
    assert ask(Authorization="Bearer " + gateway.admin) == 401
    assert ask("/projects/other/mcp", Authorization="Bearer " + token) == 403
    assert gateway.rest("GET", "users", bearer=token).status == 403
    assert ask(Authorization="Bearer " + unknown) == 401
    outcomes = ("missing", "revoked", "wrong_kind", "wrong_project", "forbidden", "malformed", "unknown")

    def grown():
        after = measure(gateway)
        return {one: after.sum("mcptoken_authentications_total", outcome=one) -
                before.sum("mcptoken_authentications_total", outcome=one) for one in outcomes}

    until(lambda: sum(grown().values()) >= 7, why=grown)
    counts = grown()
    bad = counts.pop("malformed") + counts.pop("unknown")
    assert set(counts.values()) == {1} and bad == 2, (counts, bad)  # the changed end of the second may break the form


def test_what_is_malformed_is_counted(gateway):
    """Once each, by whomever it is refused: the gate, or what is below it."""
    host = b"Host: 127.0.0.1:%d\r\n" % gateway.port
    for name, request in {
            "an empty segment": b"GET /a//b HTTP/1.1\r\n" + host,
            "a length that is none": b"POST / HTTP/1.1\r\nContent-Length: +3\r\n" + host,
            "a large head": b"GET / HTTP/1.1\r\nBig: " + b"x" * 40_960 + b"\r\n" + host,
            "a large target": b"GET /" + b"a" * 40_960 + b" HTTP/1.1\r\n" + host, "no version": b"GET /\r\n" + host}.items():
        def count():
            return measure(gateway).sum("mcpd_requests_malformed_total")

        before = count()
        with suppress(ConnectionError):  # not all that was sent has been read
            wire.raw(gateway.port, request + b"\r\n")
        assert count() == before + 1, name


def test_made_up_words_have_no_labels(gateway):
    """As many methods, tools and paths as somebody likes: the number of series has a limit."""
    client = wire.Modern(gateway.port, gateway.warm)
    before = len(measure(gateway).rows)
    for number in range(300):
        client.request(f"made/up{number}")
        client.call(f"example__tool{number}")
        client.connection.request("GET", f"/nowhere/{number}")
        client.connection.request(f"VERB{number}", "/mcp")
    rows = measure(gateway).rows
    assert len(rows) - before < 150, (before, len(rows))
    assert not any("made/up" in value or "tool1" in value or "nowhere" in value for _, labels, _ in rows for value in labels.values())


def test_dashboard_and_alerts_know_the_names(gateway):
    """Each metric that they ask for is one that mcpd or its gateway has, with those labels."""
    with Remote(gateway, *ADMIN) as remote:
        assert wire.Modern(remote.port, gateway.warm).text("example__echo", {"message": "x"}) == "x"
        texts = [scrape(gateway.process), scrape(remote.process)]
    known = {}
    for text in texts:
        for name, labels, _ in Metrics(text).rows:
            known.setdefault(name, set()).update(labels)
    known["up"] = set()
    folder = ROOT / "deploy/monitoring"
    asked = [target["expr"] for panel in json.loads((folder / "dashboard.json").read_text())["panels"] for target in panel["targets"]]
    asked += re.findall(r"^ *(?:expr: |  )(.*(?:mcp|process_|http_server|up\{).*)$", (folder / "alerts.yaml").read_text(), re.M)
    used = [(name, re.findall(r'(\w+)\s*(?:=~|!=|!~|=)', labels)) for text in asked
            for name, labels in re.findall(r'\b((?:mcp|mcptoken|mcpd|process|http_server)_\w+)(?:\{([^}]*)\})?', text)
            if name not in ("mcp_method_name", "mcptoken_server")]
    assert len(used) > 40, len(used)
    # These have to be in the state that is looked for, which is not the case here.
    for name, labels in used:
        assert name in known, f"{name} is asked for, and nobody has it"
        missing = set(labels) - known[name] - {"job", "instance", "error_type"}
        assert not missing, f"{name} has no label {missing}"


def test_promtool_is_content(gateway):
    promtool = shutil.which("promtool")
    assert promtool, "promtool is needed: scripts/setup tests"
    done = subprocess.run([promtool, "check", "metrics"], input=scrape(gateway.process), capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    done = subprocess.run([ROOT / "deploy/monitoring/check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_who_may_read(gateway):
    port = admin_port(gateway.process)

    def ask(method="GET", path="/metrics", **fields):
        with wire.Connection(port) as connection:
            return connection.request(method, path, headers=fields).status

    assert ask() == ask(Host="localhost:1") == ask(Host=f"[::1]:{port}") == 200
    assert ask(Host="evil.example") == ask(Host="127.0.0.1.evil.example") == 421  # a name that leads here
    assert ask("POST") == 405 and ask(path="/") == ask(path="/api/v1/version") == 404
    with wire.Connection(gateway.port) as clients:  # where clients come in there is none
        assert clients.request("GET", "/metrics").status == 404
        assert clients.request("GET", "/metrics", headers={"Authorization": f"Bearer {gateway.admin}"}).status == 404


def run_until_it_ends(*words):
    return subprocess.run([str(MCPD), *map(str, words)], capture_output=True, text=True, timeout=PATIENCE_S)


def test_where_others_can_reach_it_a_token_is_needed(gateway):
    folder = gateway.dir / "open"
    folder.mkdir()
    secret = folder / "token"
    base = ("--listen", "127.0.0.1:0", "--data-dir", folder / "data")
    refused = run_until_it_ends(*base, "--admin-listen", "0.0.0.0:0")
    assert refused.returncode == 64 and "admin-token-file" in refused.stderr, refused
    secret.write_text("short\n")
    refused = run_until_it_ends(*base, "--admin-listen", "0.0.0.0:0", "--admin-token-file", secret)
    assert refused.returncode == 64 and "16 characters" in refused.stderr, refused
    secret.write_text("0123456789abcdefghij\n")
    process = gateway.spawn([MCPD, *base, "--admin-listen", "0.0.0.0:0", "--admin-token-file", secret], "open.log")
    port = int(until(lambda: re.search(r"metrics at http://0\.0\.0\.0:(\d+)/", process.text()))[1])
    with wire.Connection(port) as connection:
        assert connection.request("GET", "/metrics").status == 401
        assert connection.request("GET", "/metrics", headers={"Authorization": "Bearer 0123456789abcdefghi"}).status == 401
        answer = connection.request("GET", "/metrics", headers={"Authorization": "Bearer 0123456789abcdefghij", "Host": "any"})
        assert answer.status == 200 and b"mcptoken_build_info" in answer.body
    assert "0123456789" not in process.text()


def test_one_address_does_not_keep_others_out(gateway):
    port = admin_port(gateway.process)
    with ExitStack() as stack:
        for _ in range(20):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.9", 0)))
            with suppress(OSError):  # closed at once
                one.sendall(b"GET /metrics HTTP/1.1\r\n")
        began = time.monotonic()
        assert scrape(gateway.process)
        assert time.monotonic() - began < 5, "it waited until one of them was given up, after 10 s"


def test_a_port_that_is_taken(gateway):
    """Asked for: an error. Not asked for: no reason not to serve."""
    taken = admin_port(gateway.process)
    refused = run_until_it_ends("--listen", "127.0.0.1:0", "--data-dir", gateway.dir / "second", "--admin-listen", f"127.0.0.1:{taken}")
    assert refused.returncode == 1 and "admin-listen: cannot listen" in refused.stderr, refused


def test_readiness(gateway):
    with wire.Connection(gateway.port) as connection:
        for path in ("/healthz", "/readyz"):
            assert connection.request("GET", path).json == {"status": "ok"}
            head = connection.request("HEAD", path)
            assert (head.status, head.headers["Content-Length"], head.body) == (200, "15", b""), head
        for path in ("/healthz?", "/healthz?from=balancer", "/readyz?x", "/readyz?verbosely"):
            assert connection.request("GET", path).json == {"status": "ok"}, path
        assert connection.request("GET", "/healthz/x").status == connection.request("GET", "/readyzz").status == 404
        assert "[+]store ok" in connection.request("GET", "/readyz?x=1&verbose=1").body.decode()
        words = connection.request("GET", "/readyz?verbose")
    assert words.status == 200 and words.body.decode().splitlines() == [
        "[+]serving ok", "[+]loops ok", "[+]store ok", "[+]audit ok", "readyz check passed"], words


def test_readiness_of_a_gateway():
    """Without its control plane it goes on with the tokens that it knows; nobody would ask again if it were taken out."""
    with Gateway() as plane:
        plane.example()
        plane.project("demo", "example")
        token = plane.token("t")
        with Remote(plane, *ADMIN) as remote:
            assert remote.ask("GET", "/readyz?verbose").body.decode().splitlines()[-2:] == ["[+]control-plane ok", "readyz check passed"]
            assert wire.Modern(remote.port, token).tools()
            plane.stop()
            assert remote.ask("POST", "/mcp", plane.admin, "{}", {"Content-Type": "application/json"}).status in (401, 503)
            assert remote.ask("POST", "/mcp", token[:-8] + "00000000", "{}", {"Content-Type": "application/json"}).status in (401, 503)
            ready = lambda: remote.ask("GET", "/readyz?verbose")  # noqa: E731
            until(lambda: b"[!]control-plane failed: it cannot be asked" in ready().body, why=ready)
            assert ready().status == 200
            metrics = lambda: Metrics(scrape(remote.process))  # noqa: E731
            until(lambda: metrics().sum("mcptoken_control_plane_up") == 0, why=lambda: metrics().text)
            assert metrics().sum("mcptoken_verdicts_total", source="control_plane") == 1


def access_lines(text, **wanted):
    found = []
    for line in whole_lines(text):
        if line.startswith('{"time"'):
            record = json.loads(line)
            if wanted.items() <= record.items():
                found.append(record)
    return found


def test_access_log(gateway):
    token = gateway.token("seen")
    client = wire.Modern(gateway.port, token)
    message = client.message("tools/call", {"name": "web__echo", "arguments": {"message": "an argument"}})
    client.connection.send("POST", client.path + "?a=query", json.dumps(message), client.fields(message) | {"traceparent": PARENT})
    assert list(client.connection.events())
    line = until(lambda: access_lines(gateway.process.text(), principal="demo/seen", mcp_method="tools/call"))[0]
    assert line["method"] == "POST" and line["path"] == "/projects/demo/mcp" and line["route"] == "/projects/:project/mcp"
    assert line["status"] == 200 and line["bytes"] > 50 and 0 < line["seconds"] < 30 and line["client"] == "127.0.0.1"
    assert line["subject"] == "web__echo" and line["project"] == "demo" and line["trace_id"] == TRACE
    audit = until(lambda: [one for one in gateway.rest("GET", "audit/events?limit=100").json["items"]
                           if one.get("requestId") == line["request_id"]])
    assert audit, line
    with wire.Connection(gateway.port) as connection:
        connection.request("GET", f"/{token}/nowhere")
        connection.request("GET", "/api/v1/projects/demo", headers={"Authorization": f"Bearer {gateway.admin}"})
    wire.raw(gateway.port, b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", timeout=2)
    assert until(lambda: access_lines(gateway.process.text(), refused="form", status=400))
    assert until(lambda: access_lines(gateway.process.text(), route="/api/v1/projects/:project", principal=EMAIL))
    text = gateway.process.text()
    for secret in (token, "an argument", "query", gateway.admin):
        assert secret not in text, secret


def test_access_log_as_text():
    with Gateway(settings=["--access-log", "text"]) as gateway:
        with wire.Connection(gateway.port) as connection:
            connection.request("GET", "/healthz")
            connection.request("GET", "/a%20b\"c")
        line = until(lambda: [line for line in whole_lines(gateway.process.text()) if "path=/healthz" in line])[0]
    assert re.fullmatch(r"time=\S+Z client=127\.0\.0\.1 method=GET path=/healthz route=/healthz status=200 bytes=15 "
                        r"seconds=\d+\.\d{6} request_id=\w+", line), line


def test_nobody_waits_for_a_reader_of_the_log():
    """Standard output is a pipe that nobody empties: requests are answered as before, and what is lost is counted."""
    read, write = os.pipe()
    folder = None
    with Gateway(bootstrap=False) as other:  # for its folder
        folder = other.dir / "full"
        folder.mkdir()
        port_file = folder / "port"
        errors = open(folder / "stderr", "wb")
        popen = subprocess.Popen([MCPD, "--listen", "127.0.0.1:0", "--data-dir", folder / "data", "--port-file", port_file, "--loops", "1",
                                  "--access-log", "json", *ADMIN], stdout=write, stderr=errors, stdin=subprocess.DEVNULL)
        os.close(write)
        try:
            port = int(until(lambda: port_file.exists() and port_file.read_text().strip()))
            slowest = 0.0
            with socket.create_connection(("127.0.0.1", port)) as connection:
                for _ in range(60):  # 64 KiB of pipe, 4,096 lines of ring
                    began, answers = time.monotonic(), b""
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
                    while answers.count(b'{"status":"ok"}') < 100:
                        piece = connection.recv(65536)
                        assert piece, answers[-500:]
                        answers += piece
                    slowest = max(slowest, time.monotonic() - began)
            process = type("Log", (), {"text": lambda self: (folder / "stderr").read_text()})()
            assert Metrics(scrape(process)).sum("mcpd_access_log_dropped_total") > 500
            assert slowest < 10, slowest
            began = time.monotonic()
            popen.terminate()
            assert popen.wait(PATIENCE_S) == 0
            assert time.monotonic() - began < 20
        finally:
            popen.kill()
            popen.wait()
            os.close(read)
            errors.close()


def seen_by(log, after):
    return [line for line in whole_lines(log.read_text())[after:] if "tools/call" in line]


def test_traces(gateway):
    """From header or `_meta` to the server's `_meta` and the audit record; through a gateway, too."""
    log = gateway.logs / "example.log"
    with Remote(gateway) as remote:
        for port in (gateway.port, remote.port):
            for place in ("header", "_meta", "both"):
                after = len(log.read_text().splitlines())
                client = wire.Modern(port, gateway.warm)
                parent = {"traceparent": PARENT, "tracestate": "a=1"}
                other = {"traceparent": PARENT.replace("4bf9", "ffff")}
                message = client.message("tools/call", {"name": "example__echo", "arguments": {"message": "x"},
                                                        "_meta": {} if place == "header" else parent})
                headers = client.fields(message) | (parent if place == "header" else other if place == "both" else {})
                client.connection.send("POST", client.path, json.dumps(message), headers)
                assert list(client.connection.events())
                seen = until(lambda: seen_by(log, after))
                assert f'"traceparent":"{PARENT}"' in seen[-1] and '"tracestate":"a=1"' in seen[-1], seen
                assert "ffff" not in seen[-1]
    # The record is written in batches, those of the gateway come a moment later: three calls each.
    def traced():
        return [one for one in gateway.rest("GET", "audit/events?limit=200").json["items"]
                if one["kind"] == "tool_call_trace" and TRACE in json.dumps(one)]
    until(lambda: len(traced()) >= 6, why=traced)
    # A malformed one is passed over, and refuses nothing.
    after = len(log.read_text().splitlines())
    client = wire.Modern(gateway.port, gateway.warm)
    message = client.message("tools/call", {"name": "example__echo", "arguments": {"message": "x"}})
    client.connection.send("POST", client.path, json.dumps(message), client.fields(message) | {"traceparent": "00-zz-01"})
    assert "result" in list(client.connection.events())[-1]
    assert "traceparent" not in until(lambda: seen_by(log, after))[-1]
