"""What a process manager and an operator's scripts meet: sockets handed over, states told, health checks, the smoke test, units."""

import http.server
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import harness
import unit_filter
import wire
from harness import HERE, MCPCTL, MCPD, PATIENCE_S, ROOT, Gateway

# LISTEN_PID is the process's own number, which only it knows.
HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.execve(sys.argv[2], sys.argv[2:], os.environ | {"LISTEN_PID": str(os.getpid())})
"""
UNITS = ROOT / "deploy/systemd"


@contextmanager
def supervised(*words, listener=None, fds="1", **environment):
    """mcpd as a process manager starts it: `listener` is its descriptor 3. The process, and the states it tells."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mcptoken-deploy-")))
        states = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        states.bind(str(folder / "notify"))
        states.settimeout(PATIENCE_S)
        known = {"PATH": os.environ["PATH"], "HOME": str(folder), "NOTIFY_SOCKET": str(folder / "notify")} | environment
        command, options = [MCPD, *words, *(["--debuggable"] if harness.SANITIZED else [])], {}
        if listener is not None:
            known["LISTEN_FDS"] = fds
            command = [sys.executable, "-c", HAND_OVER, listener.fileno(), *command]
            options = {"pass_fds": [listener.fileno()]}
        process = harness.Process(command, folder / "log", env=known, **options)
        stack.callback(process.close)
        yield process, states


def listening():
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen()
    return found, found.getsockname()[1]


def get(port, path="/readyz"):
    with wire.Connection(port) as connection:
        return connection.request("GET", path).status


def test_socket_activation():
    """The socket outlives the server: a connection made in between waits for the next one. All loops share it."""
    listener, port = listening()
    with listener, tempfile.TemporaryDirectory() as data:
        words = "--data-dir", data, "--loops", 3
        with supervised(*words, listener=listener) as (process, states):
            assert states.recv(100) == b"READY=1"
            assert f"http://127.0.0.1:{port} " in process.text()
            assert [get(port) for _ in range(20)] == [200] * 20
            process.popen.terminate()
            assert states.recv(100) == b"STOPPING=1"
            assert process.wait() == 0, process.text()
        with wire.Connection(port) as early:
            early.send("GET", "/readyz")
            with supervised(*words, listener=listener) as (process, states):
                assert states.recv(100) == b"READY=1"
                assert early.answer().status == 200


def test_what_is_handed_over_is_looked_at():
    listener, port = listening()
    with listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, tempfile.TemporaryDirectory() as data:
        words = "--data-dir", data
        with supervised(*words, listener=listener, fds="2") as (process, _):
            assert process.wait() == 64 and "LISTEN_FDS=2" in process.text(), process.text()
        with supervised(*words, listener=other) as (process, _):
            assert process.wait() == 64 and "no listening TCP socket" in process.text(), process.text()
        # Variables of another process, inherited by ours: not about us.
        with supervised(*words, "--listen", "127.0.0.1:0", LISTEN_PID="1", LISTEN_FDS="1") as (process, states):
            assert states.recv(100) == b"READY=1"
            assert f":{port} " not in process.text()


def test_health_verb():
    with tempfile.TemporaryDirectory() as folder, Gateway(bootstrap=False) as gateway:
        def health(*words, **environment):
            known = {"PATH": os.environ["PATH"], "HOME": folder} | environment
            return subprocess.run([MCPD, *words], env=known, capture_output=True, text=True, timeout=PATIENCE_S)

        assert health("health", gateway.url).returncode == 0
        assert health("health", MCPD_LISTEN=f"0.0.0.0:{gateway.port}").returncode == 0
        role = {"MCPLOCAL_MCPD_URL": gateway.url, "MCPLOCAL_HTTP_HOST": "0.0.0.0", "MCPLOCAL_HTTP_PORT": str(gateway.port)}
        assert health("health", **role).returncode == 0
        assert health("gateway", "health", **role).returncode == 0
        gateway.stop()
        down = health("health", gateway.url)
        assert down.returncode == 1 and gateway.url in down.stderr, down
        assert health("health", "nothing").returncode == 64
        assert health("health", "--what").returncode == 64
        assert health("health", MCPD_COLOUR="red").returncode == 64
        assert "usage" in health("health", "--help").stdout
        gateway.start()


