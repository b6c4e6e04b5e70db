"""What the end-to-end tests share: a real mcpd with its folders, mcpctl, and real MCP servers behind it.

Everything runs on loopback, on ports chosen at run time, in one temporary folder per gateway; every process is ended
by its pid. MCPTOKEN_BUILD names the build folder (default: build/ beside the sources).
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import wire

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ.get("MCPTOKEN_BUILD") or ROOT / "build").resolve()
MCPD = BUILD / "bin/mcpd"
MCPCTL = BUILD / "bin/mcpctl"
EXAMPLE = BUILD / "examples/server/mcptoken-example-server"
EQUAL_IDS = BUILD / "tests/e2e/equal-ids"
NODE = BUILD / "node/node"  # a link to a Node that is new enough; scripts/node-packages makes it
EVERYTHING = BUILD / "node/node_modules/@modelcontextprotocol/server-everything/dist/index.js"

SANITIZER = next((runtime for runtime in ("asan", "tsan") if MCPD.exists() and f"__{runtime}_init".encode() in MCPD.read_bytes()), None)
SANITIZED = SANITIZER is not None

PASSWORD = "correct horse battery staple"
EMAIL = "admin@example.com"
RAW_CREDENTIAL = re.compile(rb"mcpctl_(pat|ses)_[0-9A-Za-z]{43}|" + PASSWORD.encode())
PATIENCE_S = 60  # for anything that has to happen, on a machine that does other things too


def until(what, seconds=PATIENCE_S, pause=0.01, why=lambda: "no more is known"):
    """The first true value that `what` returns. `why`: what to show when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert not any(gateway.crashed() for gateway in Gateway.open), "mcpd ended"
        assert time.monotonic() < end, f"did not happen within {seconds} s; {why()}"
        time.sleep(pause)


def quick(measure, bound_s, tries=25):
    """The first of some measurements that is below the bound. A busy machine spoils one or the other; what is slow by itself
    spoils them all, of which there are `tries`, and as many as a minute has room for."""
    took, end = [], time.monotonic() + PATIENCE_S
    while not took or (took[-1] >= bound_s and (len(took) < tries or time.monotonic() < end)):
        took.append(measure())
    assert took[-1] < bound_s, f"never below {bound_s} s: {[f'{one:.3f}' for one in took]}"
    return took[-1]


def whole_lines(text):
    """Those that have been written to their end: a file may be looked at while it grows."""
    return text[:text.rfind("\n") + 1].splitlines()


