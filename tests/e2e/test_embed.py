"""The library as other programs use it, against a real mcpd: the wheel and the examples."""

import http.server
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import harness
import wire
from harness import BUILD, PATIENCE_S, ROOT, Gateway

LIBRARY = BUILD / "capi/libmcptoken.so.0"


@contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        gateway.project("other")
        yield gateway


def environment():
    """Of a foreign program that loads the library: a sanitized one needs its runtime first."""
    known = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    if harness.SANITIZED:
        runtimes = [subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
                    for name in (f"lib{harness.SANITIZER}.so", "libstdc++.so")]
        known |= {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0",
                  "TSAN_OPTIONS": "halt_on_error=1:report_thread_leaks=0"}
    return known


def run(*words, code=0, input="", **more):
    """Standard output of a program that has to end with `code`."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=PATIENCE_S, input=input,
                          env=environment() | more)
    assert done.returncode == code, f"{words[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


VERIFY = """
import sys
import mcptoken
try:
    known = mcptoken.verify(sys.argv[1], sys.stdin.read())
    assert known.rights.can_use_tool("example", "echo") and not known.rights.can_access("edit", "servers")
    print(mcptoken.__file__, known.token_name, known.project, known.token_sha)
except mcptoken.Unauthenticated as failure:
    sys.exit(f"{failure.http_status} {failure.code}: {failure}")
"""


def test_wheel_in_an_empty_environment(gateway):
    """Built by pip and by hand alike, installed with neither index nor network, and it knows what mcpctl has minted."""
    token = gateway.token("wheel")
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-B", ROOT / "capi/python/backend.py", f"{folder}/wheels", LIBRARY)
        run(sys.executable, "-m", "venv", f"{folder}/env")
        python, offline = f"{folder}/env/bin/python", ["unshare", "--net"] if os.geteuid() == 0 else []
        pip = [*offline, python, "-m", "pip", "--no-cache-dir", "--disable-pip-version-check"]
        run(*pip, "wheel", "--no-index", "--no-deps", "-w", f"{folder}/pip", f"--config-settings=library={LIBRARY}",
            ROOT / "capi/python")
        (wheel,), (other,) = Path(folder, "wheels").iterdir(), Path(folder, "pip").iterdir()
        assert wheel.name == other.name and wheel.read_bytes() == other.read_bytes(), (wheel.name, other.name)
        assert "-py3-none-linux_" in wheel.name, wheel.name
        run(*pip, "install", "--no-index", wheel)
        words = run(python, "-c", VERIFY, gateway.url, input=token).split()
        assert words[0].startswith(folder) and words[1:3] == ["wheel", "demo"], words
        gateway.mcpctl("delete", "mcptoken", "wheel", "-p", "demo")
        run(python, "-c", VERIFY, gateway.url, input=token, code=1)
        run(*pip, "uninstall", "-y", "mcptoken")
        assert not list(Path(folder).glob("env/lib/python*/site-packages/mcptoken*"))


def example(name):
    return BUILD / f"examples/mcptoken-example-{name}"


def test_a_token_in_thirty_lines_of_c(gateway):
    assert len((ROOT / "examples/c/verify_token.c").read_text().splitlines()) <= 30
    token = gateway.token("thirty")
    assert run(example("verify-token"), gateway.url, input=token + "\n") == "thirty of project demo\n"
    run(example("verify-token"), gateway.url, input="mcpctl_pat_nonsense\n", code=1)
    gateway.mcpctl("delete", "mcptoken", "thirty", "-p", "demo")
    run(example("verify-token"), gateway.url, input=token + "\n", code=1)
    run(example("verify-token"), f"http://127.0.0.1:{harness.free_port()}", input=token + "\n", code=2)


def test_a_session_in_cpp(gateway):
    token = gateway.token("session")
    assert "example__echo" in run(example("mcp-session"), gateway.endpoint(), input=token).splitlines()
    assert run(example("mcp-session"), gateway.endpoint(), "example__echo", '{"message":"hello"}', input=token).strip() == "hello"
    run(example("mcp-session"), gateway.endpoint("other"), input=token, code=2)


def test_the_record_names_the_program(gateway):
    """Not one that it was made with: mcpctl by its name, others by theirs or the library's."""
    def clients(query):
        return {event.get("clientName") for event in gateway.rest("GET", f"audit/events?limit=200{query}").json["items"]}

    for name, words in (("mcpctl", None), ("mcp-session", [example("mcp-session"), gateway.endpoint()])):
        token = gateway.token(f"of-{name}")
        run(*words, input=token) if words else gateway.mcpctl("test", "mcp", gateway.endpoint(), "--token", token)
        found = harness.until(lambda: clients(f"&kind=session_bind&tokenName=of-{name}"), pause=0.1)
        assert found == {name}, found
    version = gateway.mcpctl("version").split()[1]
    harness.until(lambda: f"mcpctl/{version}" in clients(""), pause=0.1, why=lambda: clients(""))