def smoke(control, url, **more):
    known = {"PATH": os.environ["PATH"], "HOME": str(control.dir), "XDG_CONFIG_HOME": str(control.dir / "config"),
             "MCPCTL_SERVER": control.url, "MCPCTL": str(MCPCTL)} | more
    return subprocess.run([ROOT / "scripts/smoke", url], env=known, capture_output=True, text=True, timeout=2 * PATIENCE_S)


@contextmanager
def fake_gateway(status):
    """Answers everything alike, health included."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200 if self.path == "/healthz" else status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Filtered(Gateway):
    """Under the system calls that its unit leaves it."""

    def command(self, port, data=None):
        sanitizer = f"ASAN_OPTIONS={os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0"  # its leak check traces the process
        return ["env", sanitizer, sys.executable, "-B", HERE / "unit_filter.py", UNITS / "mcpd.service", *super().command(port, data)]


def test_system_calls_of_the_unit():
    """They are enough for the main job, and for Landlock: a server that is started here does not see the data directory."""
    landlock = unit_filter.call("landlock_create_ruleset", 0, 0, 1) > 0
    with Filtered(settings=["--require-sandbox"] if landlock else []) as gateway:
        gateway.example()
        gateway.stdio("shell", "sh", "-c", f'ls "{gateway.data}" > "{gateway.logs}/seen" 2>&1; exec "{harness.EXAMPLE}" --stdio')
        gateway.project("demo", "example", "shell")
        token = gateway.token("filtered")
        gateway.ready(token, "example", "shell")
        client = wire.Modern(gateway.port, token)
        assert client.text("example__echo", {"message": "x"}) == "x"
        client.connection.close()
        seen = (gateway.logs / "seen").read_text()
        assert not landlock or ("ermission denied" in seen and "keys" not in seen), seen
        status = Path(f"/proc/{gateway.process.pid}/status").read_text()
        assert "Seccomp:\t2" in status, status
        assert gateway.stop() == 0, gateway.report()


def test_smoke():
    """Against the control plane, against a gateway in front of it, against nothing, and against what is wrong."""
    with Gateway() as control:
        control.example()
        port = harness.free_port()
        front = control.spawn([MCPD, "gateway", "--mcpd-url", control.url, "--http-port", port], "front.log")
        harness.until(lambda: "listening" in front.text())
        for url in (control.url, f"http://127.0.0.1:{port}"):
            done = smoke(control, url, SMOKE_SERVER="example", SMOKE_TOOL="example__echo")
            assert done.returncode == 0 and done.stdout.count("ok ") == 4 and "smoke: passed" in done.stdout, done
        away = smoke(control, f"http://127.0.0.1:{harness.free_port()}")
        assert away.returncode == 0 and "WARNING" in away.stderr and not away.stdout, away
        assert smoke(control, control.url, SMOKE_SERVER="example", SMOKE_TOOL="example__nothing").returncode == 1
        for status in (200, 500):
            with fake_gateway(status) as url:
                wrong = smoke(control, url, SMOKE_REVOKE_S="1")
                assert wrong.returncode == 1 and "FAILED" in wrong.stdout, wrong
        left = control.mcpctl("get", "projects", "-o", "name")
        assert "smoke" not in left, left


def test_units():
    """systemd's own judgement of the units: they are well formed, and shut in."""
    for name in ("mcpd", "mcplocal"):
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", UNITS / f"{name}.service"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    with tempfile.TemporaryDirectory() as folder:
        for path in UNITS.glob("*.s*"):  # the programs are where they are here
            Path(folder, path.name).write_text(path.read_text().replace("/usr/bin/mcpd", str(MCPD)))
        Path(folder, "mcplocal.default").touch()
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(Path(folder).glob("*.s*"))],
                              capture_output=True, text=True, env=os.environ | {"SYSTEMD_UNIT_PATH": folder + ":"})
        about_us = [line for line in done.stderr.splitlines() if "mcpd" in line or "mcplocal" in line]
        assert not about_us, about_us
