"""Rows of the performance table beside the two workloads that run against nginx: other gateways, a long list, what is decided in
memory, and a million tokens."""

import hashlib
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import noise
import test_crowd
import wire
from harness import BUILD, ROOT, Gateway, children_of, free_port, until

HERE = Path(__file__).resolve().parent
AUTH = BUILD / "tests/bench/bench-auth"
TOOLS = 500
TOKENS = 100_000
MANY_TOKENS = 1_000_000


def user_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) / noise.TICK


# --- other gateways

def node_program(stack, bench, folder, name, port_of, *words):
    """A Node process whose packages are those of tests/bench/gateways; its Target."""
    place = BUILD / "gateways"
    node = BUILD / "node/node"
    log = folder / f"{name}.log"
    process = stack.enter_context(bench.closing(bench.Process([node, *(str(word) for word in words)], log, cwd=place)))
    return process.popen.pid, until(port_of, seconds=60, why=lambda: log.read_text())


def sdk_gateway(stack, bench, folder, upstream_port, secret_file):
    port_file = folder / "sdk.port"
    (BUILD / "gateways/sdk_gateway.mjs").write_text((HERE / "gateways/sdk_gateway.mjs").read_text())
    sha = hashlib.sha256(secret_file.read_bytes()).hexdigest()
    pid, port = node_program(stack, bench, folder, "sdk", lambda: port_file.exists() and int(port_file.read_text() or 0),
                             "sdk_gateway.mjs", f"http://127.0.0.1:{upstream_port}/mcp", sha, port_file)
    return bench.Target("Fastify + SDK", port, [pid], token_file=secret_file)


def mcp_proxy(stack, bench, folder):
    port = free_port()

    def listening():
        try:
            wire.Connection(port).close()
            return port
        except OSError:
            return None

    pid, port = node_program(stack, bench, folder, "proxy", listening, "node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs", "--host",
                             "127.0.0.1", "--port", port, "--server", "stream", "--", bench.UPSTREAM, "--stdio")
    return bench.Target("mcp-proxy", port, [pid])


def gateways(bench, options):
    """Calls per second of mcpd over those of the others: with the same HTTP server, and with the same stdio server."""
    subprocess.run([str(ROOT / "scripts/node-packages"), str(BUILD), "gateways"], check=True, stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway(loops=1))
        folder = gateway.dir
        up_pid, up_port = bench.upstream(stack, folder, "upstream")
        gateway.http("up", up_port)
        gateway.stdio("child", bench.UPSTREAM, "--stdio")
        gateway.project("bench", "up", "child")
        token = gateway.token("bench", "bench")
        gateway.ready(token, "up", "child", project="bench")
        token_file = folder / "token"
        token_file.touch(0o600)
        token_file.write_text(token)
        pid = gateway.process.popen.pid
        http = bench.Target("mcpd", gateway.port, [pid], "up__echo", "/projects/bench/mcp", token_file)
        stdio = bench.Target("mcpd", gateway.port, [pid], "child__echo", "/projects/bench/mcp", token_file)
        pairs = (("calls per second against Fastify + SDK", http, sdk_gateway(stack, bench, folder, up_port, token_file)),
                 ("calls per second against mcp-proxy", stdio, mcp_proxy(stack, bench, folder)))
        found = {}
        for name, mine, theirs in pairs:
            known = [pid, up_pid, *theirs.pids]
            found[name] = []
            for number in range(-1, options.rounds):  # the first warms up
                rates = [target.sample(known, "--conns", 16, "--secs", options.seconds, "--warmup", 0.2)["rps"]
                         for target in (mine, theirs)]
                if number >= 0:
                    found[name].append(rates[0] / rates[1])
        return found


# --- a long list