def test_node_through_koffi(gateway):
    """Beside the packages, so that the import is found."""
    script = BUILD / "node/verify_token.mjs"
    script.write_bytes((ROOT / "examples/node/verify_token.mjs").read_bytes())
    token = gateway.token("koffi")
    words = [harness.NODE, script, LIBRARY, gateway.url]
    assert run(*words, input=token) == "koffi of project demo, the same hash\n"
    run(*words, input="mcpctl_pat_nonsense", code=1)
    gateway.mcpctl("delete", "mcptoken", "koffi", "-p", "demo")
    run(*words, input=token, code=1)


class Hosted(Gateway):
    """The main job of test_* against a host of ours in place of mcpd: the same folders, the same mcpctl."""

    def __init__(self, *words, **more):
        self.words, self.environment = words, environment() | more
        super().__init__()

    def start(self):
        self.log.unlink(missing_ok=True)
        self.process = harness.Process([*self.words, self.data, self.port], self.log, env=self.environment)
        self.port = int(harness.until(self.announced, why=self.process.text).rsplit(":", 1)[1])

    def announced(self):
        assert self.process.popen.poll() is None, self.process.text()
        return next((line for line in harness.whole_lines(self.process.text()) if line.startswith("http://")), None)


def the_main_job(host):
    log = host.example()
    host.project("demo", "example")
    token = host.token("hosted")
    out = host.mcpctl("test", "mcp", host.endpoint(), "--token", token, "--expect-tools", "example__echo", "--tool",
                      "example__echo", "--args", '{"message":"hello"}')
    assert "example__echo: hello" in out, out
    assert log.read_text().count("tools/call") == 1
    refused = host.mcpctl("test", "mcp", host.endpoint("other"), "--token", token, code=1)
    assert "403" in refused, refused
    client = wire.Modern(host.port, token, "demo")
    assert "example__echo" in client.tools()
    client.connection.close()
    assert host.stop() == 0, host.report()
    host.start()
    host.mcpctl("get", "projects")


def test_gateway_on_a_poll_loop_in_c():
    with Hosted(example("gateway-poll")) as host:
        the_main_job(host)


def stage_of_the_host(host, stage, expected):
    """A proxy model names the stage that the host has registered, and no other one."""
    host.example()
    wrong = host.rest("POST", "proxymodels", {"name": "wrong", "stages": [{"type": "no-such-stage"}]})
    assert wrong.status == 400 and f"exec, {stage['type']}" in wrong.json["message"], wrong
    assert host.rest("POST", "proxymodels", {"name": "own", "stages": [stage]}).status == 201
    assert host.rest("POST", "projects", {"name": "demo", "servers": ["example"], "proxyModel": "own"}).status == 201
    token = host.token("staged")
    for kind in (wire.Legacy, wire.Modern):  # both eras
        client = kind(host.port, token, "demo")
        assert client.text("example__echo", {"message": "one two\nthree"}) == expected, kind
        client.connection.close()
    assert stage["type"] in host.mcpctl("status")