def children_of(pid):
    """The processes that `pid` started and that are alive."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass  # the thread has gone
    return found


def read_if_there(path):
    """Its bytes; none when it has gone: caches come and go."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid):
    """Its arguments, NUL between them; nothing when it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


class Process:
    """A program whose output goes to a file. Ended when the test ends."""

    def __init__(self, words, log, **options):
        self.log = Path(log)
        with open(log, "ab") as out:
            self.popen = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.STDOUT, **options)
        self.pid = self.popen.pid

    def text(self):
        return self.log.read_text(errors="replace")

    def wait(self, seconds=PATIENCE_S):
        return self.popen.wait(seconds)

    def close(self):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


class Gateway:
    """mcpd on a new data folder, with its first user logged in to mcpctl."""

    open = []  # those that run, for the report of a failed test

    def __init__(self, loops=2, bootstrap=True, settings=(), disk_mib=None):
        self.stack = ExitStack()
        self.dir = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="mcptoken-e2e-")))
        self.data, self.logs = self.dir / "data", self.dir / "logs"
        self.logs.mkdir()
        if disk_mib:  # a small disk of its own for the data
            self.data.mkdir(mode=0o700)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk_mib}m,mode=0700", "tmpfs", self.data], check=True)
            self.stack.callback(subprocess.run, ["umount", "--lazy", self.data], check=True)
        self.settings = ["--loops", loops, "--admin-listen", "off", *settings]
        if SANITIZED:  # the leak check at the end traces the process, which mcpd else forbids
            self.settings.append("--debuggable")
        self.port = free_port()
        self.process = None
        self.admin = None
        self.stack.callback(lambda: self.process and self.process.close())
        Gateway.open.append(self)
        self.stack.callback(Gateway.open.remove, self)
        try:
            self.start()
            if bootstrap:
                self.mcpctl("bootstrap", EMAIL, "--code-file", self.data / "bootstrap-code", "--password-stdin",
                            input=PASSWORD + "\n")
                self.admin = self.login()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if failure[0]:
            print(self.report())
        try:
            left = [] if failure[0] else self.raw_credentials()
        finally:
            self.close()
        assert not left, f"BR-34: a raw credential was left in {left}"

    def close(self):
        self.stack.close()

    def raw_credentials(self):
        """Where the servers have left a raw token or the password, whatever the test was about: data and logs."""
        files = [path for path in self.data.rglob("*") if path.is_file()] + list(self.dir.glob("*.log"))
        return [path.name for path in files if RAW_CREDENTIAL.search(read_if_there(path))]

    # --- the process

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self):
        return self.dir / "mcpd.log"

    def command(self, port, data=None):
        return [MCPD, "--listen", f"127.0.0.1:{port}", "--data-dir", data or self.data, *self.settings]

    def start(self):
        """Each time on the same port."""
        file = self.dir / "port"
        file.unlink(missing_ok=True)
        self.process = Process([*self.command(self.port), "--port-file", file], self.log)

        def listening():
            assert self.process.popen.poll() is None, self.process.text()
            return file.exists() and file.read_text().strip()

        self.port = int(until(listening))

    def report(self):
        """How it is, and the end of its log."""
        code = self.process.popen.poll()
        state = "runs" if code is None else f"ended with {code}"
        return f"mcpd {state}:\n" + "\n".join(self.process.text().splitlines()[-30:])

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.popen.send_signal(signal.SIGTERM)
        return self.process.wait()

    def kill(self):
        self.process.popen.kill()
        self.process.wait()

    def alive(self):
        return self.process.popen.poll() is None

    def crashed(self):
        return self.process and self.process.popen.poll() not in (None, 0, -signal.SIGKILL)

    # --- management

    def mcpctl(self, *words, input=None, code=0):
        """Standard output of mcpctl. `code`: the exit code it must have; None: any, and the finished process comes back."""
        environment = {"HOME": str(self.dir), "XDG_CONFIG_HOME": str(self.dir / "config"), "PATH": os.environ["PATH"],
                       "MCPCTL_SERVER": self.url}
        environment |= {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
        done = subprocess.run([str(MCPCTL), *map(str, words)], input=input or "", capture_output=True, text=True,
                              timeout=PATIENCE_S, env=environment)
        if code is None:
            return done
        assert done.returncode == code, f"mcpctl {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def login(self):
        """A session's bearer for requests to the control plane."""
        answer = self.rest("POST", "auth/login", {"email": EMAIL, "password": PASSWORD}, bearer=None)
        assert answer.status == 200, answer
        return answer.json["token"]

    def rest(self, method, path, body=None, bearer="admin", headers=()):
        bearer = self.admin if bearer == "admin" else bearer
        fields = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if body is not None:
            fields["Content-Type"] = "application/json"
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        with wire.Connection(self.port) as connection:
            return connection.request(method, "/api/v1/" + path, body, fields | dict(headers))

    def events(self, query, count=1):
        """The audit record's events, the newest first, once there are so many of them: they are written a little later."""
        ask = lambda: self.rest("GET", "audit/events?" + query)  # noqa: E731
        return until(lambda: len(found := ask().json["items"]) >= count and found, why=ask)

    def project(self, name, *servers):
        words = [word for server in servers for word in ("--server", server)]
        self.mcpctl("create", "project", name, "--proxy-model", "none", *words)

    def token(self, name, project="demo", *flags):
        flags = flags or ("--rbac", "clone")
        if "--ttl" not in flags:
            flags += ("--ttl", "1h")
        return self.mcpctl("create", "mcptoken", name, "-p", project, *flags).strip()

    def endpoint(self, project="demo"):
        return f"{self.url}/projects/{project}/mcp"

    # --- servers behind it

    def stdio(self, name, *command, flags=()):
        self.mcpctl("create", "server", name, "--transport", "STDIO", *flags, "--", *command)

    def http(self, name, port, flags=(), transport="STREAMABLE_HTTP", path="/mcp"):
        self.mcpctl("create", "server", name, "--transport", transport, "--external-url",
                    f"http://127.0.0.1:{port}{path}", "--allow-private", *flags)

    def example(self, name="example", era="both", flags=()):
        """Our example server over stdio; its log is returned."""
        log = self.logs / f"{name}.log"
        log.touch()
        self.stdio(name, EXAMPLE, "--stdio", "--era", era, "--log", log, flags=flags)
        return log

    def example_http(self, name="web", era="both", flags=()):
        log = self.logs / f"{name}.log"
        process = self.spawn([EXAMPLE, "--http", 0, "--era", era, "--log", log], f"{name}.out")
        self.http(name, int(until(lambda: process.text().endswith("\n") and process.text().rsplit(":", 1)[1])), flags)
        return log

    def everything(self, name="everything"):
        self.stdio(name, NODE, EVERYTHING, "stdio")

    def everything_http(self, name="everyweb", sse=False):
        """The package listens on every interface when left alone, so a hook of ours keeps it on loopback. The process."""
        port = free_port()
        process = self.spawn([NODE, "--require", HERE / "node/loopback_only.cjs", EVERYTHING, "sse" if sse else "streamableHttp"],
                             f"{name}.out", env={**os.environ, "PORT": str(port)})

        def listening():
            assert process.popen.poll() is None, process.text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(listening)
        self.http(name, port, **({"transport": "SSE", "path": "/sse"} if sse else {}))
        return process

    def ready(self, token, *servers, project="demo"):
        """Until the project's list has tools of each: a Node server needs longer to start than a list waits."""
        client = wire.Modern(self.port, token, project)

        def listed():
            tools = client.tools()
            return all(any(tool.startswith(f"{server}__") for tool in tools) for server in servers)

        until(listed, pause=0.2)
        client.connection.close()

    def spawn(self, words, log, **options):
        process = Process(words, self.dir / log, **options)
        self.stack.callback(process.close)
        return process