def listing(bench, options):
    """User CPU of one tools/list of many tools: building the answer, and all else that is not the kernel's."""
    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway(loops=1))
        _, port = bench.upstream(stack, gateway.dir, "upstream", "--tools", TOOLS)
        gateway.http("up", port)
        gateway.project("bench", "up")
        token = gateway.token("bench", "bench")
        gateway.ready(token, "up", project="bench")
        token_file = gateway.dir / "token"
        token_file.touch(0o600)
        token_file.write_text(token)
        pid = gateway.process.popen.pid
        target = bench.Target("mcpd", gateway.port, [pid], "none", "/projects/bench/mcp", token_file)
        found = []
        for _ in range(options.rounds):
            before = user_s(pid)
            result = target.load("--conns", 4, "--list", TOOLS, "--secs", options.seconds, "--warmup", 0)
            found.append((user_s(pid) - before) / result["ok"] * 1e6)
        return {f"tools/list of {TOOLS} tools, user CPU in us": found}


# --- streams that listen

def streams(bench, options):
    """Memory of a legacy session with its stream, and the p50 of one connection's calls beside many of them, in pairs."""
    count = min(options.streams, test_crowd.FILES)
    with test_crowd.serving() as gateway:
        target = bench.Target("mcpd", gateway.port, [gateway.process.pid], "web__echo", "/projects/demo/mcp", gateway.dir / "bearer")

        def p50(known):
            return min(target.sample(known, "--conns", 1, "--secs", 1)["p50_us"] for _ in range(3))

        def away():
            until(lambda: test_crowd.descriptors(gateway) < test_crowd.FEW)

        with test_crowd.crowd(gateway, "legacy", 500):  # what is there once for all, and what the first requests need
            pass
        away()
        known = [gateway.process.pid, *children_of(os.getpid())]
        each, ratios = [], []
        for _ in range(options.rounds):
            alone, before = p50(known), test_crowd.memory(gateway)
            with test_crowd.crowd(gateway, "legacy", count) as others:
                each.append((test_crowd.memory(gateway) - before) / count)
                ratios.append(p50([*known, others.pid]) / alone)
            away()
    # What the first streams took is kept for the next ones, so it is the first round that says what they take.
    return {"user memory per idle stream in bytes": each[:1], "call p50 beside idle streams against none": ratios}


# --- in memory

def deciding(_bench, options):
    found = []
    for _ in range(options.rounds):
        done = subprocess.run([str(AUTH), str(TOKENS)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout)["ns"] / 1000)
    return {f"authentication and decision among {TOKENS:,} tokens in us": found}


# --- a million tokens

def fill(gateway, count):
    """Copies of one token, as many, into the database of a gateway that is stopped."""
    with sqlite3.connect(gateway.data / "mcptoken.db") as database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM tokens").fetchone())
        names = list(row)
        copies = ([f"{number:026d}" if name == "id" else f"t{number}" if name == "name" else os.urandom(32) if name == "sha" else row[name]
                   for name in names] for number in range(count))
        database.executemany(f"INSERT INTO tokens ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", copies)
    database.close()


def start(bench, gateway):
    """Seconds from exec to the first answer, and the resident bytes at rest."""
    began = time.monotonic()
    with open(gateway.log, "ab") as log:
        process = subprocess.Popen([str(word) for word in gateway.command(gateway.port)], stdout=log, stderr=log)
    while True:
        try:
            with wire.Connection(gateway.port) as connection:
                assert connection.request("GET", "/healthz").status == 200
            break
        except OSError:
            assert process.poll() is None, gateway.log.read_text()
            time.sleep(0.0005)
    took = time.monotonic() - began
    time.sleep(1)
    resident = bench.memory(process.pid)[0]
    process.send_signal(signal.SIGTERM)
    process.wait()
    return took, resident


def million(bench, options):
    with Gateway(loops=1) as gateway:
        gateway.project("demo")
        gateway.token("one", "demo", "--rbac", "empty", "--ttl", "90d")
        gateway.stop()
        few = [start(bench, gateway) for _ in range(options.rounds)]
        fill(gateway, MANY_TOKENS)
        many = [start(bench, gateway) for _ in range(options.rounds)]
        middle = statistics.median
        return {f"{MANY_TOKENS:,} tokens, extra start in s": [took - middle(one[0] for one in few) for took, _ in many],
                f"{MANY_TOKENS:,} tokens, bytes each": [(bytes_ - middle(one[1] for one in few)) / MANY_TOKENS for _, bytes_ in many]}


ROWS = {"streams": streams, "gateways": gateways, "listing": listing, "deciding": deciding, "million": million}