def test_stage_of_a_host_in_c():
    with Hosted(example("gateway-stage")) as host:
        stage_of_the_host(host, {"type": "number-lines", "config": {"width": 3}}, "  1 one two\n  2 three")
        # Settings that it refuses leave the content as it is, and the record says why.
        assert host.rest("PATCH", "proxymodels/own", {"stages": [{"type": "number-lines", "config": {"width": 77}}]}).status == 200
        client = wire.Modern(host.port, host.token("wide"), "demo")
        assert client.text("example__echo", {"message": "one"}) == "one"
        client.connection.close()
        events = host.events("kind=pipeline_execution&tokenName=wide")
        assert events[0]["payload"]["fallback"] == "number-lines: width must be from 1 to 9", events


def test_stage_of_a_host_in_python():
    words = sys.executable, "-B", ROOT / "examples/python/asyncio_gateway.py"
    with Hosted(*words, PYTHONPATH=str(ROOT / "capi/python"), MCPTOKEN_LIBRARY=str(LIBRARY)) as host:
        stage_of_the_host(host, {"type": "count-words"}, "3 words\none two\nthree")


def test_gateway_built_for_the_first_release():
    """The same host compiled with the first release's headers, on today's library."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cc", "-std=c11", f"-I{ROOT}/tests/abi/first", ROOT / "examples/c/gateway_poll.c", LIBRARY, "-o",
                        f"{folder}/host", "-Wl,--unresolved-symbols=ignore-in-shared-libs"], check=True)  # a sanitizer's
        with Hosted(f"{folder}/host", LD_LIBRARY_PATH=str(LIBRARY.parent)) as host:
            the_main_job(host)


def test_gateway_in_asyncio():
    words = sys.executable, "-B", ROOT / "examples/python/asyncio_gateway.py"
    with Hosted(*words, PYTHONPATH=str(ROOT / "capi/python"), MCPTOKEN_LIBRARY=str(LIBRARY)) as host:
        the_main_job(host)


def test_nginx_asks_for_a_foreign_service(gateway):
    """auth_request: the service behind sees requests of the project's tokens alone, and never a token."""
    seen = []

    class Service(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"served")

        def log_message(self, *_):
            pass

    allowed, foreign, blind = gateway.token("in"), gateway.token("out", "other"), gateway.token("blind", "demo", "--rbac", "empty")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as service, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01}).start()
        port = harness.free_port()
        values = {"LISTEN": f"127.0.0.1:{port}", "MCPD": f"127.0.0.1:{gateway.port}", "PROJECT": "demo",
                  "SERVICE": f"127.0.0.1:{service.server_port}"}
        text = (ROOT / "examples/nginx/auth_request.conf.in").read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        Path(folder, "nginx.conf").write_text(text)
        nginx = gateway.spawn(["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"], "nginx.log")
        try:
            harness.until(lambda: Path(folder, "nginx.pid").exists() and wire_opens(port), why=nginx.text)

            def ask(bearer):
                fields = {"Authorization": f"Bearer {bearer}"} if bearer else {}
                with wire.Connection(port) as connection:
                    return connection.request("POST", "/a/b?c=d", b"body", fields | {"Origin": "https://app.example"})

            answer = ask(allowed)
            assert (answer.status, answer.body) == (200, b"served"), answer
            refused = ask(None)
            assert refused.status == 401 and "Bearer" in refused.headers.get("www-authenticate", ""), refused
            assert [ask(one).status for one in (foreign, blind, allowed[:-1])] == [403, 403, 401]
            gateway.mcpctl("delete", "mcptoken", "in", "-p", "demo")
            assert ask(allowed).status == 401
        finally:
            nginx.close()
            service.shutdown()
    assert len(seen) == 1, seen
    path, fields, body = seen[0]
    assert (path, body) == ("/a/b?c=d", b"body") and "mcpctl_" not in str(fields), seen


def wire_opens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