def free_port():
    """None of those that the kernel gives to whoever connects: what listens there may be away for a while, and is back."""
    first, last = 10_000, int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(1000):
        with socket.socket() as probe:
            port = random.randrange(first, last) if last - first > 1000 else 0
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                pass  # somebody has it
    raise AssertionError("no port is free")


class NodeClient:
    """node/clients.mjs, or a `program` like it: one connection of a client package."""

    def __init__(self, gateway, token, flavour, *wishes, project="demo", program="clients.mjs", place=None, env=()):
        """`place`: another endpoint, or a list of words, the command of a server on stdio. Without a token none is sent."""
        # Beside the packages, so that its imports are found.
        source, copy = HERE / "node" / program, BUILD / "node" / program
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            partial = copy.with_suffix(f".{os.getpid()}")
            shutil.copy(source, partial)
            partial.rename(copy)
        self.errors = open(gateway.dir / f"client-{flavour}-{time.monotonic_ns()}.log", "w+b")
        place = json.dumps([str(word) for word in place]) if isinstance(place, (list, tuple)) else place or gateway.endpoint(project)
        environment = {**os.environ, "HOME": str(gateway.dir), **dict(env)} | ({"E2E_TOKEN": token} if token else {})
        self.popen = subprocess.Popen([str(NODE), str(copy), place, flavour, *wishes], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment)
        self.hello = self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.popen.stdin.close()
        try:
            code = self.popen.wait(PATIENCE_S)
        finally:
            self.popen.kill()
            self.popen.stdout.close()
            self.errors.close()
        assert failure[0] or code == 0, f"the client exited with {code}"

    def answer(self):
        line = self.popen.stdout.readline()
        if not line:
            self.popen.kill()
            self.errors.seek(0)
            raise AssertionError("the client ended: " + self.errors.read().decode())
        return json.loads(line)

    def do(self, command, **words):
        self.popen.stdin.write(json.dumps({"do": command} | words) + "\n")
        self.popen.stdin.flush()
        answer = self.answer()
        assert "failed" not in answer, answer
        return answer

    def call(self, tool, **arguments):
        return self.do("call", tool=tool, arguments=arguments)
